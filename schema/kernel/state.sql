-- What is of no kind in state.db: the clock, the steps under way, what happened, and what was refused.
-- The views plan, status, why, violation, metric and planned_name unite KIND_plan, KIND_status, KIND_why,
-- KIND_violation, KIND_metric and KIND_name of every kind that has them; they are made from the list of views, so that
-- a new kind edits nothing here.

-- @observed

-- One row: what the controller calls now. Written at the start of each pass, so that a plan can be replayed.
CREATE TABLE clock (
  only          INTEGER PRIMARY KEY CHECK (only = 1),
  now_ms        INTEGER NOT NULL,
  started_at_ms INTEGER NOT NULL     -- when this controller began
);

-- One step that was begun. Marked before it is made; finished when its outcome is recorded. Old ones are pruned.
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

-- What happened, in the order in which Rowlock learned of it. Old ones are pruned.
CREATE TABLE event (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms  INTEGER NOT NULL,
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

-- @prune

DELETE FROM attempt WHERE finished_at_ms IS NOT NULL AND id <= (SELECT max(id) FROM attempt) - 10000;
DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - 10000;

-- @run attempt.lose

-- A step that was under way when the last controller ended has an unknown outcome: the world is looked at again, by
-- what each kind says in its section @begin, which comes after this.
UPDATE attempt
SET finished_at_ms = :now_ms, outcome = 'lost', detail = 'Rowlock was stopped before the outcome was known',
    phase = '', done_bytes = 0, all_bytes = 0
WHERE finished_at_ms IS NULL;

-- @run state.clock

INSERT INTO clock (only, now_ms, started_at_ms) VALUES (1, :now_ms, :started_at_ms)
ON CONFLICT (only) DO UPDATE SET now_ms = excluded.now_ms, started_at_ms = excluded.started_at_ms;

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
