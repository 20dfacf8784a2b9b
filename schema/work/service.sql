-- Services: where what is healthy can be reached, for whoever asks.

-- @views

-- The healthy addresses of every job's ports, whoever asks.
CREATE VIEW service AS
SELECT i.job,
       json_extract(p.value, '$.label') AS port_label,
       i.address,
       json_extract(p.value, '$.port') AS port,
       i.node,
       i.id AS instance,
       i.healthy_at_ms
FROM instance AS i
JOIN spec AS s ON s.id = i.spec
JOIN json_each(s.body, '$.ports') AS p
WHERE i.run = 1 AND i.container = 'running' AND i.healthy_at_ms IS NOT NULL AND i.address <> '';
