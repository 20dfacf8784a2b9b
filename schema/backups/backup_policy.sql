-- What is to be backed up, when, and whereto. Each policy and store is a target: it has backups of its own, a time for
-- the next one, and stands or falls by itself.

-- @kind backup_schedule
--   of:     backup_policy.name backup_schedule.policy 'home'
--   state:  off unset open unseen due later gone
--   retry:  1 min to 1 h

-- @desired

CREATE TABLE backup_policy (
  name            TEXT PRIMARY KEY NOT NULL
                  CONSTRAINT "backup_policy.name must be 1 to 40 of a-z, 0-9 and '-', and begin with a letter or digit"
                  CHECK (name GLOB '[a-z0-9]*' AND name NOT GLOB '*[^a-z0-9-]*' AND length(name) <= 40),
  kind            TEXT NOT NULL DEFAULT 'postgres'   -- a database, or this home itself
                  CONSTRAINT "backup_policy.kind must be 'postgres' or 'home'" CHECK (kind IN ('postgres', 'home')),
  database        TEXT NOT NULL DEFAULT '',          -- of kind postgres: the row of database
  store           TEXT NOT NULL,
  second_store    TEXT NOT NULL DEFAULT '',          -- another copy, dumped for itself; '': none
  enabled         INTEGER NOT NULL DEFAULT 1
                  CONSTRAINT "backup_policy.enabled must be 1 or 0" CHECK (enabled IN (0, 1)),
  schedule        TEXT NOT NULL DEFAULT '30 2 * * *' -- five fields of cron, or @daily and the like
                  CONSTRAINT "backup_policy.schedule must be five fields such as '30 2 * * *', or '@daily'"
                  CHECK (schedule GLOB '@[a-z]*' OR schedule GLOB '?* ?* ?* ?* ?*'),
  time_zone       TEXT NOT NULL DEFAULT 'UTC'        -- Europe/Berlin …
                  CONSTRAINT "backup_policy.time_zone must be like 'Europe/Berlin' or 'UTC'"
                  CHECK (time_zone GLOB '[A-Z]*' AND time_zone NOT GLOB '*[^A-Za-z0-9_/+-]*'),
  window_ms       INTEGER NOT NULL DEFAULT 0         -- a run begins within this after its time; 0: whenever it can
                  CONSTRAINT "backup_policy.window_ms must be a whole number of milliseconds, 0 for no end"
                  CHECK (typeof(window_ms) = 'integer' AND window_ms >= 0),
  jitter_ms       INTEGER NOT NULL DEFAULT 0         -- begins up to so much later, each policy by another time
                  CONSTRAINT "backup_policy.jitter_ms must be a whole number of milliseconds, 0 to one day"
                  CHECK (typeof(jitter_ms) = 'integer' AND jitter_ms BETWEEN 0 AND 86400000),
  recipients      TEXT NOT NULL DEFAULT '[]'         -- who can read it; '[]': as its store says
                  CONSTRAINT "backup_policy.recipients must be a JSON array of age recipients, such as '[""age1…""]'"
                  CHECK (json_valid(recipients) AND json_type(recipients) = 'array'),
  jobs            INTEGER NOT NULL DEFAULT 1         -- so many tables are dumped at the same time, by as many
                                                     -- sessions and three more
                  CONSTRAINT "backup_policy.jobs must be a whole number, 1 to 16"
                  CHECK (typeof(jobs) = 'integer' AND jobs BETWEEN 1 AND 16),
  bytes_per_s     INTEGER NOT NULL DEFAULT 0         -- of its uploads on average; 0: as its store says
                  CONSTRAINT "backup_policy.bytes_per_s must be a whole number, 0 for no limit"
                  CHECK (typeof(bytes_per_s) = 'integer' AND bytes_per_s >= 0),
  -- What is kept, as restic has it: the newest of each of so many days …; 0: the rule is not used, -1: of all of them.
  -- Without any rule everything is kept.
  keep_last       INTEGER NOT NULL DEFAULT 0,
  keep_daily      INTEGER NOT NULL DEFAULT 7,
  keep_weekly     INTEGER NOT NULL DEFAULT 5,
  keep_monthly    INTEGER NOT NULL DEFAULT 12,
  keep_yearly     INTEGER NOT NULL DEFAULT 0,
  keep_within_ms  INTEGER NOT NULL DEFAULT 0,        -- all that are so much older than the newest at most
  verify_schedule TEXT NOT NULL DEFAULT 'each'       -- 'each': every backup once it is stored; else as schedule
                  CONSTRAINT "backup_policy.verify_schedule must be 'each', or five fields such as '0 5 * * 0'"
                  CHECK (verify_schedule = 'each' OR verify_schedule GLOB '@[a-z]*'
                         OR verify_schedule GLOB '?* ?* ?* ?* ?*'),
  verify_database TEXT NOT NULL DEFAULT '',          -- on whose server it is restored to see; '': on one of Rowlock's
                                                     -- own, on this machine, that is there for so long
  rpo_ms          INTEGER NOT NULL DEFAULT 93600000  -- late when the last good one is older (26 h)
                  CONSTRAINT "backup_policy.rpo_ms must be a whole number of milliseconds over 0"
                  CHECK (typeof(rpo_ms) = 'integer' AND rpo_ms > 0),
  rto_ms          INTEGER NOT NULL DEFAULT 1800000   -- how long a restore may take (30 min)
                  CONSTRAINT "backup_policy.rto_ms must be a whole number of milliseconds over 0"
                  CHECK (typeof(rto_ms) = 'integer' AND rto_ms > 0),
  unverified_ms   INTEGER NOT NULL DEFAULT 691200000 -- failed when the last verified one is older (8 days)
                  CONSTRAINT "backup_policy.unverified_ms must be a whole number of milliseconds over 0"
                  CHECK (typeof(unverified_ms) = 'integer' AND unverified_ms > 0),
  -- Asked with GET, for a watcher elsewhere that raises the alarm when it hears nothing.
  ping_start      TEXT NOT NULL DEFAULT ''
                  CONSTRAINT "backup_policy.ping_start must be a URL of http or https"
                  CHECK (ping_start = '' OR ping_start GLOB 'http://?*' OR ping_start GLOB 'https://?*'),
  ping_success    TEXT NOT NULL DEFAULT ''
                  CONSTRAINT "backup_policy.ping_success must be a URL of http or https"
                  CHECK (ping_success = '' OR ping_success GLOB 'http://?*' OR ping_success GLOB 'https://?*'),
  ping_fail       TEXT NOT NULL DEFAULT ''
                  CONSTRAINT "backup_policy.ping_fail must be a URL of http or https"
                  CHECK (ping_fail = '' OR ping_fail GLOB 'http://?*' OR ping_fail GLOB 'https://?*'),
  CONSTRAINT "backup_policy.keep_… must be whole numbers: 0 not to use the rule, -1 for all"
  CHECK (typeof(keep_last) = 'integer' AND keep_last >= -1 AND typeof(keep_daily) = 'integer' AND keep_daily >= -1
         AND typeof(keep_weekly) = 'integer' AND keep_weekly >= -1 AND typeof(keep_monthly) = 'integer'
         AND keep_monthly >= -1 AND typeof(keep_yearly) = 'integer' AND keep_yearly >= -1
         AND typeof(keep_within_ms) = 'integer' AND keep_within_ms >= 0)
);

-- How much of it all happens at a time, whatever the schedules say. One row at most; without one, the defaults.
CREATE TABLE backup_limit (
  name            TEXT PRIMARY KEY NOT NULL DEFAULT 'limits'
                  CONSTRAINT "backup_limit.name must be 'limits': there is one for each home" CHECK (name = 'limits'),
  runs            INTEGER NOT NULL DEFAULT 4         -- that back up or verify at a time, on this machine
                  CONSTRAINT "backup_limit.runs must be a whole number, 1 to 100"
                  CHECK (typeof(runs) = 'integer' AND runs BETWEEN 1 AND 100),
  runs_per_server INTEGER NOT NULL DEFAULT 2         -- and of the databases of one server
                  CONSTRAINT "backup_limit.runs_per_server must be a whole number, 1 to 100"
                  CHECK (typeof(runs_per_server) = 'integer' AND runs_per_server BETWEEN 1 AND 100),
  verify_folder   TEXT NOT NULL DEFAULT '/var/tmp'   -- on this machine: where Rowlock's own servers have their files
                  CONSTRAINT "backup_limit.verify_folder must be an absolute path of at most 60 bytes, like '/var/tmp'"
                  CHECK (verify_folder GLOB '/?*' AND verify_folder NOT GLOB '*/' AND length(verify_folder) <= 60),
  verify_mb       INTEGER NOT NULL DEFAULT 0         -- that each of them may hold; 0: what the disk has, but for a
                                                     -- twentieth
                  CONSTRAINT "backup_limit.verify_mb must be a whole number, 0 for no bound"
                  CHECK (typeof(verify_mb) = 'integer' AND verify_mb >= 0)
);

-- What must be true of a backup that was restored, beside being equal to what was dumped.
CREATE TABLE backup_assertion (
  policy TEXT NOT NULL,
  name   TEXT NOT NULL,
  query  TEXT NOT NULL       -- its first cell must be true: SELECT count(*) > 100 FROM pupil
         CONSTRAINT "backup_assertion.query must be a SELECT that answers true or false"
         CHECK (ltrim(query, ' ' || char(9, 10, 13)) LIKE 'SELECT%'
                OR ltrim(query, ' ' || char(9, 10, 13)) LIKE 'WITH%'),
  PRIMARY KEY (policy, name)
);

-- Something that is wanted now, once: an INSERT asks for it.
CREATE TABLE backup_request (
  name   TEXT PRIMARY KEY NOT NULL,   -- any, never used before
  policy TEXT NOT NULL,
  what   TEXT NOT NULL DEFAULT 'backup'
         CONSTRAINT "backup_request.what must be 'backup' or 'verify'" CHECK (what IN ('backup', 'verify'))
);

-- @once backup_request

-- @observed

-- When a target is due.
CREATE TABLE backup_schedule (
  target             TEXT PRIMARY KEY NOT NULL,      -- POLICY/STORE
  policy             TEXT NOT NULL,
  store              TEXT NOT NULL,
  rule               TEXT NOT NULL DEFAULT '',       -- what this was worked out by: schedule and time zone
  next_at_ms         INTEGER,                        -- NULL: to be worked out
  next_text          TEXT NOT NULL DEFAULT '',       -- in its zone: 2026-11-26 02:30 CET
  verify_next_at_ms  INTEGER,                        -- NULL: each one is verified, or it is to be worked out
  since_ms           INTEGER NOT NULL                -- known since
);
CREATE INDEX backup_schedule_by_policy ON backup_schedule (policy);

-- A request that was heard, for each store.
CREATE TABLE backup_request_heard (
  name  TEXT NOT NULL,
  store TEXT NOT NULL,
  PRIMARY KEY (name, store)
);

-- @views

-- The policies in force: the rows, and one for this home itself as soon as there is a store, unless a row speaks of it.
CREATE VIEW backup_policy_now AS
SELECT name, kind, database, store, second_store, enabled, schedule, time_zone, window_ms, jitter_ms, recipients,
       jobs, bytes_per_s, keep_last, keep_daily, keep_weekly, keep_monthly, keep_yearly, keep_within_ms,
       verify_schedule, verify_database, rpo_ms, rto_ms, unverified_ms, ping_start, ping_success, ping_fail
FROM backup_policy
UNION ALL
SELECT 'home', 'home', '',
       -- Where they went before: no other store takes them over by its name.
       COALESCE((SELECT h.store FROM backup_schedule AS h
                 WHERE h.policy = 'home' AND h.store IN (SELECT name FROM object_store)
                 ORDER BY h.since_ms, h.store LIMIT 1), (SELECT min(name) FROM object_store)),
       '', 1, '10 3 * * *', 'UTC', 0, 0, '[]',
       1, 0, 0, 7, 5, 12, 0, 0, 'each',
       '', 93600000, 1800000, 691200000, '', '', ''
WHERE EXISTS (SELECT 1 FROM object_store) AND NOT EXISTS (SELECT 1 FROM backup_policy WHERE kind = 'home');

CREATE VIEW backup_target AS
SELECT p.name || '/' || p.store AS target, p.name AS policy, p.store, p.kind, p.database AS source, p.enabled,
       json_array(p.schedule, p.verify_schedule, p.time_zone, p.jitter_ms) AS rule
FROM backup_policy_now AS p
UNION ALL
SELECT p.name || '/' || p.second_store, p.name, p.second_store, p.kind, p.database, p.enabled,
       json_array(p.schedule, p.verify_schedule, p.time_zone, p.jitter_ms)
FROM backup_policy AS p
WHERE p.second_store <> '';

CREATE VIEW backup_policy_violation AS
SELECT 'backup_policy' AS table_name,
       p.name AS row_key,
       'backup_policy ' || p.name || ' names the database ''' || p.database || ''', which has no row: INSERT INTO '
         || 'database' AS message
FROM backup_policy AS p
WHERE p.kind = 'postgres' AND p.database NOT IN (SELECT name FROM database)
UNION ALL
SELECT 'backup_policy', p.name, 'backup_policy ' || p.name || ' is of kind home, which has no database: leave it empty'
FROM backup_policy AS p
WHERE p.kind = 'home' AND (p.database <> '' OR p.verify_database <> '')
UNION ALL
SELECT 'backup_policy', p.name, 'backup_policy home must be of kind home, or have another name'
FROM backup_policy AS p
WHERE p.kind <> 'home' AND p.name = 'home'
UNION ALL
SELECT 'backup_policy', p.name,
       'backup_policy ' || p.name || ' is verified on the server of database ''' || p.verify_database
         || ''', which has no row: INSERT INTO database'
FROM backup_policy AS p
WHERE p.verify_database <> '' AND p.verify_database NOT IN (SELECT name FROM database)
UNION ALL
SELECT 'backup_policy', p.name,
       'backup_policy ' || p.name || ' goes to store ''' || s.store || ''', which has no row: INSERT INTO object_store'
FROM backup_policy AS p
JOIN (SELECT name, store FROM backup_policy UNION ALL SELECT name, second_store FROM backup_policy
      WHERE second_store <> '') AS s ON s.name = p.name
WHERE s.store NOT IN (SELECT name FROM object_store)
UNION ALL
SELECT 'backup_policy', p.name, 'backup_policy ' || p.name || ' names one store twice: leave second_store empty'
FROM backup_policy AS p
WHERE p.second_store = p.store
UNION ALL
SELECT 'backup_policy', p.name,
       'backup_policy ' || p.name || ' has nobody who could read its backups: give recipients to it, or to store '
         || o.name
FROM backup_policy AS p
JOIN object_store AS o ON o.name IN (p.store, p.second_store)
WHERE json_array_length(p.recipients) = 0 AND json_array_length(o.recipients) = 0
UNION ALL
SELECT 'backup_policy', p.name,
       'backup_policy ' || p.name || ' has an item in recipients that is no age recipient: write age1…, as age-keygen '
         || 'prints it'
FROM backup_policy AS p
WHERE EXISTS (SELECT 1 FROM json_each(p.recipients) AS r WHERE r.type <> 'text' OR r.value NOT GLOB 'age1?*')
UNION ALL
SELECT 'backup_assertion', a.policy || '/' || a.name,
       'backup_assertion ' || a.name || ' is for backup_policy ''' || a.policy
         || ''', of which there is no row of kind postgres'
FROM backup_assertion AS a
WHERE a.policy NOT IN (SELECT name FROM backup_policy WHERE kind = 'postgres')
UNION ALL
SELECT 'backup_request', q.name,
       'backup_request ' || q.name || ' is for backup_policy ''' || q.policy || ''', which has no row'
FROM backup_request AS q
WHERE q.policy NOT IN (SELECT name FROM backup_policy_now)
  AND q.name NOT IN (SELECT name FROM backup_request_heard)
UNION ALL
SELECT 'backup_request', q.name,
       'backup_request ' || q.name || ' is for backup_policy ' || q.policy || ', which is not enabled: set its enabled '
         || 'to 1'
FROM backup_request AS q
JOIN backup_policy_now AS p ON p.name = q.policy AND p.enabled = 0
WHERE q.what = 'backup' AND q.name NOT IN (SELECT name FROM backup_request_heard);

-- A request that a target has yet to hear.
CREATE VIEW backup_asked AS
SELECT q.name, q.policy, t.store, q.what
FROM backup_request AS q
JOIN backup_target AS t ON t.policy = q.policy
WHERE NOT EXISTS (SELECT 1 FROM backup_request_heard AS h WHERE h.name = q.name AND h.store = t.store);

-- A target's newest one that turned out to be none, or is not there any more: another is made at once. When that one is
-- none either, more of them would not be: it is left to the schedule.
CREATE VIEW backup_to_replace AS
SELECT n.target, b.name
FROM backup_standing AS n
JOIN backup AS b ON b.id = n.newest
WHERE ((b.state = 'failed' AND b.stored_at_ms IS NOT NULL) OR b.id IN (SELECT m.id FROM backup_missing AS m))
  AND b.reason NOT LIKE 'in place of %';

-- What is due for each target.
CREATE VIEW backup_schedule_fact AS
SELECT t.policy AS name,
       t.target,
       s.next_at_ms - (SELECT wall_ms - now_ms FROM clock) AS due_at_ms,
       CASE WHEN t.enabled = 0                                                                   THEN 'off'
            WHEN s.rule IS NOT t.rule OR s.next_at_ms IS NULL                                    THEN 'unset'
            WHEN EXISTS (SELECT 1 FROM backup AS b
                         WHERE b.policy = t.policy AND b.store = t.store AND b.state IN ('due', 'running'))
              THEN 'open'
            -- It may hold backups that no row speaks of, when the home was recovered.
            WHEN NOT EXISTS (SELECT 1 FROM object_store_state AS o JOIN clock AS c
                             WHERE o.store = t.store AND o.seen_at_ms >= c.started_at_ms)        THEN 'unseen'
            WHEN EXISTS (SELECT 1 FROM backup_asked AS q
                         WHERE q.policy = t.policy AND q.store = t.store AND q.what = 'backup')  THEN 'due'
            WHEN NOT EXISTS (SELECT 1 FROM backup AS b WHERE b.policy = t.policy AND b.store = t.store)
              THEN 'due'
            WHEN EXISTS (SELECT 1 FROM backup_to_replace AS b WHERE b.target = t.target)        THEN 'due'
            WHEN s.next_at_ms <= (SELECT wall_ms FROM clock)                                     THEN 'due'
            ELSE                                                                                      'later'
            END AS state
FROM backup_target AS t
LEFT JOIN backup_schedule AS s ON s.target = t.target
UNION ALL
SELECT s.policy, s.target, NULL, 'gone'
FROM backup_schedule AS s
WHERE s.target NOT IN (SELECT target FROM backup_target);

CREATE VIEW backup_schedule_rule (state, step, reason) AS VALUES
  ('off',    'none',     'it is not enabled'),
  ('unset',  'schedule', 'when the next one is due is not known'),
  ('open',   'none',     'a backup is under way'),
  ('unseen', 'wait',     'its store was not looked at yet'),
  ('due',    'begin',    'its time has come'),
  ('later',  'wait',     'its time has not come'),
  ('gone',   'forget',   'the policy does not name this store any more');

CREATE VIEW backup_schedule_input AS
SELECT t.target, p.schedule, p.verify_schedule, p.time_zone, (SELECT wall_ms FROM clock) AS after_ms
FROM backup_target AS t
JOIN backup_policy_now AS p ON p.name = t.policy;

-- @wake

-- What a run is made from: who waits after it was rejected is tried again.
CREATE TEMP TRIGGER wake_backup_assertion_insert AFTER INSERT ON backup_assertion BEGIN
  INSERT INTO dirty VALUES (NEW.policy);
END;
CREATE TEMP TRIGGER wake_backup_assertion_update AFTER UPDATE ON backup_assertion BEGIN
  INSERT INTO dirty VALUES (NEW.policy);
END;
CREATE TEMP TRIGGER wake_backup_assertion_delete AFTER DELETE ON backup_assertion BEGIN
  INSERT INTO dirty VALUES (OLD.policy);
END;
CREATE TEMP TRIGGER wake_backup_secret_insert AFTER INSERT ON secret BEGIN
  INSERT INTO dirty SELECT name FROM object_store WHERE NEW.path IN (secret, identity_secret);
  INSERT INTO dirty SELECT t.policy FROM backup_target AS t
  WHERE t.store IN (SELECT name FROM object_store WHERE NEW.path IN (secret, identity_secret))
     OR t.source IN (SELECT name FROM database WHERE secret = NEW.path);
END;
CREATE TEMP TRIGGER wake_backup_secret_update AFTER UPDATE OF current_version ON secret BEGIN
  INSERT INTO dirty SELECT name FROM object_store WHERE NEW.path IN (secret, identity_secret);
  INSERT INTO dirty SELECT t.policy FROM backup_target AS t
  WHERE t.store IN (SELECT name FROM object_store WHERE NEW.path IN (secret, identity_secret))
     OR t.source IN (SELECT name FROM database WHERE secret = NEW.path);
END;
CREATE TEMP TRIGGER wake_backup_home_insert AFTER INSERT ON backup_policy BEGIN INSERT INTO dirty VALUES ('home'); END;
CREATE TEMP TRIGGER wake_backup_home_update AFTER UPDATE ON backup_policy BEGIN INSERT INTO dirty VALUES ('home'); END;
CREATE TEMP TRIGGER wake_backup_home_delete AFTER DELETE ON backup_policy BEGIN INSERT INTO dirty VALUES ('home'); END;
CREATE TEMP TRIGGER wake_backup_request_insert AFTER INSERT ON backup_request BEGIN
  INSERT INTO dirty VALUES (NEW.policy);
END;

-- A wall clock that was ahead has worked out moments that are far away now.
CREATE TEMP TRIGGER backup_schedule_set_back AFTER UPDATE OF wall_ms ON clock
WHEN NEW.wall_ms < OLD.wall_ms - 1000
  OR (NEW.boot = OLD.boot AND NEW.wall_ms - NEW.boot_ms < OLD.wall_ms - OLD.boot_ms - 1000) BEGIN
  UPDATE backup_schedule SET next_at_ms = NULL;
END;

-- @run backup_schedule.schedule

INSERT OR IGNORE INTO backup_schedule (target, policy, store, since_ms)
SELECT target, policy, store, (SELECT wall_ms FROM clock) FROM backup_target WHERE target = :target;

-- Which times of verifying are over stays known when only the next backup is worked out.
UPDATE backup_schedule
SET rule       = (SELECT t.rule FROM backup_target AS t WHERE t.target = backup_schedule.target),
    next_at_ms = NULL
WHERE target = :target;

-- @run backup_schedule.schedule.done

-- The jitter of a target is always the same, as far from that of others as its number goes.
UPDATE backup_schedule
SET next_at_ms        = :next_at_ms
                        + (rowid * 2654435761)
                            % (COALESCE((SELECT p.jitter_ms FROM backup_policy_now AS p
                                         WHERE p.name = backup_schedule.policy), 0) + 1),
    next_text         = :next_text
                        || COALESCE((SELECT ' and up to ' || ((p.jitter_ms + 59999) / 60000) || ' min later'
                                     FROM backup_policy_now AS p
                                     WHERE p.name = backup_schedule.policy AND p.jitter_ms > 0), ''),
    verify_next_at_ms = CASE WHEN :verify_next_at_ms IS NULL              THEN NULL
                             WHEN verify_next_at_ms <= :verify_next_at_ms THEN verify_next_at_ms
                             ELSE                                              :verify_next_at_ms END
WHERE target = :target;

-- @run backup_schedule.schedule.failed

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'backup', h.name, h.target, 'cannot be scheduled', :detail
FROM retry AS h
WHERE h.kind = 'backup_schedule' AND h.target = :target AND h.tries = 1;

-- @run backup_schedule.begin

INSERT INTO backup (name, policy, store, kind, source, object, reason, due_at_ms)
SELECT n.name, n.policy, n.store, n.kind, n.source,
       (SELECT id FROM home) || '/' || n.policy || '/' || n.name || '.tar.zst.age', n.reason, n.due_at_ms
FROM (SELECT t.policy || '-' || strftime('%Y%m%dT%H%M%SZ', (SELECT wall_ms FROM clock) / 1000, 'unixepoch') || '-'
               || (COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'backup'), 0) + 1) AS name,
             t.policy, t.store, t.kind, t.source,
             COALESCE((SELECT 'asked for: ' || min(q.name) FROM backup_asked AS q
                       WHERE q.policy = t.policy AND q.store = t.store AND q.what = 'backup'),
                      CASE WHEN NOT EXISTS (SELECT 1 FROM backup AS b WHERE b.policy = t.policy AND b.store = t.store)
                             THEN 'the first one'
                           ELSE COALESCE((SELECT 'in place of ' || b.name FROM backup_to_replace AS b
                                          WHERE b.target = t.target), 'scheduled') END) AS reason,
             min(s.next_at_ms, (SELECT wall_ms FROM clock)) AS due_at_ms
      FROM backup_target AS t
      JOIN backup_schedule AS s ON s.target = t.target
      WHERE t.target = :target) AS n;

-- A request does not move the times of the schedule; what is over by now is made up for by this one.
UPDATE backup_schedule SET next_at_ms = NULL WHERE target = :target AND next_at_ms <= (SELECT wall_ms FROM clock);

INSERT INTO backup_request_heard (name, store)
SELECT q.name, q.store
FROM backup_asked AS q
JOIN backup_target AS t ON t.policy = q.policy AND t.store = q.store
WHERE t.target = :target AND q.what = 'backup';

-- @run backup_schedule.forget

DELETE FROM backup_schedule WHERE target = :target;
