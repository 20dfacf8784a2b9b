-- What of a home can be reached from outside a container or the machine, and what reaches out of one: a line for each,
-- by the rows as they are. "Is anything open?" is one SELECT.

-- @views

CREATE VIEW exposure AS
SELECT 'proxy' AS kind,
       p.name,
       CASE WHEN e.value GLOB '127.*' OR e.value GLOB '[[]::1]*' THEN 'this machine' ELSE 'network' END AS reached_from,
       'listens on ' || e.value AS what
FROM proxy AS p
JOIN json_each(json_array(p.listen, p.listen_tls)) AS e ON e.value <> ''
UNION ALL
SELECT 'api', a.name, 'this machine', 'the secret API listens on ' || a.listen FROM api AS a WHERE a.listen <> ''
UNION ALL
SELECT 'job', p.job, CASE WHEN p.host_ip GLOB '127.*' OR p.host_ip = '::1' THEN 'this machine' ELSE 'network' END,
       'port ' || p.label || ' is published on ' || p.host_ip || ':'
         || CASE p.host_port WHEN 0 THEN 'any free port' ELSE p.host_port END
FROM job_port AS p
WHERE p.host_port IS NOT NULL
UNION ALL
SELECT 'job', j.name, 'network', 'stands in the network of its node: each port it opens is the node''s' FROM job AS j
WHERE j.network = 'host'
UNION ALL
SELECT 'job', m.job, 'container', 'rules its node by the engine''s socket ' || m.source
FROM job_mount AS m
WHERE m.type = 'bind' AND m.source IN (SELECT socket FROM engine_socket)
UNION ALL
SELECT 'job', j.name, 'container', 'asks the secret API by its socket, with the policies of the job' FROM job AS j
WHERE j.secrets_api = 1;
