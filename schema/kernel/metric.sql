-- The figures that /metrics shows, one row a sample; controller/serve/metrics.h writes them in the text format of
-- Prometheus. Counters that only grow end in _total. The view metric unites KIND_metric of all that have figures.

-- @views

CREATE VIEW state_metric AS
SELECT 'rowlock_desired_revision' AS name, 'Number of the accepted revision of desired.db.' AS help, 'gauge' AS type,
       '' AS labels, COALESCE((SELECT max(id) FROM revision), 0) AS value
UNION ALL
SELECT 'rowlock_last_pass_timestamp_seconds', 'When the controller looked last.', 'gauge', '',
       (SELECT wall_ms FROM clock) / 1000.0
UNION ALL
SELECT 'rowlock_resource_state', 'State of each resource, as in status; always 1.', 'gauge',
       json_object('kind', s.kind, 'name', s.name, 'state', s.state), 1
FROM status AS s;

-- @run metric.all

SELECT name, help, type, labels, value FROM metric ORDER BY name, labels;
