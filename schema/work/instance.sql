-- An instance is one running copy of a job: one container, started once. When it ends it stays ended, with its exit
-- code and its last words, and another takes its slot.
--
--   none ──create──▶ created ──start──▶ starting ──checks pass──▶ healthy ──min_healthy_ms──▶ proven
--     └─ unpulled ──pull─┘                 │                         │                          │
--                              deadline, exit, removal       failing checks, exit,      replaced, surplus,
--                                          ▼                   removal ▼                    unwanted ▼
--                                        failed ──stop──▶ exited ──collect the log──▶ spent ──remove──▶ gone
--
-- run = 1 is an instance that Rowlock keeps; run = 0 one that is on its way out, or history: there is no way back. The
-- last three of a job that failed are kept, container and all, for `why`; any other goes once it has stopped.

-- @kind instance
--   of:       instance.job
--   hold:     blind hinted served unarmed occupied free
--   role:     keep lent replaced surplus misplaced unwanted ended expired
--   state:    unresolved none unpulled created paused starting passing healthy unready proven ailing spared failing
--             overdue exited spent gone
--   retry:    500 ms to 1 min
--   looks:    look

-- @observed

CREATE TABLE instance (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  job             TEXT NOT NULL,
  slot            INTEGER NOT NULL,             -- no two live instances of a job share one
  -- from 1: no two live instances of a spec of the job share one, and who replaces it has the same (volume.sql)
  ordinal         INTEGER NOT NULL DEFAULT 0,
  spec            INTEGER NOT NULL,
  node            TEXT NOT NULL,
  -- the container's name, made from the id (job.place in placement.sql), so that a second create collides
  name            TEXT NOT NULL UNIQUE,
  run             INTEGER NOT NULL DEFAULT 1 CHECK (run IN (0, 1)),
  container       TEXT NOT NULL DEFAULT 'none'  -- what the engine last said; none: not made yet; gone: no longer there
                  CHECK (container IN ('none', 'unpulled', 'created', 'running', 'paused', 'exited', 'gone')),
  address         TEXT NOT NULL DEFAULT '',     -- where its ports answer
  ports           TEXT NOT NULL DEFAULT '[]',   -- published ports, as JSON: [{port, protocol, host_ip, host_port}]
  verdict         TEXT CHECK (verdict IN ('stopped', 'failed')),   -- how it ended, once run is 0
  reason          TEXT NOT NULL DEFAULT '',     -- why it ended
  rejected        INTEGER NOT NULL DEFAULT 0,   -- 1: the engine or the registry will not have it as it is
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
  spared_at_ms    INTEGER,                      -- kept since then, although its checks fail
  hinted          INTEGER NOT NULL DEFAULT 0,   -- 1: something happened to its container, look at it
  delivers        INTEGER NOT NULL DEFAULT 0,   -- 1: it is given a folder with secrets (delivery.sql)
  nonce           TEXT NOT NULL DEFAULT '',     -- a label of its container: one without it is not this instance
  volume_prefix   TEXT NOT NULL DEFAULT '',     -- what the names of the volumes begin with that it keeps
  keeps           INTEGER NOT NULL DEFAULT 0    -- 1: there are such volumes
);
CREATE UNIQUE INDEX instance_slot ON instance (job, slot) WHERE run = 1;
CREATE INDEX instance_by_job ON instance (job, run, slot);
CREATE INDEX instance_by_ordinal ON instance (job, ordinal, run);
CREATE INDEX instance_keeping ON instance (job, run, keeps);
CREATE INDEX instance_by_node ON instance (node, run, memory_mb, cpus);

-- @views

CREATE VIEW instance_fact AS
SELECT i.id,
       r.job AS name,
       CAST(i.id AS TEXT) AS target,
       CASE WHEN n.reach IS NOT 'reached'                             THEN 'blind'
            WHEN i.hinted                                             THEN 'hinted'
            -- A process that has ended cannot be waited for.
            WHEN i.run = 0 AND i.container IN ('running', 'paused')
                 AND EXISTS (SELECT 1 FROM route_hold AS w WHERE w.instance = i.id)     THEN 'served'
            WHEN i.delivers AND i.run AND (i.container = 'none' OR i.container = 'unpulled' OR i.container = 'created')
                 AND NOT EXISTS (SELECT 1 FROM delivery AS d WHERE d.instance = i.id AND d.state = 'there')
                                                                      THEN 'unarmed'
            WHEN i.run = 1 AND i.container = 'created'
                 AND ((o.update_order = 'stop_first' AND r.made_rank > j.count - r.active_count)
                      OR EXISTS (SELECT 1 FROM instance_barred AS b WHERE b.instance = i.id))
                                                                      THEN 'occupied'
            ELSE                                                           'free' END AS hold,
       CASE WHEN i.run = 0 AND (j.name IS NULL OR NOT r.failed)       THEN 'expired'
            -- The last failure in a slot stays: the restart delay is counted from it.
            WHEN i.run = 0 AND r.failed_rank > 3
                 AND (NOT r.fresh OR EXISTS (SELECT 1 FROM instance AS later
                                 WHERE later.job = i.job AND later.run IN (0, 1) AND later.slot = i.slot
                                   AND later.id > i.id))              THEN 'expired'
            WHEN i.run = 0                                            THEN 'ended'
            WHEN NOT r.has_node                                       THEN 'unwanted'
            WHEN i.container = 'running' AND r.lent_until_ms IS NOT NULL THEN 'lent'
            WHEN j.name IS NULL                                       THEN 'unwanted'
            -- Beside those that are kept although their checks fail stand others (job_room).
            WHEN r.fresh AND r.failing = 0
                 AND r.fresh_rank > j.count + CASE o.update_order
                                                WHEN 'start_first'
                                                THEN min(r.sick, j.max_parallel, max(0, o.least - r.able))
                                                ELSE 0 END            THEN 'surplus'
            -- It waits for one that does well and that the update policy keeps, and another ordinal has none.
            WHEN r.fresh AND r.awaits AND r.able <= o.least
                 AND EXISTS (SELECT 1 FROM job_node AS n
                             CROSS JOIN job_opening AS p ON p.job = i.job AND p.node = n.node
                             WHERE n.job = i.job AND n.obstacle = '' AND NOT p.is_beyond AND p.held < 2)
            THEN 'misplaced'
            WHEN r.fresh                                              THEN 'keep'
            WHEN i.container = 'none' OR i.container = 'unpulled' OR i.container = 'created' THEN 'replaced'
            WHEN r.awaited AND (NOT r.matured OR CASE WHEN r.failing > 0 THEN r.sick_rank > o.least - r.able
                                                      ELSE r.awaited_rank <= r.able - o.least END) THEN 'replaced'
            -- So many of the old spec stay until more of the new one are proven, or, with stop_first, ready to start:
            -- more may be than max_parallel, when that was just lowered.
            WHEN r.stale_rank > j.count - CASE o.update_order
                                            WHEN 'stop_first' THEN min(r.fresh_made, r.fresh_proven + j.max_parallel)
                                            ELSE r.fresh_proven END THEN 'replaced'
            ELSE                                                           'keep' END AS role,
       CASE WHEN i.container = 'exited' AND i.log IS NOT NULL         THEN 'spent'
            WHEN i.container = 'none' AND r.unresolved                THEN 'unresolved'
            WHEN i.container <> 'running'                             THEN i.container
            WHEN i.healthy_at_ms IS NULL AND r.unmet = 0              THEN 'passing'
            WHEN r.failing > 0 AND i.healthy_at_ms IS NOT NULL AND r.sick_rank <= o.least - r.able
            THEN CASE WHEN i.spared_at_ms IS NULL THEN 'ailing' ELSE 'spared' END
            WHEN r.failing > 0                                        THEN 'failing'
            WHEN r.proven_at_ms <= (SELECT now_ms FROM clock) AND r.unready > 0 THEN 'unready'
            WHEN r.proven_at_ms <= (SELECT now_ms FROM clock)         THEN 'proven'
            WHEN i.healthy_at_ms IS NOT NULL                          THEN 'healthy'
            -- Nobody is late who was not asked.
            WHEN r.unasked                                            THEN 'starting'
            WHEN j.healthy_deadline_ms + max(r.begun_from_ms, (SELECT watched_from_ms FROM clock))
                 <= (SELECT now_ms FROM clock)                        THEN 'overdue'
            ELSE                                                           'starting' END AS state,
       -- For all that wait for a moment: until it is proven, or has not become healthy in time.
       CASE WHEN i.run = 1 AND r.lent_until_ms < 9e15 THEN r.lent_until_ms
            WHEN i.healthy_at_ms IS NOT NULL THEN r.proven_at_ms
            WHEN r.unasked                   THEN NULL
            ELSE j.healthy_deadline_ms + max(r.begun_from_ms, (SELECT watched_from_ms FROM clock)) END AS due_at_ms
FROM instance_rank AS r
CROSS JOIN instance AS i ON i.id = r.id
LEFT JOIN job AS j ON j.name = i.job
LEFT JOIN job_order AS o ON o.job = i.job
LEFT JOIN node_state AS n ON n.node = i.node;

-- '*' stands for every value. Every (hold, role, state) matches exactly one row; tests/schema walks them all.
CREATE VIEW instance_rule (hold, role, state, step, reason) AS VALUES
  ('blind',   '*',        '*',        'wait',    'its node cannot be reached'),
  ('hinted',  '*',        '*',        'look',    'the engine said that something happened to it'),
  ('served',  '*',        '*',        'wait',    'the proxy has not let go of it yet'),
  ('unarmed', 'keep',     '*',        'wait',    'its secrets are not there yet'),
  ('unarmed', 'lent',     '*',        'none',    'only what runs is kept so'),
  ('unarmed', 'replaced', '*',        'retire',  'instances of the new spec take over'),
  ('unarmed', 'surplus',  '*',        'retire',  'more run than are wanted'),
  ('unarmed', 'misplaced', '*',       'retire',  'another ordinal of its job needs an instance more'),
  ('unarmed', 'unwanted', '*',        'retire',  'its job or its node was deleted'),
  ('unarmed', 'ended',    '*',        'none',    'needs none any more'),
  ('unarmed', 'expired',  '*',        'none',    'needs none any more'),
  ('occupied', 'keep',    '*',        'wait',    'it is made; starts when the one whose place it takes has ended'),
  ('occupied', 'lent',    '*',        'none',    'only what runs is kept so'),
  ('occupied', 'replaced', '*',       'retire',  'instances of the new spec take over'),
  ('occupied', 'surplus', '*',        'retire',  'more run than are wanted'),
  ('occupied', 'misplaced', '*',      'retire',  'another ordinal of its job needs an instance more'),
  ('occupied', 'unwanted', '*',       'retire',  'its job or its node was deleted'),
  ('occupied', 'ended',   '*',        'none',    'is on its way out'),
  ('occupied', 'expired', '*',        'none',    'is on its way out'),

  ('free',    'keep',     'unresolved', 'resolve', 'what its image''s tag stands for is not known yet'),
  ('free',    'keep',     'none',     'create',  'it has no container yet'),
  ('free',    'keep',     'unpulled', 'pull',    'its image is not on the node'),
  ('free',    'keep',     'created',  'start',   'its container is made'),
  ('free',    'keep',     'paused',   'resume',  'it was paused behind Rowlock''s back'),
  ('free',    'keep',     'starting', 'wait',    'its checks have not all passed yet'),
  ('free',    'keep',     'passing',  'promote', 'all its checks have passed'),
  ('free',    'keep',     'healthy',  'wait',    'is healthy, but not yet for min_healthy_ms'),
  ('free',    'keep',     'unready',  'wait',    'is healthy, but the proxy does not give it requests yet'),
  ('free',    'keep',     'proven',   'none',    ''),
  ('free',    'keep',     'ailing',   'spare',   'its checks fail, and too few others do well'),
  ('free',    'keep',     'spared',   'wait',    'its checks fail, and it is kept until enough others do well'),
  ('free',    'keep',     'failing',  'fail',    'its checks fail'),
  ('free',    'keep',     'overdue',  'fail',    'it was not healthy within healthy_deadline_ms'),
  ('free',    'keep',     'exited',   'fail',    'its process ended'),
  ('free',    'keep',     'spent',    'fail',    'its process ended'),
  ('free',    'keep',     'gone',     'fail',    'its container was removed behind Rowlock''s back'),

  ('free',    'lent',     'unresolved', 'none',  'only what runs is kept so'),
  ('free',    'lent',     'none',     'none',    'only what runs is kept so'),
  ('free',    'lent',     'unpulled', 'none',    'only what runs is kept so'),
  ('free',    'lent',     'created',  'none',    'only what runs is kept so'),
  ('free',    'lent',     'paused',   'none',    'only what runs is kept so'),
  ('free',    'lent',     'exited',   'none',    'only what runs is kept so'),
  ('free',    'lent',     'spent',    'none',    'only what runs is kept so'),
  ('free',    'lent',     'gone',     'none',    'only what runs is kept so'),
  ('free',    'lent',     'starting', 'wait',    'it stays until what its route leads to now is ready'),
  ('free',    'lent',     'passing',  'wait',    'it stays until what its route leads to now is ready'),
  ('free',    'lent',     'healthy',  'wait',    'it stays until what its route leads to now is ready'),
  ('free',    'lent',     'unready',  'wait',    'it stays until what its route leads to now is ready'),
  ('free',    'lent',     'proven',   'wait',    'it stays until what its route leads to now is ready'),
  ('free',    'lent',     'ailing',   'spare',   'its checks fail, and too few others do well'),
  ('free',    'lent',     'spared',   'wait',    'its checks fail, and it is kept until enough others do well'),
  ('free',    'lent',     'failing',  'fail',    'its checks fail'),
  ('free',    'lent',     'overdue',  'fail',    'it was not healthy within healthy_deadline_ms'),

  ('free',    'replaced', '*',        'retire',  'instances of the new spec take over'),
  ('free',    'surplus',  '*',        'retire',  'more run than are wanted'),
  ('free',    'misplaced', '*',       'retire',  'another ordinal of its job needs an instance more'),
  ('free',    'unwanted', '*',        'retire',  'its job or its node was deleted'),

  ('free',    'ended',    'unresolved', 'none',  'is history'),
  ('free',    'ended',    'none',     'none',    'is history'),
  ('free',    'ended',    'unpulled', 'none',    'is history'),
  ('free',    'ended',    'created',  'remove',  'it was never started'),
  ('free',    'ended',    'paused',   'stop',    'it is on its way out'),
  ('free',    'ended',    'starting', 'stop',    'it is on its way out'),
  ('free',    'ended',    'passing',  'stop',    'it is on its way out'),
  ('free',    'ended',    'healthy',  'stop',    'it is on its way out'),
  ('free',    'ended',    'unready',  'stop',    'it is on its way out'),
  ('free',    'ended',    'proven',   'stop',    'it is on its way out'),
  ('free',    'ended',    'ailing',   'stop',    'it is on its way out'),
  ('free',    'ended',    'spared',   'stop',    'it is on its way out'),
  ('free',    'ended',    'failing',  'stop',    'it is on its way out'),
  ('free',    'ended',    'overdue',  'stop',    'it is on its way out'),
  ('free',    'ended',    'exited',   'collect', 'its last words are wanted'),
  ('free',    'ended',    'spent',    'none',    'is history'),
  ('free',    'ended',    'gone',     'none',    'is history'),

  ('free',    'expired',  'unresolved', 'forget', 'nothing of it is left'),
  ('free',    'expired',  'none',     'forget',  'nothing of it is left'),
  ('free',    'expired',  'unpulled', 'forget',  'nothing of it is left'),
  ('free',    'expired',  'created',  'remove',  'its history is no longer needed'),
  ('free',    'expired',  'paused',   'stop',    'it is on its way out'),
  ('free',    'expired',  'starting', 'stop',    'it is on its way out'),
  ('free',    'expired',  'passing',  'stop',    'it is on its way out'),
  ('free',    'expired',  'healthy',  'stop',    'it is on its way out'),
  ('free',    'expired',  'unready',  'stop',    'it is on its way out'),
  ('free',    'expired',  'proven',   'stop',    'it is on its way out'),
  ('free',    'expired',  'ailing',   'stop',    'it is on its way out'),
  ('free',    'expired',  'spared',   'stop',    'it is on its way out'),
  ('free',    'expired',  'failing',  'stop',    'it is on its way out'),
  ('free',    'expired',  'overdue',  'stop',    'it is on its way out'),
  ('free',    'expired',  'exited',   'remove',  'its history is no longer needed'),
  ('free',    'expired',  'spent',    'remove',  'its history is no longer needed'),
  ('free',    'expired',  'gone',     'forget',  'nothing of it is left');

-- All that a worker needs to make a step.
CREATE VIEW instance_input AS
SELECT i.id AS target, i.id AS instance,
       i.job,
       i.name AS container,
       i.nonce,
       i.volume_prefix,
       (SELECT id FROM home) AS home,
       n.node,
       n.driver,
       n.endpoint,
       COALESCE((SELECT d.arch FROM node AS d WHERE d.name = n.node), n.arch, '') AS arch,
       s.body AS spec,
       g.reference,
       CASE g.image WHEN '' THEN g.reference ELSE g.image END AS image,
       g.mirror,
       g.registry_secret,
       COALESCE(j.pull, 'missing') AS pull,
       i.delivers,
       EXISTS (SELECT 1 FROM json_each(s.body, '$.secrets.files') AS f
               WHERE json_extract(f.value, '$.as') = 'env') AS has_secret_environment,
       COALESCE(j.stop_signal, i.stop_signal) AS stop_signal,
       COALESCE(j.stop_timeout_ms, i.stop_timeout_ms) AS stop_timeout_ms,
       EXISTS (SELECT 1 FROM deployment AS d
               WHERE d.job = i.job AND d.current = 1 AND d.state = 'running') AS turn
FROM instance AS i
JOIN node_state AS n ON n.node = i.node
JOIN spec AS s ON s.id = i.spec
JOIN spec_image AS g ON g.spec = i.spec
LEFT JOIN job AS j ON j.name = i.job;

-- @wake

CREATE TEMP TRIGGER wake_instance_gone AFTER DELETE ON instance BEGIN INSERT INTO dirty VALUES (OLD.node); END;
-- @begin

UPDATE instance SET hinted = 1
WHERE id IN (SELECT CAST(target AS INTEGER) FROM attempt
             WHERE kind = 'instance' AND outcome = 'lost' AND finished_at_ms = :now_ms);

-- @run instance.hint

UPDATE instance SET hinted = 1 WHERE name = :target;

-- @run instance.promote

UPDATE instance SET healthy_at_ms = :now_ms, since_ms = :now_ms WHERE id = :target;

-- What its spec was rejected for is mended.
DELETE FROM retry
WHERE kind = 'job' AND target = :name
  AND EXISTS (SELECT 1 FROM instance AS i JOIN deployment AS d ON d.job = i.job AND d.current = 1 AND d.spec = i.spec
              WHERE i.id = :target);

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'healthy',
       'after ' || (:now_ms - COALESCE(started_at_ms, placed_at_ms)) || ' ms'
FROM instance
WHERE id = :target;

-- @run instance.spare

UPDATE instance SET spared_at_ms = :now_ms, since_ms = :now_ms WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'kept', :reason FROM instance WHERE id = :target;

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
    since_ms    = :now_ms
WHERE id = :target;

DELETE FROM retry WHERE kind = 'instance' AND target = :target;   -- it holds up none of its last steps

UPDATE deployment
SET failures = failures + 1
FROM instance AS i
JOIN job AS j ON j.name = i.job
WHERE i.id = :target AND deployment.job = i.job AND deployment.current = 1 AND deployment.spec = i.spec
  AND i.placed_at_ms >= deployment.started_at_ms
  AND (i.healthy_at_ms IS NULL
       OR :now_ms < i.healthy_at_ms + j.min_healthy_ms
                    + COALESCE((SELECT sum(g.length_ms) FROM gap AS g WHERE g.until_ms > i.healthy_at_ms), 0));

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'failed', reason FROM instance WHERE id = :target;

-- @run instance.retire

UPDATE instance
SET run         = 0,
    verdict     = 'stopped',
    reason      = :reason,
    ended_at_ms = :now_ms,
    since_ms    = :now_ms
WHERE id = :target;

DELETE FROM retry WHERE kind = 'instance' AND target = :target;   -- as above

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'retired', reason FROM instance WHERE id = :target;

-- @run instance.forget

INSERT OR REPLACE INTO let_go (instance, nonce) SELECT id, nonce FROM instance WHERE id = :target;
DELETE FROM check_state WHERE instance = :target;
DELETE FROM instance_mount WHERE instance = :target;
DELETE FROM instance WHERE id = :target;

-- @run instance.look.done

-- In another state, another step is at hand than the one that failed.
DELETE FROM retry
WHERE kind = 'instance' AND target = :target
  AND EXISTS (SELECT 1 FROM instance WHERE id = :target AND container <> :state);

-- :state is 'gone' when the engine knows no such container; that of one that was never made stays 'none'. So does one
-- that was made unheard: it is made again, and that says which volumes it keeps.
UPDATE instance
SET hinted        = 0,
    container     = CASE WHEN :state = 'gone' AND container IN ('none', 'unpulled') THEN container
                         WHEN :state = 'created' AND container IN ('none', 'unpulled') AND run = 1 THEN container
                         ELSE :state END,
    -- The answer to its start may have been lost: then this is when it began.
    started_at_ms = CASE WHEN :state IN ('running', 'paused') THEN COALESCE(started_at_ms, :now_ms)
                         ELSE started_at_ms END,
    address       = :address,
    ports         = :ports,
    exit_code     = :exit_code,
    out_of_memory = :out_of_memory,
    since_ms      = CASE WHEN container = :state THEN since_ms ELSE :now_ms END
WHERE id = :target;

-- @run instance.look.failed

-- The next full observation of its node says the same, a little later.
UPDATE instance SET hinted = 0 WHERE id = :target;

-- @run instance.create.absent

UPDATE instance SET container = 'unpulled', since_ms = :now_ms WHERE id = :target;

-- @run instance.create.taken

-- Its name is that of another container, as when an older state.db was put back. Another instance gets another name.
UPDATE instance
SET run         = 0,
    verdict     = 'stopped',
    reason      = :detail,
    ended_at_ms = :now_ms,
    since_ms    = :now_ms
WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'collided', reason FROM instance WHERE id = :target;

-- @run instance.start.done

UPDATE instance
SET container     = :state,
    address       = :address,
    ports         = :ports,
    exit_code     = :exit_code,
    out_of_memory = :out_of_memory,
    started_at_ms = :now_ms,
    since_ms      = :now_ms
WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'started', 'on ' || node FROM instance WHERE id = :target;

-- @run instance.resume.done

UPDATE instance SET container = 'running', since_ms = :now_ms WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'resumed', 'it was paused behind our back' FROM instance WHERE id = :target;

-- @run instance.stop.done

UPDATE instance SET container = 'exited', address = '', since_ms = :now_ms WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'stopped', reason FROM instance WHERE id = :target;

-- @run instance.collect.done

UPDATE instance
SET log           = :log,
    container     = CASE :state WHEN 'gone' THEN 'gone' ELSE container END,
    exit_code     = COALESCE(:exit_code, exit_code),
    out_of_memory = :out_of_memory
WHERE id = :target;

-- @run instance.remove.done

UPDATE instance SET container = 'gone', address = '', since_ms = :now_ms WHERE id = :target;

-- @run instance.failed

-- An answer may be lost: what the container is now has to be looked up.
UPDATE instance SET hinted = :outcome = 'transient' AND container IN ('created', 'running', 'paused', 'exited')
WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', i.job, i.name,
       :step || CASE :outcome WHEN 'broken' THEN ' broken' ELSE ' failed' END, :detail
FROM instance AS i
JOIN retry AS h ON h.kind = 'instance' AND h.target = :target AND h.step = :step AND h.tries <= 3
WHERE i.id = :target;

-- @run instance.rejected

-- One that is wanted has failed by that, and its last steps are not held up: it is its job that waits with another one.
-- For one on its way out there is nothing else to do than to try again.
INSERT INTO retry (kind, target, name, step, tries, retry_at_ms, detail, rejected, since_ms)
SELECT 'job', i.job, i.job, 'place', 1,
       -- As kernel/retry.sql: a minute and up to a fifth more, twice as long each time, an hour at most.
       CASE WHEN h.retry_at_ms IS NOT NULL THEN :now_ms + 60000 + (h.retry_at_ms - :now_ms) % 12000 END,
       h.detail, 1, :now_ms
FROM instance AS i
JOIN deployment AS d ON d.job = i.job AND d.current = 1 AND d.spec = i.spec   -- what an older spec met is of the past
JOIN retry AS h ON h.kind = 'instance' AND h.target = :target AND h.step = :step
WHERE i.id = :target AND i.run = 1
-- Others in its place may be rejected in the same moment: that is one try.
ON CONFLICT (kind, target, step) DO UPDATE
SET tries       = tries + 1,
    retry_at_ms = :now_ms + min(3600000, (excluded.retry_at_ms - :now_ms) << min(tries, 10)),
    detail      = excluded.detail
WHERE retry_at_ms <= :now_ms;

DELETE FROM retry
WHERE kind = 'instance' AND target = :target AND EXISTS (SELECT 1 FROM instance WHERE id = :target AND run = 1);

UPDATE instance
SET run         = 0,
    verdict     = 'failed',
    rejected    = 1,
    reason      = :detail,
    ended_at_ms = :now_ms,
    since_ms    = :now_ms
WHERE id = :target AND run = 1;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'rejected', :detail FROM instance WHERE id = :target;
