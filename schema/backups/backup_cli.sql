-- What the verbs of backups (controller/cli/backups) ask of state.db, and the rows by which they ask for something in
-- desired.db.

-- @run cli.backup_list

SELECT b.name,
       b.store,
       COALESCE((SELECT m.state FROM backup_missing AS m WHERE m.id = b.id), b.state) AS state,
       strftime('%Y-%m-%d %H:%M', b.taken_at_ms / 1000, 'unixepoch') AS taken,
       round(b.size_bytes / 1e6, 1) AS size_mb,
       b.restore_ms,
       k.reasons AS kept_for,
       CASE b.verify_detail WHEN '' THEN b.detail ELSE b.verify_detail END AS detail
FROM backup AS b
LEFT JOIN backup_kept AS k ON k.id = b.id
WHERE b.state <> 'expired'
ORDER BY b.id;

-- @run cli.backup_policy

SELECT name FROM backup_policy_now WHERE name = :policy;

-- @run cli.backup_to_verify

-- The newest good one in each store.
SELECT json_group_array(newest_good) FROM backup_standing WHERE policy = :policy AND newest_good NOT NULL;

-- @run cli.backup_request

INSERT INTO backup_request (name, policy, what) VALUES (:name, :policy, :what);

-- @run cli.backup_progress

-- What came of the request, by the stores of the policy: the backups in :ids when it :verifies, otherwise the one that
-- was made for it.
SELECT t.store,
       h.name AS heard,
       b.name,
       b.state,
       b.detail,
       b.verify_detail,
       COALESCE((SELECT max(y.retry_at_ms) FROM retry AS y
                 WHERE y.kind = 'backup' AND y.target = CAST(b.id AS TEXT)), 0) AS retry_at_ms,
       f.want,
       g.phase,
       g.detail AS progress
FROM backup_target AS t
LEFT JOIN backup_request_heard AS h ON h.name = :request AND h.store = t.store
LEFT JOIN backup_standing AS s ON s.target = t.target
LEFT JOIN backup AS b
  ON b.policy = t.policy AND b.store = t.store
    AND CASE WHEN :verifies
             THEN b.id IN (SELECT value FROM json_each(:ids))
             ELSE b.id = COALESCE((SELECT max(a.id)
                                   FROM backup AS a
                                   WHERE a.policy = t.policy AND a.store = t.store
                                     AND a.reason = 'asked for: ' || :request), s.newest) END
LEFT JOIN backup_fact AS f ON f.id = b.id
LEFT JOIN progress AS g ON g.kind = 'backup' AND g.target = CAST(b.id AS TEXT)
WHERE t.policy = :policy
ORDER BY t.store;

-- @run cli.standing_refusal

-- Why nothing that is asked for in desired.db is heard, as long as that is so.
SELECT COALESCE((SELECT why FROM desired_hold), (SELECT message FROM refusal ORDER BY table_name, row_key LIMIT 1))
         AS message;

-- @run cli.restore_request

INSERT INTO restore (name, policy, backup, into_url, secret, "into", confirm, roles, sections, search_path, without,
                     "only", single_transaction, keep_going)
VALUES (:name, :policy, :backup, :into_url, :secret, :into, :confirm, :roles,
        CASE :sections WHEN '[]' THEN '["before","data","after"]' ELSE :sections END, :search_path, :without, :only,
        :single_transaction, :keep_going);

-- @run cli.restore_left_out

SELECT object, reason FROM restore_left_out WHERE restore = :name ORDER BY object;

-- @run cli.restore_progress

SELECT 'refused: ' || message AS line, 'failed' AS state, NULL AS phase, NULL AS progress
FROM refusal
WHERE table_name = 'restore' AND row_key = :name
UNION ALL
SELECT s.detail, s.state, g.phase, g.detail
FROM status AS s
LEFT JOIN progress AS g ON g.kind = s.kind AND g.target = s.name
WHERE s.kind = 'restore' AND s.name = :name;

-- @run cli.kit_home

SELECT id FROM home;

-- @run cli.kit_stores

-- Where the home itself can be had back from comes first.
SELECT o.name, o.url, o.endpoint, o.region, o.style, o.recipients
FROM object_store AS o
ORDER BY o.name IN (SELECT b.store FROM backup_standing AS s JOIN backup AS b ON b.id = s.last_verified
                    WHERE b.kind = 'home') DESC, o.name;

-- @run cli.kit_backups

-- The last ones that were restored and found equal.
SELECT b.name,
       b.store,
       b.object,
       datetime(b.verified_at_ms / 1000, 'unixepoch') || ' UTC' AS verified
FROM backup_standing AS s
JOIN backup AS b ON b.id = s.last_verified
ORDER BY b.name, b.store;

-- @run cli.kit_policy

-- The one that backs the home up.
SELECT min(name) FROM backup_policy_now WHERE kind = 'home';
