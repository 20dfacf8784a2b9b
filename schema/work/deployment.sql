-- A deployment is the roll-out of one spec: it begins when a job's spec changes, and ends when every instance of it is
-- proven, or when it makes no progress. A failed one goes back to the last spec that was healthy, once; never from
-- there.

-- @kind deployment
--   of:          deployment.job
--   state:       running untested succeeded failed
--   progress:    complete idle moving rejected failing stalled
--   revertible:  yes no

-- @observed

CREATE TABLE deployment (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  job            TEXT NOT NULL,
  asked          INTEGER NOT NULL,            -- the spec that the engineer's rows ask for
  spec           INTEGER NOT NULL,            -- the spec that is rolled out: another one after a revert
  cause          TEXT NOT NULL CHECK (cause IN ('edit', 'tag', 'revert')),   -- tag: it was moved
  state          TEXT NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'succeeded', 'failed', 'superseded')),
  reason         TEXT NOT NULL DEFAULT '',    -- why it failed
  proven         INTEGER NOT NULL DEFAULT 0,  -- 1: instances of it were healthy: it is worth going back to
  current        INTEGER NOT NULL DEFAULT 1,  -- 1: the one that is in force for its job
  failures       INTEGER NOT NULL DEFAULT 0,  -- how many of its instances failed before they were proven
  started_at_ms  INTEGER NOT NULL,
  finished_at_ms INTEGER
);
CREATE UNIQUE INDEX deployment_current ON deployment (job) WHERE current = 1;
CREATE INDEX deployment_by_job ON deployment (job, id);

-- @views

-- What the instances of a deployment say about it.
CREATE VIEW deployment_count AS
SELECT d.id,
       d.job,
       d.spec,
       -- What succeeded with a count of 0 has yet to show what it is good for.
       CASE WHEN d.state = 'succeeded' AND d.proven = 0 THEN 'untested' ELSE d.state END AS state,
       d.cause,
       j.auto_revert,
       j.failures_max,
       t.update_order,
       t.count,
       t.fresh_proven,
       t.fresh_live,
       t.stale_live,
       t.stopping,
       t.failures,
       t.rejections,
       j.progress_deadline_ms,
       -- Progress is a healthy instance. Time in which the controller, a node or the proxy was away does not count.
       max(d.started_at_ms,
           (SELECT started_at_ms FROM clock),
           COALESCE((SELECT max(i.healthy_at_ms) + j.min_healthy_ms FROM instance AS i
                     WHERE i.job = d.job AND i.spec = d.spec
                       AND (i.run = 1 OR i.ended_at_ms >= i.healthy_at_ms + j.min_healthy_ms)), 0),
           COALESCE((SELECT max(p.since_ms) FROM route AS r JOIN proxy_state AS p
                     WHERE r.job = d.job OR r.next_job = d.job), 0),
           COALESCE((SELECT max(n.since_ms) FROM instance AS i JOIN node_state AS n ON n.node = i.node
                     WHERE i.job = d.job AND i.run = 1), 0),
           COALESCE((SELECT s.since_ms FROM seal AS s), 0)) AS moved_at_ms,
       -- Whether the nodes that matter to it, and the proxy, can be seen at all.
       EXISTS (SELECT 1 FROM instance AS i JOIN node_state AS n ON n.node = i.node
               WHERE i.job = d.job AND i.run = 1 AND n.reach <> 'reached')
         OR EXISTS (SELECT 1 FROM route AS r JOIN proxy_state AS p ON p.reach <> 'reached'
                    WHERE r.job = d.job OR r.next_job = d.job)
         OR NOT EXISTS (SELECT 1 FROM node_state AS n WHERE n.reach = 'reached')
         -- What waits for the secret store to be opened is nobody's fault.
         OR EXISTS (SELECT 1 FROM instance AS i JOIN seal AS s ON s.state = 'sealed' JOIN spec AS p ON p.id = i.spec
                    WHERE i.job = d.job AND i.run = 1 AND i.delivers = 1
                      AND (i.container = 'none' OR i.container = 'unpulled' OR i.container = 'created')
                      AND json_array_length(p.body, '$.secrets.needs') > 0) AS is_blind,
       (SELECT max(e.id) FROM deployment AS e
        WHERE e.job = d.job AND e.state = 'succeeded' AND e.proven = 1 AND e.spec <> d.spec) AS fallback
FROM deployment AS d
JOIN job AS j ON j.name = d.job
JOIN job_tally AS t ON t.job = d.job
WHERE d.current = 1;

CREATE VIEW deployment_fact AS
SELECT job AS name,
       CAST(id AS TEXT) AS target,
       -- A deadline that has passed while a node is away begins anew when the node is back.
       deadline_at_ms AS due_at_ms,
       fallback,
       state,
       CASE WHEN count = 0 AND fresh_live = 0 AND stale_live = 0 AND stopping = 0              THEN 'idle'
            WHEN count > 0 AND fresh_proven >= count AND stale_live = 0 AND stopping = 0       THEN 'complete'
            WHEN rejections > 0                                                                THEN 'rejected'
            WHEN failures >= failures_max                                                      THEN 'failing'
            -- Where an old one had to stop first, nothing serves meanwhile: what has worked is started again at once.
            WHEN failures > 0 AND update_order = 'stop_first' AND fresh_proven = 0 AND stale_live = 0
                 AND state = 'running' AND cause <> 'revert' AND fallback IS NOT NULL AND auto_revert = 1 THEN 'failing'
            WHEN is_blind                                                                      THEN 'moving'
            WHEN deadline_at_ms <= (SELECT now_ms FROM clock)                                  THEN 'stalled'
            ELSE 'moving' END AS progress,
       CASE WHEN auto_revert = 1 AND cause <> 'revert' AND fallback IS NOT NULL THEN 'yes' ELSE 'no' END AS revertible
FROM (SELECT c.*,
             c.moved_at_ms + c.progress_deadline_ms
               + COALESCE((SELECT sum(g.length_ms) FROM gap AS g WHERE g.until_ms > c.moved_at_ms), 0) AS deadline_at_ms
      FROM deployment_count AS c);

-- '*' stands for every value. A roll-out under way ends in one of four ways (a); so does the first one that is put to
-- the test after it had succeeded with no instance at all (b); what has succeeded is kept so by other kinds (c); what
-- has failed may yet turn out well, and is not reverted a second time (d).
CREATE VIEW deployment_rule (state, progress, revertible, step, reason) AS VALUES
  -- (a)
  ('running',   'complete', '*',   'succeed', 'every instance has been healthy for long enough'),
  ('running',   'idle',     '*',   'succeed', 'the job wants no instance'),
  ('running',   'moving',   '*',   'wait',    'waits for instances to become healthy'),
  ('running',   'rejected', 'yes', 'revert',  'the new spec was rejected'),
  ('running',   'rejected', 'no',  'fail',    'the new spec was rejected'),
  ('running',   'failing',  'yes', 'revert',  'too many instances of the new spec failed'),
  ('running',   'failing',  'no',  'fail',    'too many instances of the new spec failed'),
  ('running',   'stalled',  'yes', 'revert',  'no instance became healthy within the progress deadline'),
  ('running',   'stalled',  'no',  'fail',    'no instance became healthy within the progress deadline'),
  -- (b)
  ('untested',  'complete', '*',   'succeed', 'every instance has been healthy for long enough'),
  ('untested',  'idle',     '*',   'none',    ''),
  ('untested',  'moving',   '*',   'none',    'its first instances start'),
  ('untested',  'rejected', 'yes', 'revert',  'the spec was rejected'),
  ('untested',  'rejected', 'no',  'fail',    'the spec was rejected'),
  ('untested',  'failing',  'yes', 'revert',  'too many instances of the spec failed'),
  ('untested',  'failing',  'no',  'fail',    'too many instances of the spec failed'),
  ('untested',  'stalled',  '*',   'none',    'its first instances start'),
  -- (c)
  ('succeeded', 'complete', '*',   'none',    ''),
  ('succeeded', 'idle',     '*',   'none',    ''),
  ('succeeded', 'moving',   '*',   'none',    'is being healed'),
  ('succeeded', 'rejected', '*',   'none',    'is being healed'),
  ('succeeded', 'failing',  '*',   'none',    'is being healed'),
  ('succeeded', 'stalled',  '*',   'none',    'is being healed'),
  -- (d)
  ('failed',    'complete', '*',   'succeed', 'it became healthy after all'),
  ('failed',    'idle',     '*',   'succeed', 'the job wants no instance'),
  ('failed',    'moving',   '*',   'none',    'has failed'),
  ('failed',    'rejected', '*',   'none',    'has failed'),
  ('failed',    'failing',  '*',   'none',    'has failed'),
  ('failed',    'stalled',  '*',   'none',    'has failed');

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

-- @run deployment.succeed

UPDATE deployment
SET state          = 'succeeded',
    reason         = '',
    proven         = max(proven, (SELECT t.fresh_proven > 0 FROM job_tally AS t WHERE t.job = :name)),
    finished_at_ms = :now_ms
WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'deployment', :name, :target, 'succeeded', :reason);

-- What is no longer pointed to is not needed for a revert either.
DELETE FROM deployment
WHERE job = :name AND current = 0
  AND id NOT IN (SELECT id FROM deployment WHERE job = :name ORDER BY id DESC LIMIT 20)
  AND id <> (SELECT COALESCE(max(d.id), 0) FROM deployment AS d
             WHERE d.job = :name AND d.state = 'succeeded' AND d.proven = 1 AND d.current = 0);

DELETE FROM spec
WHERE job = :name
  AND id NOT IN (SELECT asked FROM deployment WHERE job = :name
                 UNION SELECT spec FROM deployment WHERE job = :name
                 UNION SELECT spec FROM instance WHERE job = :name);

DELETE FROM check_proof WHERE spec NOT IN (SELECT id FROM spec);

-- @run deployment.fail

UPDATE deployment
SET state          = 'failed',
    reason         = :reason || COALESCE((SELECT ': ' || i.reason FROM instance AS i
                                           WHERE i.job = :name AND i.spec = deployment.spec AND i.verdict = 'failed'
                                           ORDER BY i.id DESC LIMIT 1), ''),
    finished_at_ms = :now_ms
WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'deployment', :name, :target, 'failed', reason FROM deployment WHERE id = :target;

-- @run deployment.revert

UPDATE deployment
SET state          = 'failed',
    reason         = :reason || COALESCE((SELECT ': ' || i.reason FROM instance AS i
                                           WHERE i.job = :name AND i.spec = deployment.spec AND i.verdict = 'failed'
                                           ORDER BY i.id DESC LIMIT 1), ''),
    current        = 0,
    finished_at_ms = :now_ms
WHERE id = :target;

DELETE FROM retry WHERE kind = 'job' AND target = :name;

INSERT INTO deployment (job, asked, spec, cause, started_at_ms)
SELECT d.job,
       d.asked,
       (SELECT e.spec FROM deployment AS e
        WHERE e.job = d.job AND e.state = 'succeeded' AND e.proven = 1 AND e.spec <> d.spec
        ORDER BY e.id DESC LIMIT 1),
       'revert',
       :now_ms
FROM deployment AS d
WHERE d.id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'deployment', :name, :target, 'reverted', reason || '; went back to the last spec that was healthy'
FROM deployment
WHERE id = :target;
