-- What is not of one kind in state.db: the clock, the steps under way, what happened, what was refused, and how jobs
-- stand (job_status and the KIND_why views, which look at several kinds at once).
-- The views plan, status, why, violation and planned_name unite KIND_plan, KIND_status, KIND_why, KIND_violation and
-- KIND_name of every kind that has them; they are made from the list of views, so that a new kind edits nothing here.

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
  -- lost: Rowlock was stopped
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

-- How a job stands, in one row.
CREATE VIEW job_status AS
SELECT 'job' AS kind,
       o.job AS name,
       CASE WHEN EXISTS (SELECT 1 FROM instance AS i JOIN node_state AS s ON s.node = i.node
                         WHERE i.job = t.job AND i.run = 1 AND s.reach <> 'reached')     THEN 'unknown'
            WHEN t.state = 'failed' OR d.cause = 'revert'                                THEN 'failed'
            WHEN o.nowhere                                                               THEN 'waiting'
            WHEN t.state = 'succeeded' AND t.fresh_proven >= t.count AND t.fresh_live = t.count
                 AND t.stale_live = 0 AND t.stopping = 0 AND o.asked = 'same'            THEN 'converged'
            WHEN o.later                                                                 THEN 'waiting'
            ELSE                                                                              'converging' END AS state,
       t.fresh_proven || '/' || t.count || ' healthy'
         || CASE WHEN t.stale_live > 0 THEN ', ' || t.stale_live || ' of the old spec' ELSE '' END
         || CASE WHEN t.state = 'failed' THEN ': ' || d.reason
                 WHEN d.cause = 'revert' THEN ': the change failed, runs the last spec that was healthy'
                 WHEN o.nowhere THEN ': no node can take an instance'
                 WHEN o.later THEN ': restarts after a failure'
                 ELSE COALESCE((SELECT ': ' || i.detail FROM instance AS i
                                WHERE i.job = t.job AND i.run = 1 AND i.detail <> ''
                                ORDER BY i.id DESC LIMIT 1), '') END AS detail,
       max(d.started_at_ms, COALESCE(d.finished_at_ms, 0),
           COALESCE((SELECT max(i.since_ms) FROM instance AS i WHERE i.job = t.job), 0)) AS since_ms
FROM job_outlook AS o
JOIN job_tally AS t ON t.job = o.job
JOIN deployment AS d ON d.id = t.deployment
UNION ALL
SELECT 'job', j.name, 'converging', 'not planned yet', (SELECT now_ms FROM clock)
FROM job AS j
WHERE NOT EXISTS (SELECT 1 FROM deployment AS d WHERE d.job = j.name AND d.current = 1)
UNION ALL
SELECT 'job', d.job, 'converging', 'is being removed',
       COALESCE((SELECT max(i.ended_at_ms) FROM instance AS i WHERE i.job = d.job), d.started_at_ms)
FROM deployment AS d
WHERE d.current = 1 AND d.job NOT IN (SELECT name FROM job);

CREATE VIEW desired_status AS
SELECT 'desired' AS kind,
       'desired.db' AS name,
       'refused' AS state,
       CASE count(*) WHEN 1 THEN min(message)
                     ELSE count(*) || ' reasons, first: ' || min(message) END
         || '; revision ' || COALESCE((SELECT max(id) FROM revision), 0) || ' stays in force' AS detail,
       min(since_ms) AS since_ms
FROM refusal
HAVING count(*) > 0;

-- Every reason that is now in the way of something, as a sentence, with the row behind it.
CREATE VIEW desired_why AS
SELECT 'desired' AS kind,
       COALESCE((SELECT j.name FROM job AS j WHERE j.name = substr(r.row_key, 1, instr(r.row_key || '/', '/') - 1)),
                (SELECT o.name FROM route AS o WHERE o.name = substr(r.row_key, 1, instr(r.row_key || '/', '/') - 1)),
                'desired.db') AS name,
       r.table_name || ' ' || r.row_key AS target,
       'the last change of desired.db was refused: ' || r.message AS reason,
       r.since_ms
FROM refusal AS r;

CREATE VIEW job_why AS
SELECT 'job' AS kind,
       f.job AS name,
       'slot ' || f.slot AS target,
       r.reason || CASE WHEN f.vacancy = 'later'
                        THEN ' (in ' || ((f.due_at_ms - (SELECT now_ms FROM clock) + 999) / 1000) || ' s)'
                            ELSE '' END AS reason,
       (SELECT now_ms FROM clock) AS since_ms
FROM job_fact AS f
CROSS JOIN job_case AS r ON r.asked = f.asked AND r.vacancy = f.vacancy
WHERE r.step = 'wait' AND f.vacancy <> 'nowhere'
UNION ALL
SELECT 'job', o.job, n.node, 'no instance can be placed on node ' || n.node || ': it ' || n.obstacle,
       (SELECT now_ms FROM clock)
FROM job_outlook AS o
JOIN job_node AS n ON n.job = o.job
WHERE o.nowhere
UNION ALL
SELECT 'job', o.job, o.job, 'no instance can be placed: there is no node; INSERT INTO node(name) VALUES (''local'')',
       (SELECT now_ms FROM clock)
FROM job_outlook AS o
WHERE o.nowhere AND NOT EXISTS (SELECT 1 FROM node);

CREATE VIEW deployment_why AS
SELECT 'deployment' AS kind,
       d.job AS name,
       d.id AS target,
       CASE d.state WHEN 'failed' THEN 'deployment ' || d.id || ' failed: ' || d.reason
                    ELSE 'deployment ' || bad.id || ' failed: ' || bad.reason
                         || '; the last spec that was healthy runs until the row is changed' END AS reason,
       COALESCE(bad.finished_at_ms, d.finished_at_ms) AS since_ms
FROM deployment AS d
LEFT JOIN deployment AS bad ON d.cause = 'revert'
                           AND bad.id = (SELECT max(e.id) FROM deployment AS e WHERE e.job = d.job AND e.id < d.id)
WHERE d.current = 1 AND (d.state = 'failed' OR d.cause = 'revert');

CREATE VIEW instance_why AS
SELECT 'instance' AS kind,
       f.job AS name,
       i.name AS target,
       i.name || ' ' || CASE WHEN f.hold = 'backoff' THEN i.detail
                             WHEN r.step = 'wait' THEN r.reason
                             ELSE 'needs step ' || r.step || ': ' || r.reason END AS reason,
       i.since_ms
FROM instance_fact AS f
JOIN instance AS i ON i.id = f.id
CROSS JOIN instance_case AS r ON r.hold = f.hold AND r.role = f.role AND r.state = f.state
WHERE r.step <> 'none' AND i.run = 1
UNION ALL
-- The last failure, as long as the job is not whole again.
SELECT 'instance', i.job, i.name,
       i.name || ' failed: ' || i.reason
         || CASE WHEN i.log IS NOT NULL AND i.log <> '' THEN '; its last lines: ' || char(10) || i.log ELSE '' END,
       i.ended_at_ms
FROM instance AS i
JOIN job_tally AS t ON t.job = i.job
WHERE i.id = (SELECT max(e.id) FROM instance AS e WHERE e.job = i.job AND e.verdict = 'failed')
  AND (t.fresh_proven < t.count OR t.state = 'failed'
       OR EXISTS (SELECT 1 FROM deployment AS d WHERE d.id = t.deployment AND d.cause = 'revert'));

-- @run state.prune

DELETE FROM attempt WHERE finished_at_ms IS NOT NULL AND id <= (SELECT max(id) FROM attempt) - 10000;
DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - 10000;
DELETE FROM secret_use
WHERE until_ms < (SELECT until_ms FROM secret_use WHERE until_ms IS NOT NULL
                  ORDER BY until_ms DESC LIMIT 1 OFFSET 10000);
DELETE FROM route_target
WHERE ended_at_ms < (SELECT ended_at_ms FROM route_target WHERE ended_at_ms IS NOT NULL
                     ORDER BY ended_at_ms DESC LIMIT 1 OFFSET 10000);

-- @run state.begin

-- A step that was under way when the last controller ended has an unknown outcome: the world is looked at again.
UPDATE attempt
SET finished_at_ms = :now_ms, outcome = 'lost', detail = 'Rowlock was stopped before the outcome was known',
    phase = '', done_bytes = 0, all_bytes = 0
WHERE finished_at_ms IS NULL;
UPDATE instance
SET hinted = 1
WHERE id IN (SELECT CAST(target AS INTEGER) FROM attempt
             WHERE kind = 'instance' AND outcome = 'lost' AND finished_at_ms = :now_ms);
UPDATE proxy_state SET hinted = 1, reloading = 0, reach = CASE reach WHEN 'reached' THEN 'unseen' ELSE reach END;
UPDATE delivery SET state = 'unseen' WHERE state = 'there';
UPDATE database_state SET look_at_ms = 0;
UPDATE object_store_state SET look_at_ms = 0;
UPDATE backup SET state = 'stored' WHERE state = 'verifying';
UPDATE node_state SET look_at_ms = 0, reach = CASE reach WHEN 'reached' THEN 'unseen' ELSE reach END;

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
