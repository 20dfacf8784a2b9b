-- Each backup, from the moment it is due until it was deleted. What a row holds is said in migrations/0003_backups.sql.
--
--   due ──run──▶ running ──▶ stored ──verify──▶ verifying ──▶ verified ──no rule keeps it, a newer one is verified──▶
--    ▲             │           ▲                       │                                 expire ──▶ expired
--    └── settle ◀──┴ failed, or Rowlock was killed     └─ not what was dumped: failed for good
--          └──it is there whole───┘
--
-- Nothing is deleted while the newest one has failed, and never the last one that was restored and found equal.

-- @kind backup
--   of:     backup.policy
--   hold:   sealed free
--   want:   run rest settle verify expire away turn crowd left blind lapse keep sleep
--   retry:  15 s to 10 min

-- @views

-- What deleting a policy or a store would take out of care.
CREATE VIEW backup_stake AS
SELECT DISTINCT 'backup_policy' AS table_name, json_array(b.policy) AS row_key, 'that have backups' AS what
FROM backup AS b
WHERE b.state IN ('stored', 'verifying', 'verified')
UNION ALL
SELECT DISTINCT 'object_store', json_array(b.store), 'that hold backups'
FROM backup AS b
WHERE b.state IN ('stored', 'verifying', 'verified');

-- Those that are whole and where they were put, as far as their stores have said.
CREATE VIEW backup_there AS
SELECT b.id, b.name, b.policy, b.store, b.kind, b.state, b.expiring, b.taken_at_ms, b.taken_on, b.size_bytes
FROM backup AS b
WHERE b.state IN ('stored', 'verifying', 'verified') AND b.lost = 0
  AND (b.place = '' OR b.place = (SELECT p.place FROM object_store_place AS p WHERE p.store = b.store));

-- And those that are not: lost, or elsewhere since their store's row leads to another place now.
CREATE VIEW backup_missing AS
SELECT b.id, b.name, b.policy, b.store, CASE b.lost WHEN 1 THEN 'lost' ELSE 'elsewhere' END AS state
FROM backup AS b
WHERE b.state IN ('stored', 'verifying', 'verified')
  AND (b.lost = 1
       OR (b.place <> '' AND b.place <> (SELECT p.place FROM object_store_place AS p WHERE p.store = b.store)));

-- Where each target stands: its newest one, the newest good one, and the last one that was verified.
CREATE VIEW backup_standing AS
SELECT t.target,
       t.policy,
       t.store,
       (SELECT max(b.id) FROM backup AS b WHERE b.policy = t.policy AND b.store = t.store) AS newest,
       (SELECT max(b.id) FROM backup_there AS b
        WHERE b.policy = t.policy AND b.store = t.store AND b.expiring = 0) AS newest_good,
       (SELECT max(b.id) FROM backup_there AS b
        WHERE b.policy = t.policy AND b.store = t.store AND b.state = 'verified' AND b.expiring = 0) AS last_verified
FROM backup_target AS t;

-- Whether a target's newest good backup is to be restored and compared: by its schedule, since it was made in place of
-- one that was none, since an older verified one could be deleted once it has been, or since somebody asks. Behind one
-- that turned out to be none only when somebody asks: what spoils one after the other may be no matter of the backups.
CREATE VIEW backup_verify_due AS
SELECT n.target,
       n.policy,
       n.store,
       n.newest_good AS id
FROM backup_standing AS n
JOIN backup_schedule AS s ON s.target = n.target
JOIN backup AS g ON g.id = n.newest_good
WHERE EXISTS (SELECT 1 FROM backup_asked AS q WHERE q.policy = n.policy AND q.store = n.store AND q.what = 'verify')
   OR (NOT EXISTS (SELECT 1 FROM backup AS b
                   WHERE b.policy = n.policy AND b.store = n.store AND b.id > n.newest_good
                     AND b.state = 'failed' AND b.stored_at_ms NOT NULL)
       AND ((s.verify_next_at_ms IS NULL AND g.state <> 'verified')
            OR s.verify_next_at_ms <= (SELECT wall_ms FROM clock)
            OR (g.state <> 'verified' AND g.reason LIKE 'in place of %')
            OR (g.state <> 'verified'
                AND EXISTS (SELECT 1 FROM backup_forgettable AS f WHERE f.policy = n.policy AND f.store = n.store))));

-- Those that take the time of this machine and of a server, or are about to.
CREATE VIEW backup_crowd AS
SELECT b.id,
       b.state IN ('running', 'verifying') AS is_under_way,
       (SELECT l.server FROM database_place AS l
        WHERE l.database = CASE WHEN b.state IN ('due', 'running') THEN b.source
                                ELSE (SELECT p.verify_database FROM backup_policy_now AS p WHERE p.name = b.policy) END)
         AS server
FROM backup AS b
WHERE b.state IN ('running', 'verifying')
   OR (b.state = 'due'
       AND (b.kind = 'home' OR (SELECT c.url FROM database_address AS c WHERE c.name = b.source) IS NOT NULL)
       AND EXISTS (SELECT 1 FROM backup_policy_now AS p WHERE p.name = b.policy AND p.enabled = 1)
       AND NOT EXISTS (SELECT 1 FROM backup AS e
                       WHERE e.policy = b.policy AND e.id <> b.id AND e.state = 'running'))
   OR (b.state = 'stored' AND b.verify_detail = ''
       AND EXISTS (SELECT 1 FROM backup_policy_now AS p WHERE p.name = b.policy AND p.verify_schedule = 'each')
       AND EXISTS (SELECT 1 FROM object_store AS o
                   WHERE o.name = b.store AND o.identity_secret || o.identity_file <> '')
       AND NOT EXISTS (SELECT 1 FROM backup AS n WHERE n.policy = b.policy AND n.store = b.store AND n.id > b.id));

-- Those that wait for others: the older ones come first, whatever their policies.
CREATE VIEW backup_crowded AS
SELECT b.id
FROM backup_crowd AS b
WHERE b.is_under_way = 0
  AND ((SELECT count(*) FROM backup_crowd AS c WHERE c.is_under_way OR c.id < b.id)
         >= COALESCE((SELECT runs FROM backup_limit), 4)
       OR (SELECT count(*) FROM backup_crowd AS c WHERE (c.is_under_way OR c.id < b.id) AND c.server = b.server)
            >= COALESCE((SELECT runs_per_server FROM backup_limit), 2));

-- What is due for each backup. What was deleted is over, and so is a failed one that is not the newest.
CREATE VIEW backup_fact AS
SELECT b.policy AS name,
       CAST(b.id AS TEXT) AS target,
       g.retry_at_ms AS due_at_ms,
       b.id,
       CASE WHEN COALESCE(o.secret, '') || COALESCE(o.identity_secret, '') || COALESCE(d.secret, '')
                   || COALESCE(v.secret, '') <> ''
              AND (SELECT state FROM seal) IS NOT 'open' THEN 'sealed'
            ELSE                                              'free' END AS hold,
       CASE
         WHEN o.name IS NULL THEN
           CASE WHEN b.state IN ('due', 'running') THEN 'lapse' ELSE 'keep' END
         -- Nothing is done to it, least of all elsewhere: it may come back.
         WHEN EXISTS (SELECT 1 FROM backup_missing AS m WHERE m.id = b.id)               THEN 'keep'
         WHEN b.expiring = 1                                                             THEN 'expire'
         -- A try that failed may have left its object for all that, or half of it: whoever wants it still or not.
         -- Until then it is shown as what it is, failed.
         WHEN b.unsettled = 1 AND g.target IS NOT NULL                                   THEN 'rest'
         WHEN b.state = 'running' OR b.unsettled = 1                                     THEN 'settle'
         WHEN b.state = 'due' THEN
           CASE WHEN p.enabled IS NOT 1 OR s.newest IS NOT b.id
                  OR (p.window_ms > 0 AND b.due_at_ms + p.window_ms < (SELECT wall_ms FROM clock)) THEN 'lapse'
                WHEN EXISTS (SELECT 1 FROM backup AS e
                             WHERE e.policy = b.policy AND e.id <> b.id AND e.state = 'running') THEN 'turn'
                WHEN b.kind = 'postgres' AND (SELECT c.url FROM database_address AS c
                                              WHERE c.name = b.source) IS NULL                THEN 'away'
                WHEN EXISTS (SELECT 1 FROM backup_crowded AS c WHERE c.id = b.id)             THEN 'crowd'
                ELSE                                                                          'run' END
         WHEN s.target IS NULL OR (b.state = 'failed' AND b.stored_at_ms IS NULL)        THEN 'keep'
         WHEN b.id < s.last_verified
           AND NOT EXISTS (SELECT 1 FROM restore_run AS u WHERE u.backup = b.id AND u.state = 'chosen')
           AND (SELECT w.state FROM backup AS w WHERE w.id = s.newest) <> 'failed'
           AND (b.state = 'failed'
                OR EXISTS (SELECT 1 FROM backup_forgettable AS f
                           WHERE f.policy = b.policy AND f.store = b.store AND f.id = b.id))
                                                                                         THEN 'expire'
         WHEN b.id = s.newest_good AND b.id = y.id                                       THEN
           CASE WHEN o.identity_secret = '' AND o.identity_file = ''                          THEN 'blind'
                WHEN EXISTS (SELECT 1 FROM scratch_dropping AS l WHERE l.backup = b.id)       THEN 'left'
                WHEN EXISTS (SELECT 1 FROM backup_crowded AS c WHERE c.id = b.id)             THEN 'crowd'
                ELSE                                                                          'verify' END
         ELSE                                                                                 'keep' END AS want
FROM backup AS b
LEFT JOIN backup_standing AS s ON s.policy = b.policy AND s.store = b.store
LEFT JOIN backup_verify_due AS y ON y.policy = b.policy AND y.store = b.store
LEFT JOIN backup_policy_now AS p ON p.name = b.policy
LEFT JOIN object_store AS o ON o.name = b.store
LEFT JOIN database AS d ON d.name = p.database
LEFT JOIN database AS v ON v.name = p.verify_database
LEFT JOIN retry_hold AS g ON g.kind = 'backup' AND g.target = CAST(b.id AS TEXT) AND g.step = 'run'
WHERE b.state <> 'expired'
UNION ALL
-- A target whose next verification, by a cron of its own, is yet to come.
SELECT s.policy, s.target, s.verify_next_at_ms - (SELECT wall_ms - now_ms FROM clock), NULL, 'free', 'sleep'
FROM backup_schedule AS s
WHERE s.verify_next_at_ms > (SELECT wall_ms FROM clock);

-- '*' stands for every value.
CREATE VIEW backup_rule (hold, want, step, reason) AS VALUES
  ('sealed', 'run',    'wait',   'the secret store is sealed: rowlock secret unseal'),
  ('sealed', 'settle', 'wait',   'the secret store is sealed: rowlock secret unseal'),
  ('sealed', 'verify', 'wait',   'the secret store is sealed: rowlock secret unseal'),
  ('sealed', 'expire', 'wait',   'the secret store is sealed: rowlock secret unseal'),
  ('free',   'run',    'run',    'its time has come'),
  ('free',   'settle', 'settle', 'what came of the last try is not known'),
  ('free',   'verify', 'verify', 'it has not been restored yet, or not lately'),
  ('free',   'expire', 'expire', 'no rule keeps it, and a newer one was verified'),
  ('*',      'rest',   'wait',   'the last try failed; tries again'),
  ('*',      'away',   'wait',   'no instance of the job of its database is healthy'),
  ('*',      'turn',   'wait',   'another run of its policy is under way'),
  ('*',      'crowd',  'wait',   'others are under way: backup_limit'),
  ('*',      'left',   'wait',   'what an earlier try left behind is being dropped'),
  ('*',      'blind',  'none',   'its store has no identity to open it with'),
  ('*',      'lapse',  'lapse',  'it is wanted no more, or its window is over'),
  ('*',      'keep',   'none',   ''),
  ('*',      'sleep',  'wait',   'the next verification is not due');

-- All that is needed to make a step.
CREATE VIEW backup_input AS
SELECT b.id AS target,
       b.name,
       b.policy,
       b.kind,
       b.source,
       b.object,
       b.reason,
       b.sha256,
       b.size_bytes,
       (SELECT id FROM home) AS home,
       CASE json_array_length(p.recipients) WHEN 0 THEN o.recipients ELSE p.recipients END AS recipients,
       p.time_zone,
       COALESCE(p.jobs, 1) AS jobs,
       CASE COALESCE(p.bytes_per_s, 0) WHEN 0 THEN o.bytes_per_s ELSE p.bytes_per_s END AS bytes_per_s,
       o.url AS store_url,
       o.endpoint,
       o.region,
       o.style,
       o.ca_file,
       o.secret AS store_secret,
       o.identity_secret,
       o.identity_key,
       o.identity_file,
       (SELECT c.url FROM database_address AS c WHERE c.name = b.source) AS database_url,
       d.secret AS database_secret,
       d.key AS database_key,
       (SELECT c.url FROM database_address AS c WHERE c.name = v.name) AS scratch_url,
       v.secret AS scratch_secret,
       v.key AS scratch_key,
       CASE b.scratch WHEN '' THEN 'rowlock_' || (SELECT id FROM home) || '_verify_' || b.id ELSE b.scratch END
         AS scratch,
       COALESCE((SELECT l.verify_folder FROM backup_limit AS l), '/var/tmp') AS verify_folder,
       COALESCE((SELECT l.verify_mb FROM backup_limit AS l), 0) AS verify_mb,
       (SELECT json_group_array(json_object('name', a.name, 'query', a.query))
        FROM backup_assertion AS a WHERE a.policy = b.policy) AS assertions,
       (SELECT json_group_array(x.object) FROM backup_exception AS x WHERE x.policy = b.policy) AS exceptions
FROM backup AS b
LEFT JOIN backup_policy_now AS p ON p.name = b.policy
LEFT JOIN object_store AS o ON o.name = b.store
LEFT JOIN database AS d ON d.name = b.source
LEFT JOIN database AS v ON v.name = p.verify_database;

-- @wake

-- Who waited for the others to end.
CREATE TEMP TRIGGER wake_backup_ended AFTER UPDATE OF state ON backup
WHEN OLD.state IN ('running', 'verifying') AND NEW.state NOT IN ('running', 'verifying') BEGIN
  INSERT INTO dirty SELECT DISTINCT policy FROM backup WHERE state IN ('due', 'stored');
END;
CREATE TEMP TRIGGER wake_backup_limit AFTER UPDATE ON backup_limit BEGIN
  INSERT INTO dirty SELECT policy FROM backup_target;
END;

CREATE TEMP TRIGGER wake_backup_seal AFTER UPDATE OF state ON seal WHEN NEW.state <> OLD.state BEGIN
  INSERT INTO dirty SELECT policy FROM backup_target;
END;

-- @begin

UPDATE backup SET state = 'stored' WHERE state = 'verifying';

-- @run backup.run

UPDATE backup
SET state         = 'running',
    started_at_ms = (SELECT wall_ms FROM clock),
    recipients    = (SELECT i.recipients FROM backup_input AS i WHERE i.target = :target)
WHERE id = :target;

INSERT INTO backup_ping (policy, what, url, since_ms)
SELECT w.policy, w.what, w.url, :now_ms FROM backup_watcher AS w
WHERE w.id = :target AND w.what = 'start' AND w.tries = 0;

-- @run backup.run.revoked

UPDATE backup SET state = 'due', started_at_ms = NULL WHERE id = :target AND state = 'running';

-- @run backup.run.done

UPDATE backup
SET state        = 'stored',
    place        = COALESCE((SELECT p.place FROM object_store_place AS p WHERE p.store = backup.store), ''),
    stored_at_ms = (SELECT wall_ms FROM clock),
    taken_at_ms  = :taken_at_ms,
    taken_on     = :taken_on,
    size_bytes   = :size_bytes,
    dump_bytes   = :dump_bytes,
    sha256       = :sha256,
    content      = :content,
    detail       = ''
WHERE id = :target;

-- A backup that is to be restored before it counts is no success yet.
INSERT INTO backup_ping (policy, what, url, since_ms)
SELECT w.policy, w.what, w.url, :now_ms FROM backup_watcher AS w
WHERE w.id = :target AND w.what = 'success' AND w.verify_schedule <> 'each';

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'backup', b.policy, b.name, 'stored',
       b.size_bytes || ' bytes in store ' || b.store || COALESCE(', ' || l.text, '')
FROM backup AS b LEFT JOIN backup_left_out AS l ON l.backup = b.id WHERE b.id = :target;

-- @run backup.run.failed

UPDATE backup SET state = 'failed', detail = :detail, unsettled = 1 WHERE id = :target;

INSERT INTO backup_ping (policy, what, url, since_ms)
SELECT w.policy, w.what, w.url, :now_ms FROM backup_watcher AS w
WHERE w.id = :target AND w.what = 'fail' AND w.tries = 1;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'backup', b.policy, b.name, 'failed', :detail
FROM backup AS b
JOIN retry AS h ON h.kind = 'backup' AND h.target = :target AND h.step = 'run' AND h.tries <= 3
WHERE b.id = :target;

-- @run backup.settle.done

-- What is visible in the store is whole: it is completed last. Its content is learned when it is verified.
UPDATE backup
SET state        = CASE :is_there WHEN 1 THEN 'stored' ELSE 'due' END,
    stored_at_ms = CASE :is_there WHEN 1 THEN (SELECT wall_ms FROM clock) END,
    taken_at_ms  = CASE :is_there WHEN 1 THEN started_at_ms END,
    taken_on     = CASE :is_there WHEN 1 THEN :taken_on END,
    size_bytes   = CASE :is_there WHEN 1 THEN :size_bytes END,
    unsettled    = 0,
    detail       = CASE :is_there WHEN 1 THEN '' ELSE detail END
WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'backup', policy, name, 'stored', 'found whole in its store' FROM backup
WHERE id = :target AND :is_there;

-- @run backup.verify

UPDATE backup SET state = 'verifying' WHERE id = :target;

INSERT INTO backup_request_heard (name, store)
SELECT q.name, q.store
FROM backup_asked AS q
JOIN backup AS b ON b.policy = q.policy AND b.store = q.store
WHERE b.id = :target AND q.what = 'verify';

-- @run backup.verify.revoked

UPDATE backup SET state = 'stored' WHERE id = :target AND state = 'verifying';

-- Whoever asked has heard nothing yet. One verification answers all that are asked for.
DELETE FROM backup_request_heard
WHERE (name, store) IN (SELECT q.name, b.store
                        FROM backup_request AS q
                        JOIN backup AS b ON b.policy = q.policy
                        WHERE b.id = :target AND q.what = 'verify');

-- @run backup.verify.done

UPDATE backup
SET state          = 'verified',
    verified_at_ms = (SELECT wall_ms FROM clock),
    restore_ms     = :restore_ms,
    sha256         = :sha256,
    content        = :content,
    taken_at_ms    = :taken_at_ms,
    verify_detail  = '',
    scratch        = '',
    recipients     = CASE recipients WHEN '' THEN :opened_by ELSE recipients END
WHERE id = :target;

DELETE FROM backup_excepted WHERE backup = :target;

INSERT OR REPLACE INTO backup_excepted (backup, exception, object, reason)
SELECT :target, value ->> 'known_as', value ->> 'object', value ->> 'reason' FROM json_each(:left_out)
WHERE value ->> 'known_as' <> '';

INSERT INTO backup_excepted (backup, exception, object, reason)
SELECT b.id, x.object, '', ''
FROM backup AS b
JOIN backup_exception AS x ON x.policy = b.policy
WHERE b.id = :target AND b.kind = 'postgres'
  AND x.object NOT IN (SELECT e.exception FROM backup_excepted AS e WHERE e.backup = b.id);

-- The time of the next one is to be worked out.
UPDATE backup_schedule
SET verify_next_at_ms = NULL, next_at_ms = NULL
WHERE verify_next_at_ms <= (SELECT wall_ms FROM clock)
  AND (policy, store) = (SELECT policy, store FROM backup WHERE id = :target);

INSERT INTO backup_ping (policy, what, url, since_ms)
SELECT w.policy, w.what, w.url, :now_ms FROM backup_watcher AS w
WHERE w.id = :target AND w.what = 'success' AND w.verify_schedule = 'each';

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'backup', policy, name, 'verified',
       'restored and compared in ' || restore_ms || ' ms'
         || COALESCE((SELECT ',' || e.said FROM backup_excepted_said AS e WHERE e.backup = backup.id), '')
FROM backup
WHERE id = :target;

-- @run backup.verify.bad

-- It does not hold what was dumped: it is none.
UPDATE backup
SET state = 'failed', detail = :detail, verify_detail = :detail
WHERE id = :target;

DELETE FROM retry WHERE kind = 'backup' AND target = :target AND step = 'verify';

INSERT INTO backup_ping (policy, what, url, since_ms)
SELECT w.policy, w.what, w.url, :now_ms FROM backup_watcher AS w
WHERE w.id = :target AND w.what = 'fail';

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'backup', policy, name, 'is no backup', :detail FROM backup WHERE id = :target;

-- @run backup.verify.unmet

-- It is what was dumped, and so it stays: what is wrong is the database, or the assertion.
UPDATE backup
SET state = 'stored', verify_detail = :detail
WHERE id = :target;

UPDATE retry SET retry_at_ms = :now_ms + 21600000 WHERE kind = 'backup' AND target = :target AND step = 'verify';

INSERT INTO backup_ping (policy, what, url, since_ms)
SELECT w.policy, w.what, w.url, :now_ms FROM backup_watcher AS w
WHERE w.id = :target AND w.what = 'fail';

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'backup', policy, name, 'verify failed', :detail FROM backup WHERE id = :target;

-- @run backup.failed

UPDATE backup
SET state         = CASE state WHEN 'verifying' THEN 'stored' ELSE state END,
    verify_detail = CASE state WHEN 'verifying' THEN :detail ELSE verify_detail END,
    detail        = CASE state WHEN 'verifying' THEN detail ELSE :detail END
WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'backup', b.policy, b.name, :step || ' failed', :detail
FROM backup AS b
JOIN retry AS h ON h.kind = 'backup' AND h.target = :target AND h.step = :step AND h.tries <= 3
WHERE b.id = :target;

-- @run backup.lapse

-- What went wrong stays to be read. There is nothing of it in the store, so nothing is to be settled.
UPDATE backup
SET state       = 'failed',
    detail      = CASE WHEN detail <> '' THEN detail
                       WHEN store NOT IN (SELECT name FROM object_store)
                         THEN 'it was not begun: store ' || store || ' has no row any more'
                       WHEN (SELECT p.enabled FROM backup_policy_now AS p WHERE p.name = policy) IS NULL
                         THEN 'it was not begun: policy ' || policy || ' has no row any more'
                       WHEN (SELECT p.enabled FROM backup_policy_now AS p WHERE p.name = policy) IS NOT 1
                         THEN 'it was not begun: policy ' || policy || ' is not enabled any more'
                       WHEN EXISTS (SELECT 1 FROM backup AS n
                                    WHERE n.policy = backup.policy AND n.store = backup.store AND n.id > backup.id)
                         THEN 'it was not begun: the next one is due already'
                       WHEN policy || '/' || store NOT IN (SELECT t.target FROM backup_target AS t)
                         THEN 'it was not begun: policy ' || policy || ' does not go to store ' || store || ' any more'
                       ELSE 'it was not begun within its window_ms' END,
    unsettled   = 0
WHERE id = :target;

-- @run backup.expire

UPDATE backup SET expiring = 1 WHERE id = :target;

-- @run backup.expire.done

-- Why one was none stays to be read.
UPDATE backup
SET detail        = CASE state WHEN 'failed' THEN verify_detail ELSE '' END,
    state         = 'expired',
    expired_at_ms = (SELECT wall_ms FROM clock),
    expiring      = 0,
    unsettled     = 0
WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'backup', policy, name, 'deleted', 'from store ' || store FROM backup WHERE id = :target;

DELETE FROM backup_excepted WHERE backup = :target;
