-- How much is kept of what Rowlock writes down, and for how long: what happened (event), the steps it made (attempt),
-- every change of desired.db (change, and once they are old change_pack), who asked for which secret (audit), and the
-- rows of backups that are gone. Each has a bound by age; what is many, one by number for each name, so that one job
-- that flaps pushes out nobody else's events, and one for all of them together.
--
-- Nothing here takes a whole table at once: every few seconds a slice of the rows that have come since is looked at,
-- and a slice of those that are too old or too many goes.

-- @desired

-- One row at most; without one, everything is as the defaults say.
CREATE TABLE retention (
  name              TEXT PRIMARY KEY NOT NULL DEFAULT 'retention'
                    CONSTRAINT "retention.name must be 'retention': there is one for each home"
                    CHECK (name = 'retention'),
  event_days        INTEGER NOT NULL DEFAULT 90        -- what happened: so long,
                    CONSTRAINT "retention.event_days must be a whole number of days, 1 to 3650"
                    CHECK (typeof(event_days) = 'integer' AND event_days BETWEEN 1 AND 3650),
  events_per_name   INTEGER NOT NULL DEFAULT 1000      -- and so many of each name
                    CONSTRAINT "retention.events_per_name must be a whole number, 10 to 100000"
                    CHECK (typeof(events_per_name) = 'integer' AND events_per_name BETWEEN 10 AND 100000),
  events_max        INTEGER NOT NULL DEFAULT 200000    -- and of all names together
                    CONSTRAINT "retention.events_max must be a whole number, 1000 to 10000000"
                    CHECK (typeof(events_max) = 'integer' AND events_max BETWEEN 1000 AND 10000000),
  attempt_days      INTEGER NOT NULL DEFAULT 30        -- steps that have ended: so long,
                    CONSTRAINT "retention.attempt_days must be a whole number of days, 1 to 3650"
                    CHECK (typeof(attempt_days) = 'integer' AND attempt_days BETWEEN 1 AND 3650),
  attempts_per_name INTEGER NOT NULL DEFAULT 200       -- and so many of each name
                    CONSTRAINT "retention.attempts_per_name must be a whole number, 10 to 100000"
                    CHECK (typeof(attempts_per_name) = 'integer' AND attempts_per_name BETWEEN 10 AND 100000),
  attempts_max      INTEGER NOT NULL DEFAULT 100000    -- and of all names together
                    CONSTRAINT "retention.attempts_max must be a whole number, 1000 to 10000000"
                    CHECK (typeof(attempts_max) = 'integer' AND attempts_max BETWEEN 1000 AND 10000000),
  change_days       INTEGER NOT NULL DEFAULT 7         -- changes of desired.db: so long as rows of their own,
                    CONSTRAINT "retention.change_days must be a whole number of days, 1 to 3650"
                    CHECK (typeof(change_days) = 'integer' AND change_days BETWEEN 1 AND 3650),
  changes_max       INTEGER NOT NULL DEFAULT 100000    -- so many of those at most,
                    CONSTRAINT "retention.changes_max must be a whole number, 1000 to 10000000"
                    CHECK (typeof(changes_max) = 'integer' AND changes_max BETWEEN 1000 AND 10000000),
  history_days      INTEGER NOT NULL DEFAULT 400       -- and so long at all, those of a day in one row
                    CONSTRAINT "retention.history_days must be a whole number of days, 1 to 36500"
                    CHECK (typeof(history_days) = 'integer' AND history_days BETWEEN 1 AND 36500),
  audit_lines       INTEGER NOT NULL DEFAULT 10000     -- of the audit log stand in audit; older ones in segments
                    CONSTRAINT "retention.audit_lines must be a whole number, 0 to 10000000"
                    CHECK (typeof(audit_lines) = 'integer' AND audit_lines BETWEEN 0 AND 10000000),
  audit_days        INTEGER NOT NULL DEFAULT 400       -- and those for so long
                    CONSTRAINT "retention.audit_days must be a whole number of days, 1 to 36500"
                    CHECK (typeof(audit_days) = 'integer' AND audit_days BETWEEN 1 AND 36500),
  -- backups whose object is gone, and those that came to nothing: how long it is known that there was one
  backup_days       INTEGER NOT NULL DEFAULT 400
                    CONSTRAINT "retention.backup_days must be a whole number of days, 1 to 3650"
                    CHECK (typeof(backup_days) = 'integer' AND backup_days BETWEEN 1 AND 3650)
);

-- @observed

-- How far the bounds are looked after, for each table that has some by name. The number is kept right by the triggers
-- below, and counted anew at each start.
CREATE TABLE trimmed (
  table_name TEXT PRIMARY KEY NOT NULL,
  looked_to  INTEGER NOT NULL DEFAULT 0,        -- names that have rows after this id may have too many
  rows       INTEGER NOT NULL DEFAULT 0         -- that the table has now
);

-- @views

-- The settings in force, row or none.
CREATE VIEW retention_setting AS
SELECT COALESCE((SELECT event_days FROM retention), 90)             AS event_days,
       COALESCE((SELECT events_per_name FROM retention), 1000)      AS events_per_name,
       COALESCE((SELECT events_max FROM retention), 200000)         AS events_max,
       COALESCE((SELECT attempt_days FROM retention), 30)           AS attempt_days,
       COALESCE((SELECT attempts_per_name FROM retention), 200)     AS attempts_per_name,
       COALESCE((SELECT attempts_max FROM retention), 100000)       AS attempts_max,
       COALESCE((SELECT change_days FROM retention), 7)             AS change_days,
       COALESCE((SELECT changes_max FROM retention), 100000)        AS changes_max,
       COALESCE((SELECT history_days FROM retention), 400)          AS history_days,
       COALESCE((SELECT audit_lines FROM retention), 10000)         AS audit_lines,
       COALESCE((SELECT audit_days FROM retention), 400)            AS audit_days,
       COALESCE((SELECT backup_days FROM retention), 400)           AS backup_days;

CREATE VIEW retention_metric AS
SELECT 'rowlock_rows' AS name, 'Rows that are kept of what happened.' AS help, 'gauge' AS type,
       json_object('table', t.table_name) AS labels, t.rows AS value
FROM trimmed AS t;

-- @fill

INSERT OR IGNORE INTO trimmed (table_name) VALUES ('event'), ('attempt');
-- All of it, once for each start.
UPDATE trimmed
SET rows = CASE table_name WHEN 'event' THEN (SELECT count(*) FROM event) ELSE (SELECT count(*) FROM attempt) END;

-- @wake

CREATE TEMP TRIGGER event_come AFTER INSERT ON event BEGIN
  UPDATE trimmed SET rows = rows + 1 WHERE table_name = 'event';
END;
CREATE TEMP TRIGGER event_gone AFTER DELETE ON event BEGIN
  UPDATE trimmed SET rows = rows - 1 WHERE table_name = 'event';
END;
CREATE TEMP TRIGGER attempt_come AFTER INSERT ON attempt BEGIN
  UPDATE trimmed SET rows = rows + 1 WHERE table_name = 'attempt';
END;
CREATE TEMP TRIGGER attempt_gone AFTER DELETE ON attempt BEGIN
  UPDATE trimmed SET rows = rows - 1 WHERE table_name = 'attempt';
END;
-- With other numbers, every name may have too many.
CREATE TEMP TRIGGER retention_set AFTER INSERT ON retention BEGIN
  UPDATE trimmed SET looked_to = 0;
END;
CREATE TEMP TRIGGER retention_reset AFTER UPDATE ON retention BEGIN
  UPDATE trimmed SET looked_to = 0;
END;
CREATE TEMP TRIGGER retention_unset AFTER DELETE ON retention BEGIN
  UPDATE trimmed SET looked_to = 0;
END;

-- @prune

-- One that failed and may have left an object in its store is not among them: nobody else knows of that.
DELETE FROM backup
WHERE id IN (SELECT b.id
             FROM backup AS b
             WHERE (b.state = 'expired' OR (b.state = 'failed' AND b.stored_at_ms IS NULL AND b.unsettled = 0))
               AND b.due_at_ms < :now_ms - (SELECT backup_days FROM retention_setting) * 86400000
             ORDER BY b.due_at_ms
             LIMIT 500);

-- @run retention.trim

-- Every few seconds. Moments of events are people's; their age is counted by the clock that nobody sets, so that a wall
-- clock that is a year ahead for an hour costs nothing. The newest row of a table stays: ids count on from it.
--
-- Of each name that has had events since the last time, those beyond its number. When that is more than a slice, the
-- same names are looked at again.
DELETE FROM event
WHERE id IN (SELECT e.id
             FROM (SELECT DISTINCT come.name
                   FROM (SELECT c.name
                         FROM event AS c
                         WHERE c.id > (SELECT looked_to FROM trimmed WHERE table_name = 'event')
                         ORDER BY c.id
                         LIMIT 200) AS come) AS n
             CROSS JOIN event AS e ON e.name = n.name
                        AND e.id <= (SELECT k.id FROM event AS k WHERE k.name = n.name
                                     ORDER BY k.id DESC
                                     LIMIT 1 OFFSET (SELECT events_per_name FROM retention_setting))
             LIMIT 500);

UPDATE trimmed
SET looked_to = COALESCE((SELECT max(c.id)
                          FROM (SELECT id FROM event WHERE id > looked_to ORDER BY id LIMIT 200) AS c), looked_to)
WHERE table_name = 'event' AND changes() < 500;

-- The oldest ones, when they are too old or there are too many in all.
DELETE FROM event
WHERE id IN (SELECT e.id
             FROM (SELECT id, at_ms FROM event ORDER BY id LIMIT 500) AS e
             JOIN retention_setting AS s
             WHERE e.at_ms < :now_ms - s.event_days * 86400000
                OR (SELECT rows FROM trimmed WHERE table_name = 'event') > s.events_max)
  AND id < (SELECT max(id) FROM event);

DELETE FROM attempt
WHERE id IN (SELECT a.id
             FROM (SELECT DISTINCT come.name
                   FROM (SELECT c.name
                         FROM attempt AS c
                         WHERE c.id > (SELECT looked_to FROM trimmed WHERE table_name = 'attempt')
                         ORDER BY c.id
                         LIMIT 200) AS come) AS n
             CROSS JOIN attempt AS a ON a.name = n.name
                        AND a.id <= (SELECT k.id FROM attempt AS k WHERE k.name = n.name
                                     ORDER BY k.id DESC
                                     LIMIT 1 OFFSET (SELECT attempts_per_name FROM retention_setting))
             WHERE a.finished_at_ms IS NOT NULL
             LIMIT 500);

UPDATE trimmed
SET looked_to = COALESCE((SELECT max(c.id)
                          FROM (SELECT id FROM attempt WHERE id > looked_to ORDER BY id LIMIT 200) AS c), looked_to)
WHERE table_name = 'attempt' AND changes() < 500;

DELETE FROM attempt
WHERE id IN (SELECT a.id
             FROM (SELECT id, finished_at_ms FROM attempt ORDER BY id LIMIT 500) AS a
             JOIN retention_setting AS s
             WHERE a.finished_at_ms IS NOT NULL
               AND (a.finished_at_ms < :now_ms - s.attempt_days * 86400000
                    OR (SELECT rows FROM trimmed WHERE table_name = 'attempt') > s.attempts_max))
  AND id < (SELECT max(id) FROM attempt);

-- A slice of the changes that are packed (schema/history/history.sql).
DELETE FROM change
WHERE rowid IN (SELECT e.rowid FROM change AS e WHERE e.revision <= (SELECT revision FROM history_packed)
                ORDER BY e.revision LIMIT 200);

DELETE FROM revision
WHERE id IN (SELECT r.id FROM revision AS r WHERE r.id <= (SELECT revision FROM history_packed)
             ORDER BY r.id LIMIT 200);
