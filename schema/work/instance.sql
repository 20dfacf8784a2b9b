-- An instance is one running copy of a job: one container, started once. When it ends it stays ended, with its exit
-- code and its last words, and another takes its slot.
--
--   none ──create──▶ created ──start──▶ starting ──checks pass──▶ healthy ──min_healthy_ms──▶ proven
--     └─ unpulled ──pull─┘                 │                         │                          │
--                              deadline, exit, removal       failing checks, exit,      replaced, surplus,
--                                          ▼                   removal ▼                    unwanted ▼
--                                        failed ──stop──▶ exited ──collect the log──▶ spent ──remove──▶ gone
--
-- run = 1 is an instance that Rowlock keeps; run = 0 one that is on its way out, or history. There is no way back.
-- The last three of a job that failed are kept, container and all, for `why`; any other goes once it has stopped.

-- @observed

CREATE TABLE instance (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  job             TEXT NOT NULL,
  slot            INTEGER NOT NULL,             -- no two live instances of a job share one
  spec            INTEGER NOT NULL,
  node            TEXT NOT NULL,
  -- the container's name, made from the id, so that a second create collides
  name            TEXT NOT NULL UNIQUE,
  run             INTEGER NOT NULL DEFAULT 1 CHECK (run IN (0, 1)),
  container       TEXT NOT NULL DEFAULT 'none'  -- what the engine last said; none: not made yet; gone: no longer there
                  CHECK (container IN ('none', 'unpulled', 'created', 'running', 'paused', 'exited', 'gone')),
  address         TEXT NOT NULL DEFAULT '',     -- where its ports answer
  ports           TEXT NOT NULL DEFAULT '[]',   -- published ports, as JSON: [{port, protocol, host_ip, host_port}]
  verdict         TEXT CHECK (verdict IN ('stopped', 'failed')),   -- how it ended, once run is 0
  reason          TEXT NOT NULL DEFAULT '',     -- why it ended
  detail          TEXT NOT NULL DEFAULT '',     -- what went wrong in the last step, while it is tried again
  rejected        INTEGER NOT NULL DEFAULT 0,   -- 1: only a change of the row can mend it
  exit_code       INTEGER,
  out_of_memory   INTEGER NOT NULL DEFAULT 0,
  log             TEXT,                         -- the last lines of its output, once it has ended
  streak          INTEGER NOT NULL,             -- how many in this slot failed in a row before it
  cpus            REAL NOT NULL,                -- reserved on its node
  memory_mb       INTEGER NOT NULL,
  stop_signal     TEXT NOT NULL,                -- as the job had it last; it may be deleted by the time it is needed
  stop_timeout_ms INTEGER NOT NULL,
  placed_at_ms    INTEGER NOT NULL,
  started_at_ms   INTEGER,
  healthy_at_ms   INTEGER,                      -- first moment at which all checks passed
  ended_at_ms     INTEGER,
  since_ms        INTEGER NOT NULL,             -- moment of the last change
  tries           INTEGER NOT NULL DEFAULT 0,   -- how often the step at hand has failed
  retry_at_ms     INTEGER NOT NULL DEFAULT 0,
  hinted          INTEGER NOT NULL DEFAULT 0,   -- 1: something happened to its container, look at it
  delivers        INTEGER NOT NULL DEFAULT 0    -- 1: it is given a folder with secrets (delivery.sql)
);
CREATE UNIQUE INDEX instance_slot ON instance (job, slot) WHERE run = 1;
CREATE INDEX instance_by_job ON instance (job, run, slot);
CREATE INDEX instance_by_node ON instance (node, run, memory_mb, cpus);

-- The rules of instance_rule with every '*' written out, so that a plan finds its rule by one look-up; the primary key
-- refuses a second rule for the same facts. Filled anew whenever state.db is opened for writing.
CREATE TABLE instance_case (
  hold   TEXT NOT NULL,
  role   TEXT NOT NULL,
  state  TEXT NOT NULL,
  step   TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (hold, role, state)
) WITHOUT ROWID;

-- @views

-- Every instance with its rank among those of its job: the best of the new spec and the best of the old come first.
-- All windows share one PARTITION BY, so that a plan for one job reads the rows of that job alone.
CREATE VIEW instance_rank AS
SELECT i.id,
       i.job,
       i.slot,
       i.node,
       i.run,
       i.container,
       i.verdict IS 'failed'                                                   AS failed,
       i.unmet,
       i.failing,
       i.unready,
       i.log IS NOT NULL                                                       AS collected,
       i.hinted,
       i.delivers,
       i.retry_at_ms,
       i.placed_at_ms,
       i.started_at_ms,
       i.healthy_at_ms,
       j.count,
       j.update_order,
       j.max_parallel,
       j.min_healthy_ms,
       j.healthy_deadline_ms,
       j.name IS NOT NULL                                                      AS job_wanted,
       i.spec IS d.spec                                                        AS fresh,
       -- In a roll-out, time in which nobody asked its checks does not prove anything.
       max(i.healthy_at_ms, CASE d.state WHEN 'running' THEN (SELECT started_at_ms FROM clock) ELSE 0 END)
         + j.min_healthy_ms                                                    AS proven_at_ms,
       -- One that the proxy gives no requests yet cannot take over from anybody.
       count(*) FILTER (WHERE i.run = 1 AND i.spec IS d.spec AND i.container = 'running' AND i.failing = 0
                          AND i.unready = 0
                          AND max(i.healthy_at_ms, CASE d.state WHEN 'running' THEN (SELECT started_at_ms FROM clock)
                                                                ELSE 0 END) + j.min_healthy_ms
                              <= (SELECT now_ms FROM clock)) OVER whole        AS fresh_proven,
       count(*) FILTER (WHERE i.run = 1 AND i.spec IS d.spec) OVER better      AS fresh_rank,
       count(*) FILTER (WHERE i.run = 1 AND i.spec IS NOT d.spec) OVER better  AS stale_rank,
       count(*) FILTER (WHERE i.run = 0 AND i.verdict IS 'failed') OVER better AS failed_rank
FROM instance_health AS i
LEFT JOIN job AS j ON j.name = i.job
LEFT JOIN deployment AS d ON d.job = i.job AND d.current = 1
WINDOW whole  AS (PARTITION BY i.job),
       -- Those on a node that was deleted go anyway: they keep nobody else's place.
       better AS (PARTITION BY i.job
                  ORDER BY i.node IN (SELECT name FROM node) DESC,
                           i.container = 'running' AND i.healthy_at_ms IS NOT NULL AND i.failing = 0 DESC,
                           i.unready,
                           CASE WHEN i.run = 0 THEN -i.id ELSE COALESCE(i.healthy_at_ms, 9e15) END,
                           i.id
                  ROWS UNBOUNDED PRECEDING);

CREATE VIEW instance_fact AS
SELECT i.id, i.job, i.retry_at_ms,
       CASE WHEN EXISTS (SELECT 1 FROM attempt AS a
                         WHERE a.kind = 'instance' AND a.target = CAST(i.id AS TEXT)
                           AND a.finished_at_ms IS NULL)              THEN 'busy'
            WHEN n.reach IS NOT 'reached'                             THEN 'blind'
            WHEN i.hinted                                             THEN 'hinted'
            -- A process that has ended cannot be waited for.
            WHEN i.run = 0 AND i.container IN ('running', 'paused')
                 AND EXISTS (SELECT 1 FROM route_hold AS r WHERE r.instance = i.id)     THEN 'served'
            WHEN i.delivers AND i.run = 1 AND i.container IN ('none', 'unpulled', 'created')
                 AND NOT EXISTS (SELECT 1 FROM delivery AS d WHERE d.instance = i.id AND d.state = 'there')
                                                                      THEN 'unarmed'
            WHEN i.retry_at_ms > (SELECT now_ms FROM clock)           THEN 'backoff'
            ELSE                                                           'free' END AS hold,
       CASE WHEN i.run = 0 AND NOT i.job_wanted                       THEN 'expired'
            WHEN i.run = 0 AND NOT i.failed                           THEN 'expired'
            -- The last failure in a slot stays: the restart delay is counted from it.
            WHEN i.run = 0 AND i.failed_rank > 3
                 AND (NOT i.fresh
                      OR EXISTS (SELECT 1 FROM instance AS later
                                 WHERE later.job = i.job AND later.run IN (0, 1) AND later.slot = i.slot
                                   AND later.id > i.id))              THEN 'expired'
            WHEN i.run = 0                                            THEN 'ended'
            WHEN NOT i.job_wanted
                 OR i.node NOT IN (SELECT name FROM node)             THEN 'unwanted'
            WHEN i.fresh AND i.fresh_rank > i.count                   THEN 'surplus'
            WHEN i.fresh                                              THEN 'keep'
            WHEN i.container IN ('none', 'unpulled', 'created')       THEN 'replaced'
            -- So many of the old spec stay until more of the new one are proven.
            WHEN i.stale_rank > i.count - i.fresh_proven
                 - CASE i.update_order WHEN 'stop_first' THEN i.max_parallel ELSE 0 END THEN 'replaced'
            ELSE                                                           'keep' END AS role,
       CASE WHEN i.container = 'exited' AND i.collected               THEN 'spent'
            WHEN i.container <> 'running'                             THEN i.container
            WHEN i.healthy_at_ms IS NULL AND i.unmet = 0              THEN 'passing'
            WHEN i.failing > 0                                        THEN 'failing'
            WHEN i.proven_at_ms <= (SELECT now_ms FROM clock) AND i.unready > 0 THEN 'unready'
            WHEN i.proven_at_ms <= (SELECT now_ms FROM clock)         THEN 'proven'
            WHEN i.healthy_at_ms IS NOT NULL                          THEN 'healthy'
            WHEN i.healthy_deadline_ms + max(COALESCE(i.started_at_ms, i.placed_at_ms),
                                             (SELECT started_at_ms FROM clock))
                 <= (SELECT now_ms FROM clock)                        THEN 'overdue'
            ELSE                                                           'starting' END AS state,
       CASE WHEN i.healthy_at_ms IS NOT NULL THEN i.proven_at_ms
            ELSE i.healthy_deadline_ms + max(COALESCE(i.started_at_ms, i.placed_at_ms),
                                             (SELECT started_at_ms FROM clock)) END AS deadline_at_ms
FROM instance_rank AS i
LEFT JOIN node_state AS n ON n.node = i.node;

-- '*' stands for every value. Every (hold, role, state) matches exactly one row; tests/schema walks them all.
CREATE VIEW instance_rule (hold, role, state, step, reason) AS VALUES
  ('busy',    '*',        '*',        'none',    'a step is under way'),
  ('blind',   '*',        '*',        'wait',    'its node cannot be reached'),
  ('hinted',  '*',        '*',        'look',    'the engine said that something happened to it'),
  ('served',  '*',        '*',        'wait',    'the proxy has not let go of it yet'),
  ('unarmed', 'keep',     '*',        'wait',    'its secrets are not there yet'),
  ('unarmed', 'replaced', '*',        'retire',  'instances of the new spec take over'),
  ('unarmed', 'surplus',  '*',        'retire',  'the count was lowered'),
  ('unarmed', 'unwanted', '*',        'retire',  'its job or its node was deleted'),
  ('unarmed', 'ended',    '*',        'none',    'needs none any more'),
  ('unarmed', 'expired',  '*',        'none',    'needs none any more'),
  ('backoff', '*',        '*',        'wait',    'the last step failed; tries again'),

  ('free',    'keep',     'none',     'create',  'it has no container yet'),
  ('free',    'keep',     'unpulled', 'pull',    'its image is not on the node'),
  ('free',    'keep',     'created',  'start',   'its container is made'),
  ('free',    'keep',     'paused',   'resume',  'it was paused behind Rowlock''s back'),
  ('free',    'keep',     'starting', 'wait',    'its checks have not all passed yet'),
  ('free',    'keep',     'passing',  'promote', 'all its checks have passed'),
  ('free',    'keep',     'healthy',  'wait',    'is healthy, but not yet for min_healthy_ms'),
  ('free',    'keep',     'unready',  'wait',    'is healthy, but the proxy does not give it requests yet'),
  ('free',    'keep',     'proven',   'none',    ''),
  ('free',    'keep',     'failing',  'fail',    'its checks fail'),
  ('free',    'keep',     'overdue',  'fail',    'it was not healthy within healthy_deadline_ms'),
  ('free',    'keep',     'exited',   'fail',    'its process ended'),
  ('free',    'keep',     'spent',    'fail',    'its process ended'),
  ('free',    'keep',     'gone',     'fail',    'its container was removed behind Rowlock''s back'),

  ('free',    'replaced', '*',        'retire',  'instances of the new spec take over'),
  ('free',    'surplus',  '*',        'retire',  'the count was lowered'),
  ('free',    'unwanted', '*',        'retire',  'its job or its node was deleted'),

  ('free',    'ended',    'none',     'none',    'is history'),
  ('free',    'ended',    'unpulled', 'none',    'is history'),
  ('free',    'ended',    'created',  'remove',  'it was never started'),
  ('free',    'ended',    'paused',   'stop',    'it is on its way out'),
  ('free',    'ended',    'starting', 'stop',    'it is on its way out'),
  ('free',    'ended',    'passing',  'stop',    'it is on its way out'),
  ('free',    'ended',    'healthy',  'stop',    'it is on its way out'),
  ('free',    'ended',    'unready',  'stop',    'it is on its way out'),
  ('free',    'ended',    'proven',   'stop',    'it is on its way out'),
  ('free',    'ended',    'failing',  'stop',    'it is on its way out'),
  ('free',    'ended',    'overdue',  'stop',    'it is on its way out'),
  ('free',    'ended',    'exited',   'collect', 'its last words are wanted'),
  ('free',    'ended',    'spent',    'none',    'is history'),
  ('free',    'ended',    'gone',     'none',    'is history'),

  ('free',    'expired',  'none',     'forget',  'nothing of it is left'),
  ('free',    'expired',  'unpulled', 'forget',  'nothing of it is left'),
  ('free',    'expired',  'created',  'remove',  'its history is no longer needed'),
  ('free',    'expired',  'paused',   'stop',    'it is on its way out'),
  ('free',    'expired',  'starting', 'stop',    'it is on its way out'),
  ('free',    'expired',  'passing',  'stop',    'it is on its way out'),
  ('free',    'expired',  'healthy',  'stop',    'it is on its way out'),
  ('free',    'expired',  'unready',  'stop',    'it is on its way out'),
  ('free',    'expired',  'proven',   'stop',    'it is on its way out'),
  ('free',    'expired',  'failing',  'stop',    'it is on its way out'),
  ('free',    'expired',  'overdue',  'stop',    'it is on its way out'),
  ('free',    'expired',  'exited',   'remove',  'its history is no longer needed'),
  ('free',    'expired',  'spent',    'remove',  'its history is no longer needed'),
  ('free',    'expired',  'gone',     'forget',  'nothing of it is left');

-- Every combination of facts that there can be.
CREATE VIEW instance_domain AS
SELECT hold.value AS hold, role.value AS role, state.value AS state
FROM json_each('["busy","blind","hinted","served","unarmed","backoff","free"]') AS hold
CROSS JOIN json_each('["keep","replaced","surplus","unwanted","ended","expired"]') AS role
CROSS JOIN json_each('["none","unpulled","created","paused","starting","passing","healthy","unready","proven","failing",
                       "overdue","exited","spent","gone"]') AS state;

CREATE VIEW instance_plan AS
SELECT 'instance' AS kind,
       f.job AS name,
       f.id AS target,
       r.step,
       r.reason,
       CASE WHEN f.hold = 'backoff'                                     THEN f.retry_at_ms
            WHEN f.hold = 'free' AND f.state IN ('starting', 'healthy') THEN f.deadline_at_ms END AS due_at_ms
FROM instance_fact AS f
CROSS JOIN instance_case AS r ON r.hold = f.hold AND r.role = f.role AND r.state = f.state
WHERE r.step <> 'none';

-- All that a worker needs to make a step.
CREATE VIEW instance_input AS
SELECT i.id AS target, i.id AS instance,
       i.job,
       i.name AS container,
       (SELECT id FROM home) AS home,
       n.node,
       n.driver,
       n.endpoint,
       COALESCE((SELECT d.arch FROM node AS d WHERE d.name = n.node), n.arch, '') AS arch,
       s.body AS spec,
       json_extract(s.body, '$.image') AS image,
       i.delivers,
       EXISTS (SELECT 1 FROM json_each(s.body, '$.secrets.files') AS f
               WHERE json_extract(f.value, '$.as') = 'env') AS has_secret_environment,
       COALESCE(j.stop_signal, i.stop_signal) AS stop_signal,
       COALESCE(j.stop_timeout_ms, i.stop_timeout_ms) AS stop_timeout_ms
FROM instance AS i
JOIN node_state AS n ON n.node = i.node
JOIN spec AS s ON s.id = i.spec
LEFT JOIN job AS j ON j.name = i.job;

-- @fill

DELETE FROM instance_case;
INSERT INTO instance_case (hold, role, state, step, reason)
SELECT d.hold, d.role, d.state, r.step, r.reason
FROM instance_domain AS d
JOIN instance_rule AS r ON r.hold = d.hold
                       AND (r.role = '*' OR r.role = d.role)
                       AND (r.state = '*' OR r.state = d.state);

-- @wake

CREATE TEMP TRIGGER wake_instance_insert AFTER INSERT ON instance BEGIN
  INSERT INTO dirty VALUES (NEW.job);
END;
CREATE TEMP TRIGGER wake_instance_update AFTER UPDATE ON instance BEGIN
  INSERT INTO dirty VALUES (NEW.job);
END;
CREATE TEMP TRIGGER wake_instance_delete AFTER DELETE ON instance BEGIN
  INSERT INTO dirty VALUES (OLD.job);
  INSERT INTO dirty VALUES (OLD.node);
END;

-- @run instance.hint

UPDATE instance SET hinted = 1 WHERE name = :target;

-- @run instance.promote

UPDATE instance SET healthy_at_ms = :now_ms, since_ms = :now_ms WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'healthy',
       'after ' || (:now_ms - COALESCE(started_at_ms, placed_at_ms)) || ' ms'
FROM instance
WHERE id = :target;

-- @run instance.fail

UPDATE instance
SET run         = 0,
    verdict     = 'failed',
    reason      = :reason
                  || CASE WHEN out_of_memory AND container = 'exited' THEN ': out of memory'
                          WHEN exit_code IS NOT NULL AND container = 'exited' THEN ' with exit code ' || exit_code
                          ELSE '' END
                  || COALESCE((SELECT ': ' || group_concat(c.name || ': ' || c.detail, '; ')
                               FROM check_state AS c
                               WHERE c.instance = instance.id AND c.failures > 0
                                 AND instance.container = 'running'), ''),
    ended_at_ms = :now_ms,
    since_ms    = :now_ms,
    tries       = 0,
    retry_at_ms = 0
WHERE id = :target;

UPDATE deployment
SET failures = failures + 1
FROM instance AS i
JOIN job AS j ON j.name = i.job
WHERE i.id = :target AND deployment.job = i.job AND deployment.current = 1 AND deployment.spec = i.spec
  AND i.placed_at_ms >= deployment.started_at_ms
  AND (i.healthy_at_ms IS NULL OR :now_ms < i.healthy_at_ms + j.min_healthy_ms);

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'failed', reason FROM instance WHERE id = :target;

-- @run instance.retire

UPDATE instance
SET run         = 0,
    verdict     = 'stopped',
    reason      = :reason,
    ended_at_ms = :now_ms,
    since_ms    = :now_ms,
    tries       = 0,
    retry_at_ms = 0
WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'retired', reason FROM instance WHERE id = :target;

-- @run instance.forget

DELETE FROM check_state WHERE instance = :target;
DELETE FROM instance WHERE id = :target;

-- @run instance.look.done

-- :state is 'gone' when the engine knows no such container; that of one that was never made stays 'none'.
UPDATE instance
SET hinted        = 0,
    container     = CASE WHEN :state = 'gone' AND container IN ('none', 'unpulled') THEN container ELSE :state END,
    -- The answer to its start may have been lost: then this is when it began.
    started_at_ms = CASE WHEN :state IN ('running', 'paused') THEN COALESCE(started_at_ms, :now_ms)
                         ELSE started_at_ms END,
    address       = :address,
    ports         = :ports,
    exit_code     = :exit_code,
    out_of_memory = :out_of_memory,
    -- the step at hand is the same: it goes on failing
    tries         = CASE WHEN container = :state THEN tries ELSE 0 END,
    since_ms      = CASE WHEN container = :state THEN since_ms ELSE :now_ms END
WHERE id = :target;

-- @run instance.look.failed

-- The next full observation of its node says the same, a little later.
UPDATE instance SET hinted = 0 WHERE id = :target;

-- @run instance.create.done

UPDATE instance SET container = 'created', tries = 0, detail = '', since_ms = :now_ms WHERE id = :target;

-- @run instance.create.absent

UPDATE instance SET container = 'unpulled', tries = 0, detail = '', since_ms = :now_ms WHERE id = :target;

-- @run instance.pull.done

UPDATE instance SET container = 'none', tries = 0, detail = '', since_ms = :now_ms WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'pulled', :image FROM instance WHERE id = :target;

-- @run instance.start.done

UPDATE instance
SET container     = :state,
    address       = :address,
    ports         = :ports,
    exit_code     = :exit_code,
    out_of_memory = :out_of_memory,
    tries         = 0,
    detail        = '',
    started_at_ms = :now_ms,
    since_ms      = :now_ms
WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'started', 'on ' || node FROM instance WHERE id = :target;

-- @run instance.resume.done

UPDATE instance SET container = 'running', tries = 0, detail = '', since_ms = :now_ms WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'resumed', 'it was paused behind our back' FROM instance WHERE id = :target;

-- @run instance.stop.done

UPDATE instance SET container = 'exited', address = '', tries = 0, detail = '', since_ms = :now_ms WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'stopped', reason FROM instance WHERE id = :target;

-- @run instance.collect.done

UPDATE instance
SET log           = :log,
    container     = CASE :state WHEN 'gone' THEN 'gone' ELSE container END,
    exit_code     = COALESCE(:exit_code, exit_code),
    out_of_memory = :out_of_memory,
    tries         = 0,
    detail        = ''
WHERE id = :target;

-- @run instance.remove.done

UPDATE instance SET container = 'gone', address = '', tries = 0, detail = '', since_ms = :now_ms WHERE id = :target;

-- @run instance.transient

-- The step is tried again after 0.5 s, then after twice as long each time up to a minute, with a jitter of a fifth that
-- is derived from the row, so that many instances do not come back at once and a replay gives the same.
UPDATE instance
SET tries       = tries + 1,
    detail      = :detail,
    retry_at_ms = :now_ms + min(60000, 500 << min(tries, 10)) * (100 + (id * 7919 + tries * 104729) % 20) / 100,
    -- An answer may be lost: what the container is now has to be looked up.
    hinted      = container IN ('created', 'running', 'paused', 'exited')
WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, :step || ' failed', :detail FROM instance WHERE id = :target AND tries <= 3;

-- @run instance.rejected

-- A step that is rejected for an instance on its way out is tried again, late: there is nothing else to do.
UPDATE instance SET tries = tries + 1, detail = :detail, retry_at_ms = :now_ms + 60000 WHERE id = :target AND run = 0;

UPDATE instance
SET run         = 0,
    verdict     = 'failed',
    rejected    = 1,
    reason      = :detail,
    detail      = '',
    ended_at_ms = :now_ms,
    since_ms    = :now_ms,
    tries       = 0
WHERE id = :target AND run = 1;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'rejected', :detail FROM instance WHERE id = :target;

-- @run instance.broken

UPDATE instance SET tries = tries + 1, detail = :detail, retry_at_ms = :now_ms + 60000 WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, :step || ' broken', :detail FROM instance WHERE id = :target;
