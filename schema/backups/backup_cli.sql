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

-- Those that hold backups, or are to; the one of the newest verified backup of the home comes first.
SELECT o.name, o.url, o.endpoint, o.region, o.style, o.ca_file
FROM object_store AS o
ORDER BY COALESCE((SELECT max(h.taken_at_ms) FROM home_backup AS h WHERE h.store = o.name), 0) DESC, o.name;

-- @run cli.kit_identities

-- Each identity that something needs: those that opened verified backups, newest first, and those for which the next
-- ones are encrypted. NULL: of backups that were verified before it was noted what opened them.
SELECT i.recipient,
       max(i.at_ms) AS at_ms,
       max(i.is_current) AS is_current
FROM (SELECT k.recipient, k.newest_at_ms AS at_ms, 0 AS is_current FROM kit_range AS k
      UNION ALL
      SELECT r.value, 0, 1
      FROM backup_target AS t
      JOIN backup_policy_now AS p ON p.name = t.policy AND p.enabled = 1
      JOIN object_store AS o ON o.name = t.store
      CROSS JOIN json_each(CASE json_array_length(p.recipients) WHEN 0 THEN o.recipients ELSE p.recipients END) AS r)
       AS i
GROUP BY i.recipient
ORDER BY i.recipient IS NULL, at_ms DESC, i.recipient;

-- @run cli.kit_ranges

SELECT k.recipient, k.store, k.policy, k.oldest, k.newest, k.backups FROM kit_range AS k
ORDER BY k.store, k.kind = 'home' DESC, k.policy;

-- @run cli.kit_newest

-- The last one of each policy and store that was restored and found equal; the home first, the newest store first.
SELECT b.name,
       b.policy,
       b.kind,
       b.store,
       b.object,
       o.url, o.endpoint, o.region, o.style, o.ca_file,
       COALESCE((SELECT group_concat(r.value, ', or of ')
                 FROM json_each(CASE b.recipients WHEN '' THEN '[]' ELSE b.recipients END) AS r), '') AS recipients,
       datetime(b.verified_at_ms / 1000, 'unixepoch') || ' UTC' AS verified
FROM backup_standing AS s
JOIN backup AS b ON b.id = s.last_verified
JOIN object_store AS o ON o.name = b.store
ORDER BY b.kind = 'home' DESC, b.policy, b.taken_at_ms DESC, b.id DESC;
