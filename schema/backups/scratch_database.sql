-- Databases into which a backup was restored, to verify it or for good, and that are left on their server: Rowlock was
-- killed, and the row that would have dropped them is gone, or the home was recovered as it was before. The look at
-- their server (database.sql) finds them by their names, rowlock_HOME_verify_N and rowlock_HOME_restore_NAME, which
-- tell one home's from another's.

-- @kind scratch_database
--   of:     scratch_database.database
--   hold:   sealed away free
--   state:  used left gone
--   retry:  10 s to 5 min

-- @observed

-- One that was found when no run under way had to do with it. It goes when it was dropped, or could not be: the next
-- look finds it again.
CREATE TABLE scratch_database (
  target   TEXT PRIMARY KEY NOT NULL,   -- DATABASE/NAME
  database TEXT NOT NULL,               -- the row of database by which it was found
  name     TEXT NOT NULL,               -- what its server calls it
  backup   INTEGER,                     -- the number of the backup that was verified in it,
  restore  TEXT                         -- or the name of the restore that made it
);
CREATE INDEX scratch_database_by_database ON scratch_database (database);
CREATE INDEX scratch_database_by_backup ON scratch_database (backup);
CREATE INDEX scratch_database_by_restore ON scratch_database (restore);

-- @views

-- Those that are being dropped now: a run of the same name begins afterwards.
CREATE VIEW scratch_dropping AS
SELECT s.target, s.backup, s.restore
FROM scratch_database AS s
CROSS JOIN attempt AS a ON a.kind = 'scratch_database' AND a.target = s.target AND a.finished_at_ms IS NULL;

CREATE VIEW scratch_database_fact AS
SELECT s.database AS name,
       s.target,
       NULL AS due_at_ms,
       CASE WHEN d.secret <> '' AND (SELECT state FROM seal) IS NOT 'open'               THEN 'sealed'
            WHEN (SELECT c.url FROM database_address AS c WHERE c.name = d.name) IS NULL THEN 'away'
            ELSE                                                                              'free' END AS hold,
       CASE WHEN d.name IS NULL THEN 'gone'
            -- A run of that name has begun since.
            WHEN EXISTS (SELECT 1 FROM backup AS b WHERE b.id = s.backup AND b.state = 'verifying') THEN 'used'
            WHEN EXISTS (SELECT 1 FROM restore_run AS u
                         WHERE u.restore = s.restore AND u.state IN ('chosen', 'restored', 'discarding')) THEN 'used'
            ELSE 'left' END AS state
FROM scratch_database AS s
LEFT JOIN database AS d ON d.name = s.database;

-- '*' stands for every value.
CREATE VIEW scratch_database_rule (hold, state, step, reason) AS VALUES
  ('sealed', 'left', 'wait',   'the secret store is sealed: rowlock secret unseal'),
  ('away',   'left', 'wait',   'no instance of the job of its database is healthy'),
  ('free',   'left', 'drop',   'no run has to do with it any more'),
  ('*',      'used', 'forget', 'a run of its name is under way'),
  ('*',      'gone', 'forget', 'the row of database was deleted');

CREATE VIEW scratch_database_input AS
SELECT s.target,
       s.name,
       (SELECT c.url FROM database_address AS c WHERE c.name = d.name) AS server_url,
       d.secret AS server_secret,
       d.key AS server_key
FROM scratch_database AS s
JOIN database AS d ON d.name = s.database;

CREATE VIEW scratch_database_why AS
SELECT 'scratch_database' AS kind, h.name, h.target,
       'database ' || substr(h.target, instr(h.target, '/') + 1) || ' on the server of database ' || h.name
         || ' was left behind by a run, and cannot be dropped: ' || h.detail AS reason,
       h.since_ms
FROM retry AS h
WHERE h.kind = 'scratch_database';

-- @wake

CREATE TEMP TRIGGER wake_scratch_database_gone AFTER DELETE ON scratch_database BEGIN
  INSERT INTO dirty SELECT policy FROM backup WHERE id = OLD.backup;
  INSERT INTO dirty SELECT name FROM restore WHERE name = OLD.restore;
END;
CREATE TEMP TRIGGER wake_scratch_database_seal AFTER UPDATE OF state ON seal WHEN NEW.state <> OLD.state BEGIN
  INSERT INTO dirty SELECT database FROM scratch_database;
END;

-- @run scratch_database.drop.done

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'scratch_database', s.database, s.name, 'dropped', 'a run that was cut off had left it behind'
FROM scratch_database AS s
WHERE s.target = :target AND :was_there;

DELETE FROM scratch_database WHERE target = :target;

-- @run scratch_database.drop.failed

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'scratch_database', s.database, s.name, 'drop failed', :detail
FROM scratch_database AS s
JOIN retry AS h ON h.kind = 'scratch_database' AND h.target = s.target AND h.tries <= 3
WHERE s.target = :target;

DELETE FROM scratch_database WHERE target = :target;

-- @run scratch_database.forget

DELETE FROM scratch_database WHERE target = :target;
