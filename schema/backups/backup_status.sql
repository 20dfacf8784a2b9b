-- How backups stand, for people: a run that ended well counts for nothing when the last good backup is too old, or was
-- never restored.

-- @views

-- Each target in figures: moments of its last good and its last verified backup, and what is the matter.
CREATE VIEW backup_outlook AS
SELECT s.target,
       s.policy,
       s.store,
       p.kind,
       p.enabled,
       h.next_text,
       COALESCE((SELECT y.detail FROM retry AS y WHERE y.kind = 'backup_schedule' AND y.target = s.target), '')
         AS schedule_detail,
       w.state AS newest_state,
       w.detail AS newest_detail,
       g.taken_at_ms AS good_at_ms,
       g.verify_detail,
       (SELECT x.detail FROM retry AS x WHERE x.kind = 'object_store' AND x.target = s.store) AS store_detail,
       v.taken_at_ms AS verified_taken_at_ms,
       v.verified_at_ms,
       v.restore_ms,
       p.rpo_ms,
       p.rto_ms,
       p.unverified_ms,
       (SELECT wall_ms FROM clock) - COALESCE(g.taken_at_ms, h.since_ms, (SELECT wall_ms FROM clock)) > p.rpo_ms
         AS is_late,
       (SELECT wall_ms FROM clock) - COALESCE(v.verified_at_ms, h.since_ms, (SELECT wall_ms FROM clock))
         > p.unverified_ms
         AS is_unverified,
       (SELECT count(*) FROM backup_there AS k WHERE k.policy = s.policy AND k.store = s.store) AS kept,
       (SELECT group_concat(m.said, '')
        FROM (SELECT ', ' || count(*) || CASE k.state WHEN 'lost' THEN ' lost' ELSE ' at its former address' END AS said
              FROM backup_missing AS k
              WHERE k.policy = s.policy AND k.store = s.store
              GROUP BY k.state
              ORDER BY k.state DESC) AS m) AS missing,
       COALESCE(w.stored_at_ms, w.started_at_ms, h.since_ms, (SELECT wall_ms FROM clock))
         - (SELECT wall_ms - now_ms FROM clock) AS since_ms
FROM backup_standing AS s
JOIN backup_policy_now AS p ON p.name = s.policy
LEFT JOIN backup_schedule AS h ON h.target = s.target
LEFT JOIN backup AS w ON w.id = s.newest
LEFT JOIN backup AS g ON g.id = s.newest_good
LEFT JOIN backup AS v ON v.id = s.last_verified;

-- A span of time as people say it.
CREATE VIEW backup_age AS
SELECT o.target,
       CASE WHEN o.age_ms IS NULL         THEN 'never'
            WHEN o.age_ms < 120000        THEN (o.age_ms / 1000) || ' s ago'
            WHEN o.age_ms < 7200000       THEN (o.age_ms / 60000) || ' min ago'
            WHEN o.age_ms < 172800000     THEN (o.age_ms / 3600000) || ' h ago'
            ELSE                               (o.age_ms / 86400000) || ' days ago' END AS verified,
       CASE WHEN o.good_age_ms IS NULL     THEN 'never'
            WHEN o.good_age_ms < 120000    THEN (o.good_age_ms / 1000) || ' s ago'
            WHEN o.good_age_ms < 7200000   THEN (o.good_age_ms / 60000) || ' min ago'
            WHEN o.good_age_ms < 172800000 THEN (o.good_age_ms / 3600000) || ' h ago'
            ELSE                                (o.good_age_ms / 86400000) || ' days ago' END AS good
FROM (SELECT target,
             (SELECT wall_ms FROM clock) - verified_at_ms AS age_ms,
             (SELECT wall_ms FROM clock) - good_at_ms AS good_age_ms
      FROM backup_outlook) AS o;

CREATE VIEW backup_status AS
SELECT 'backup' AS kind,
       o.policy || CASE WHEN (SELECT count(*) FROM backup_target AS t WHERE t.policy = o.policy) > 1
                          THEN '/' || o.store ELSE '' END AS name,
       CASE WHEN o.enabled = 0                       THEN 'converged'
            WHEN o.schedule_detail <> ''             THEN 'failed'
            WHEN o.newest_state = 'failed'           THEN 'failed'
            WHEN o.is_late OR o.is_unverified        THEN 'failed'
            WHEN o.newest_state IN ('due', 'running', 'stored', 'verifying') AND o.verify_detail <> '' THEN 'failed'
            WHEN o.newest_state IS NULL AND o.store_detail <> '' THEN 'failed'
            WHEN f.hold = 'sealed'                   THEN 'waiting'
            WHEN o.newest_state = 'verified'         THEN 'converged'
            WHEN o.newest_state = 'stored' AND COALESCE(f.want, 'keep') = 'keep' THEN 'converged'
            WHEN o.newest_state = 'stored' AND f.want = 'blind' THEN 'waiting'
            ELSE                                          'converging' END AS state,
       CASE WHEN o.enabled = 0                       THEN 'not enabled'
            WHEN o.schedule_detail <> ''             THEN o.schedule_detail
            WHEN o.newest_state = 'failed'           THEN o.newest_detail
            WHEN o.is_late                           THEN 'late: the last good one was made ' || a.good
            WHEN o.is_unverified                     THEN 'not restored for too long: the last time ' || a.verified
            WHEN o.verify_detail <> ''               THEN 'cannot be verified: ' || o.verify_detail
            WHEN f.hold = 'sealed'                   THEN 'the secret store is not open: rowlock secret unseal'
            WHEN f.want = 'blind'                    THEN 'stored, and cannot be verified: store ' || o.store
                                                          || ' has neither identity_secret nor identity_file'
            WHEN o.newest_state IS NULL              THEN COALESCE('not begun: ' || o.store_detail, 'not begun')
            WHEN o.newest_state IN ('due', 'running', 'verifying')
              THEN COALESCE((SELECT g.detail FROM progress AS g
                             WHERE g.kind = 'backup' AND g.target = CAST(s.newest AS TEXT)), o.newest_state)
                   || '; last verified ' || a.verified
            ELSE 'last verified ' || a.verified
                   || COALESCE((SELECT e.said FROM backup_excepted_said AS e WHERE e.backup = s.last_verified), '')
                   || ', ' || o.kept || ' kept' || COALESCE(o.missing, '') || '; next '
                   || o.next_text END AS detail,
       o.since_ms
FROM backup_outlook AS o
JOIN backup_age AS a ON a.target = o.target
LEFT JOIN backup_standing AS s ON s.target = o.target
LEFT JOIN backup_fact AS f ON f.id = s.newest;

-- What a backup of a standby lacks.
CREATE VIEW backup_left_out AS
SELECT b.id AS backup,
       'without the rows of ' || json_array_length(b.content, '$.left_out')
         || ' unlogged tables and sequences, which a standby does not have: '
         || json_extract(b.content, '$.left_out[0]')
         || CASE WHEN json_array_length(b.content, '$.left_out') > 1 THEN ' …' ELSE '' END AS text
FROM backup AS b
WHERE json_array_length(b.content, '$.left_out') > 0;

CREATE VIEW backup_why AS
SELECT 'backup' AS kind,
       b.policy AS name,
       b.name AS target,
       'backup ' || b.name || CASE b.state WHEN 'failed' THEN ' failed: ' ELSE ' is not settled: ' END || b.detail
         AS reason,
       COALESCE(b.started_at_ms, b.due_at_ms) - (SELECT wall_ms - now_ms FROM clock) AS since_ms
FROM backup AS b
JOIN backup_standing AS s ON s.policy = b.policy AND s.store = b.store AND s.newest = b.id
WHERE b.detail <> '' AND b.state IN ('failed', 'running', 'due')
UNION ALL
SELECT 'backup', b.policy, b.name, 'backup ' || b.name || ' cannot be verified: ' || b.verify_detail,
       b.stored_at_ms - (SELECT wall_ms - now_ms FROM clock)
FROM backup AS b
JOIN backup_standing AS s ON s.policy = b.policy AND s.store = b.store AND s.newest_good = b.id
WHERE b.verify_detail <> '' AND b.state IN ('stored', 'verifying')
UNION ALL
SELECT 'backup', b.policy, b.name, 'backup ' || b.name || ' was made ' || l.text,
       b.stored_at_ms - (SELECT wall_ms - now_ms FROM clock)
FROM backup AS b
JOIN backup_standing AS s ON s.policy = b.policy AND s.store = b.store AND s.newest_good = b.id
JOIN backup_left_out AS l ON l.backup = b.id
UNION ALL
SELECT 'backup', b.policy, b.name, 'backup ' || b.name || ' cannot be deleted: ' || b.detail,
       b.stored_at_ms - (SELECT wall_ms - now_ms FROM clock)
FROM backup AS b
WHERE b.expiring = 1 AND b.detail <> ''
UNION ALL
SELECT 'backup', m.policy, m.name,
       'backup ' || m.name
         || CASE m.state
              WHEN 'lost'
                THEN ' is lost: it is not in store ' || m.store || ' as it was put there; it counts again once it is'
              ELSE ' is where store ' || m.store || ' was before its url or endpoint was changed: a row of '
                     || 'object_store for that place, or a copy of it in the new one, makes it count' END,
       (SELECT now_ms FROM clock)
FROM backup_missing AS m
UNION ALL
SELECT 'backup', o.policy, o.target,
       'the last good backup of ' || o.target || ' is older than its rpo_ms, whatever the last run said', o.since_ms
FROM backup_outlook AS o
WHERE o.is_late AND o.enabled = 1
UNION ALL
SELECT 'backup', o.policy, o.target,
       'no backup of ' || o.target || ' was restored and compared within its unverified_ms', o.since_ms
FROM backup_outlook AS o
WHERE o.is_unverified AND o.enabled = 1
UNION ALL
SELECT 'backup', o.policy, o.target, 'store ' || o.store || ', where ' || o.target || ' goes: ' || o.store_detail,
       o.since_ms
FROM backup_outlook AS o
WHERE o.store_detail <> '' AND o.enabled = 1
UNION ALL
SELECT 'backup', h.name, h.target, h.target || ' cannot be scheduled: ' || h.detail, h.since_ms
FROM retry AS h
WHERE h.kind = 'backup_schedule'
UNION ALL
SELECT 'backup', b.policy, b.name,
       CASE e.object WHEN '' THEN 'the exception ' || e.exception || ' was not needed when backup ' || b.name
                                    || ' was verified: its row of backup_exception can go'
                     ELSE 'backup ' || b.name || ' was verified without ' || e.object || ': ' || e.reason END,
       b.verified_at_ms - (SELECT wall_ms - now_ms FROM clock)
FROM backup_excepted AS e
JOIN backup AS b ON b.id = e.backup
JOIN backup_standing AS s ON s.policy = b.policy AND s.store = b.store AND s.last_verified = b.id;

-- How much is lost and how long it takes when it comes to it, measured, beside what was asked for.
CREATE VIEW rpo_rto AS
SELECT o.policy,
       o.store,
       o.rpo_ms,
       (SELECT wall_ms FROM clock) - o.verified_taken_at_ms AS lost_ms,        -- since the last one that was proven
       o.rto_ms,
       o.restore_ms,
       CASE WHEN o.restore_ms IS NULL                                          THEN 'unknown'
            WHEN (SELECT wall_ms FROM clock) - o.verified_taken_at_ms > o.rpo_ms THEN 'loses too much'
            WHEN o.restore_ms > o.rto_ms                                       THEN 'takes too long'
            ELSE                                                                    'kept' END AS target
FROM backup_outlook AS o
WHERE o.enabled = 1;

-- What stands in URLs for each byte: '%20', and the byte as text.
CREATE VIEW percent_byte AS
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 255)
SELECT printf('%%%02X', n) AS code,
       CASE WHEN n < 128 THEN char(n) ELSE
         CAST(substr(CASE n / 32
                       WHEN 4 THEN x'808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9F'
                       WHEN 5 THEN x'A0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF'
                       WHEN 6 THEN x'C0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF'
                       ELSE        x'E0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF'
                     END, n % 32 + 1, 1) AS TEXT) END AS byte
FROM number;

-- HOST:PORT of each database's server, as the rows of database name it, and what the server calls the database.
CREATE VIEW database_place AS
SELECT u.name AS database,
       u.server,
       CASE instr(u.encoded, '%') WHEN 0 THEN u.encoded ELSE
         (WITH RECURSIVE decoded (text, rest) AS (
            SELECT '', u.encoded
            UNION ALL
            SELECT d.text || COALESCE(b.byte, substr(d.rest, 1, 1)),
                   substr(d.rest, CASE WHEN b.byte IS NULL THEN 2 ELSE 4 END)
            FROM decoded AS d
            LEFT JOIN percent_byte AS b ON b.code = upper(substr(d.rest, 1, 3))
            WHERE d.rest <> '')
          SELECT text FROM decoded WHERE rest = '') END AS catalog
FROM (SELECT name,
             substr(place, 1, instr(place, '/') - 1) AS server,
             substr(place, instr(place, '/') + 1) AS encoded
      FROM (SELECT name, substr(plain, max(instr(plain, '://') + 3, instr(plain, '@') + 1)) AS place
            FROM (SELECT name,
                         substr(url, 1, CASE instr(url, '?') WHEN 0 THEN length(url) ELSE instr(url, '?') - 1 END)
                           AS plain
                  FROM database))) AS u;

-- Databases on servers that we know, which no policy backs up.
CREATE VIEW uncovered AS
SELECT s.server,
       n.name AS database,
       max(n.size_bytes) AS size_bytes,
       'INSERT INTO database (name, url, …); INSERT INTO backup_policy (name, database, store) …' AS mend
FROM database_seen AS n
JOIN database_place AS s ON s.database = n.database
WHERE NOT EXISTS (SELECT 1 FROM database_place AS c
                  JOIN backup_policy AS p ON p.database = c.database AND p.enabled = 1
                  WHERE c.server = s.server AND c.catalog = n.name)
GROUP BY s.server, n.name;

CREATE VIEW backup_metric AS
SELECT 'rowlock_backup_last_success_timestamp_seconds' AS name, 'When the last good backup was made.' AS help,
       'gauge' AS type, json_object('policy', o.policy, 'store', o.store) AS labels, o.good_at_ms / 1000.0 AS value
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
WHERE o.restore_ms NOT NULL;
