-- The figures that /metrics shows, one row a sample; controller/serve/metrics.h writes them in the text format of
-- Prometheus. Counters that only grow end in _total.

-- @views

CREATE VIEW metric AS
SELECT 'rowlock_audit_lines_total' AS name, 'Lines of the audit log.' AS help, 'counter' AS type, '' AS labels,
       COALESCE((SELECT seq FROM audit_head), 0) AS value
UNION ALL
SELECT 'rowlock_backup_last_success_timestamp_seconds', 'When the last good backup was made.', 'gauge',
       json_object('policy', o.policy, 'store', o.store), o.good_at_ms / 1000.0
FROM backup_outlook AS o
WHERE o.good_at_ms NOT NULL
UNION ALL
SELECT 'rowlock_backup_last_verified_restore_timestamp_seconds', 'When a backup was restored and found equal last.',
       'gauge', json_object('policy', o.policy, 'store', o.store), o.verified_at_ms / 1000.0
FROM backup_outlook AS o
WHERE o.verified_at_ms NOT NULL
UNION ALL
SELECT 'rowlock_backup_restore_seconds', 'How long the last restore of a backup took.', 'gauge',
       json_object('policy', o.policy, 'store', o.store), o.restore_ms / 1000.0
FROM backup_outlook AS o
WHERE o.restore_ms NOT NULL
UNION ALL
SELECT 'rowlock_desired_revision', 'Number of the accepted revision of desired.db.', 'gauge', '',
       COALESCE((SELECT max(id) FROM revision), 0)
UNION ALL
SELECT 'rowlock_last_pass_timestamp_seconds', 'When the controller looked last.', 'gauge', '',
       (SELECT now_ms FROM clock) / 1000.0
UNION ALL
SELECT 'rowlock_resource_state', 'State of each resource, as in status; always 1.', 'gauge',
       json_object('kind', s.kind, 'name', s.name, 'state', s.state), 1
FROM status AS s
UNION ALL
SELECT 'rowlock_sealed', 'Whether the secret store is sealed: 1, or open: 0.', 'gauge', '', s.state = 'sealed'
FROM seal AS s
WHERE s.state <> 'absent'
UNION ALL
SELECT 'rowlock_secrets', 'Secrets in the store.', 'gauge', '', (SELECT count(*) FROM secret)
ORDER BY 1;

-- @run metric.all

SELECT name, help, type, labels, value FROM metric ORDER BY name, labels;
