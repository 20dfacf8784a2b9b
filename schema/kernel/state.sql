-- What is of no kind in state.db: the clock, the steps under way, what happened, and what was refused.
-- The views plan, status, why, violation, metric and planned_name unite KIND_plan, KIND_status, KIND_why,
-- KIND_violation, KIND_metric and KIND_name of every kind that has them; they are made from the list of views, so that
-- a new kind edits nothing here.

-- @observed

-- One row: what the controller calls now. Written at the start of each pass, so that a plan can be replayed.
--
-- Two clocks: now_ms only goes forward, counts suspend, and does not follow when somebody sets the wall clock; all that
-- Rowlock measures by itself is of it. Schedules, and what others wrote by their clocks, are compared with wall_ms.
-- Mostly they say the same. When the wall clock was set, `moment - now_ms + wall_ms` is what to show to people.
CREATE TABLE clock (
  only            INTEGER PRIMARY KEY CHECK (only = 1),
  now_ms          INTEGER NOT NULL,
  started_at_ms   INTEGER NOT NULL,            -- when this controller began
  -- That, moved by every gap since: whatever is not healthy was not looked at for longer than since then.
  watched_from_ms INTEGER NOT NULL DEFAULT 0,
  wall_ms         INTEGER NOT NULL DEFAULT 0,
  boot_ms         INTEGER NOT NULL DEFAULT 0,  -- since the machine was started, suspend included,
  boot            TEXT NOT NULL DEFAULT ''     -- and which start of it that was: from there the next controller goes on
);

-- A time in which nobody looked while a controller ran: the machine was suspended, or the loop stuck. It proves and
-- disproves nothing, so proofs and deadlines move by it. Old ones are pruned.
CREATE TABLE gap (
  until_ms  INTEGER PRIMARY KEY,
  length_ms INTEGER NOT NULL
);

-- One step that was begun. Marked before it is made; finished when its outcome is recorded. Old ones go: retention.sql.
CREATE TABLE attempt (
  id             INTEGER PRIMARY KEY,
  kind           TEXT NOT NULL,
  name           TEXT NOT NULL,
  target         TEXT NOT NULL,
  step           TEXT NOT NULL,
  reason         TEXT NOT NULL,
  started_at_ms  INTEGER NOT NULL,
  finished_at_ms INTEGER,
  -- lost: Rowlock was stopped, or the step was taken back before it was begun
  outcome        TEXT CHECK (outcome IN ('done', 'transient', 'rejected', 'broken', 'lost')),
  detail         TEXT NOT NULL DEFAULT '',
  -- While it is under way, how far it is by its own word: at most once a second, and only for what takes longer.
  phase          TEXT NOT NULL DEFAULT '',
  done_bytes     INTEGER NOT NULL DEFAULT 0,
  all_bytes      INTEGER NOT NULL DEFAULT 0    -- 0: not known
);
CREATE INDEX attempt_open ON attempt (kind, target) WHERE finished_at_ms IS NULL;
CREATE INDEX attempt_by_target ON attempt (kind, target, finished_at_ms);
CREATE INDEX attempt_by_name ON attempt (name, id);

-- What happened, in the order in which Rowlock learned of it. Old ones go: retention.sql.
CREATE TABLE event (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms  INTEGER NOT NULL,        -- by the wall clock of that moment
  kind   TEXT NOT NULL,
  name   TEXT NOT NULL,
  target TEXT NOT NULL,
  what   TEXT NOT NULL,
  detail TEXT NOT NULL DEFAULT ''
);
CREATE INDEX event_by_name ON event (name, id);

-- Why the last change of desired.db was refused. Empty when the rows in desired.db are the ones in force.
CREATE TABLE refusal (
  table_name TEXT NOT NULL,
  row_key    TEXT NOT NULL,
  message    TEXT NOT NULL,
  since_ms   INTEGER NOT NULL,
  PRIMARY KEY (table_name, row_key, message)
);

-- @views

-- What stands between desired.db and its being accepted.
CREATE VIEW violation AS
SELECT table_name, row_key, message FROM refusal
UNION
SELECT table_name, row_key, message FROM violation_now;

-- How far the steps are that take long, and in words.
CREATE VIEW progress AS
SELECT a.kind,
       a.name,
       a.target,
       a.step,
       a.phase,
       a.done_bytes,
       a.all_bytes,
       a.phase || CASE WHEN a.all_bytes >= 10000000
                         THEN ': ' || (a.done_bytes / 1000000) || ' of ' || (a.all_bytes / 1000000) || ' MB'
                       WHEN a.all_bytes > 0
                         THEN ': ' || (a.done_bytes / 1000) || ' of ' || (a.all_bytes / 1000) || ' KB'
                       WHEN a.done_bytes >= 10000000 THEN ': ' || (a.done_bytes / 1000000) || ' MB so far'
                       WHEN a.done_bytes > 0         THEN ': ' || (a.done_bytes / 1000) || ' KB so far'
                       ELSE '' END AS detail
FROM attempt AS a
WHERE a.finished_at_ms IS NULL AND a.phase <> '';

-- @wake

-- What people read as a history is dated by their clock, whoever writes it.
CREATE TEMP TRIGGER event_by_the_wall_clock AFTER INSERT ON event
WHEN (SELECT wall_ms <> now_ms FROM clock) BEGIN
  UPDATE event SET at_ms = at_ms + (SELECT wall_ms - now_ms FROM clock) WHERE id = NEW.id;
END;
CREATE TEMP TRIGGER revision_by_the_wall_clock AFTER INSERT ON revision
WHEN (SELECT wall_ms <> now_ms FROM clock) BEGIN
  UPDATE revision SET at_ms = at_ms + (SELECT wall_ms - now_ms FROM clock) WHERE id = NEW.id;
END;

-- @prune

DELETE FROM gap WHERE until_ms < :now_ms - 86400000
                   OR until_ms <= (SELECT until_ms FROM gap ORDER BY until_ms DESC LIMIT 1 OFFSET 100);

-- @run attempt.lose

-- A step that was under way when the last controller ended has an unknown outcome: the world is looked at again, by
-- what each kind says in its section @begin, which comes after this.
UPDATE attempt
SET finished_at_ms = :now_ms, outcome = 'lost', detail = 'Rowlock was stopped before the outcome was known',
    phase = '', done_bytes = 0, all_bytes = 0
WHERE finished_at_ms IS NULL;

-- @run state.clock

-- First whether the wall clock was set since the last time, by more than a second: it went otherwise than the clock of
-- the machine; or, when the machine was started anew in between, it went back. All is planned anew then.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'clock', 'clock', 'clock', CASE WHEN j.by_ms < 0 THEN 'set back' ELSE 'set forward' END,
       'the wall clock was set ' || CASE WHEN j.by_ms < 0 THEN 'back' ELSE 'forward' END || ' by '
         || CASE WHEN abs(j.by_ms) < 3600000 THEN (abs(j.by_ms) / 1000) || ' s'
                 ELSE (abs(j.by_ms) / 3600000) || ' h ' || (abs(j.by_ms) % 3600000 / 60000) || ' min' END
         || '; deadlines and delays go on as they were'
FROM (SELECT CASE WHEN c.boot = :boot THEN (:wall_ms - c.wall_ms) - (:boot_ms - c.boot_ms)
                  ELSE min(0, :wall_ms - c.wall_ms) END AS by_ms
      FROM clock AS c WHERE c.wall_ms > 0) AS j
WHERE abs(j.by_ms) > 1000;

INSERT INTO dirty
SELECT p.name FROM planned_name AS p
WHERE EXISTS (SELECT 1 FROM clock AS c
              WHERE c.wall_ms > 0 AND c.boot = :boot
                AND abs((:wall_ms - c.wall_ms) - (:boot_ms - c.boot_ms)) > 1000);

INSERT INTO clock (only, now_ms, started_at_ms, watched_from_ms, wall_ms, boot_ms, boot)
VALUES (1, :now_ms, :started_at_ms, :started_at_ms, :wall_ms, :boot_ms, :boot)
ON CONFLICT (only) DO UPDATE
SET now_ms          = excluded.now_ms,
    watched_from_ms = CASE WHEN started_at_ms = excluded.started_at_ms THEN max(watched_from_ms, started_at_ms)
                           ELSE excluded.started_at_ms END,
    started_at_ms   = excluded.started_at_ms,
    wall_ms         = excluded.wall_ms,
    boot_ms         = excluded.boot_ms,
    boot            = excluded.boot;

-- @run state.last_moment

SELECT now_ms, wall_ms, boot_ms, boot FROM clock;

-- @run state.gap

-- After state.clock, in the pass that ends it.
INSERT INTO gap (until_ms, length_ms) VALUES (:now_ms, :length_ms)
ON CONFLICT (until_ms) DO UPDATE SET length_ms = length_ms + excluded.length_ms;

UPDATE clock SET watched_from_ms = watched_from_ms + :length_ms;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'clock', 'clock', 'clock', 'not watched',
       'nobody looked for ' || (:length_ms / 1000) || ' s (suspended, or too busy); deadlines move by it'
WHERE :length_ms >= 10000;

-- @run attempt.begin

INSERT INTO attempt (kind, name, target, step, reason, started_at_ms)
VALUES (:kind, :name, :target, :step, :reason, :now_ms);

-- @run attempt.tell

UPDATE attempt
SET phase = :phase, done_bytes = :done_bytes, all_bytes = :all_bytes
WHERE kind = :kind AND target = :target AND finished_at_ms IS NULL;

-- @run attempt.finish

UPDATE attempt
SET finished_at_ms = :now_ms, outcome = :outcome, detail = :detail, phase = '', done_bytes = 0, all_bytes = 0
WHERE kind = :kind AND target = :target AND finished_at_ms IS NULL;

-- @run attempt.revoke

-- It waited for its turn and was not begun.
UPDATE attempt
SET finished_at_ms = :now_ms, outcome = 'lost', detail = 'was not begun: by its turn it was not wanted any more',
    phase = '', done_bytes = 0, all_bytes = 0
WHERE kind = :kind AND target = :target AND finished_at_ms IS NULL;
