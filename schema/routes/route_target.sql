-- An instance in a route, and the proof of each cut-over. It starts down. It is made ready when all its checks have
-- passed in a row; it is stopped only after the proxy has acknowledged that it gives it no more requests, and those
-- under way have ended (or drain_timeout_ms is over). What the proxy acknowledged is read back from it, never assumed.
--
--   listed ──checks pass──▶ wanted ready ──admit──▶ acknowledged ready
--                                 │ leaves, fails, ends            │
--                                 ▼                                ▼
--                            wanted down ──drain──▶ acknowledged down ──requests end──▶ let go ──it ends──▶ over
--
-- Rows stay as history: they and `event` tell when each instance was proven, made ready, drained, let go and stopped.

-- @kind route_target
--   of:     route.job route.next_job route_target.job
--   hold:   blind reloading free
--   role:   new waiting proven parting lent returned leaving dropped over
--   state:  idle released written draining unseen open unplaced due unsure serving
--   retry:  50 ms to 5 s

-- @observed

CREATE TABLE route_target (
  target               TEXT PRIMARY KEY NOT NULL,          -- ROUTE/INSTANCE
  route                TEXT NOT NULL,
  job                  TEXT NOT NULL,
  instance             INTEGER NOT NULL,
  name                 TEXT NOT NULL,                      -- the container's
  slot                 INTEGER,                            -- where it stands in the proxy; NULL once it is over
  wanted               TEXT NOT NULL DEFAULT 'down' CHECK (wanted IN ('down', 'ready')),
  reason               TEXT NOT NULL DEFAULT '',           -- of what is wanted
  address              TEXT NOT NULL DEFAULT '',           -- what the proxy is told
  port                 INTEGER NOT NULL DEFAULT 0,
  weight               INTEGER NOT NULL DEFAULT 1,
  acknowledged         TEXT NOT NULL DEFAULT 'absent'      -- what the proxy said last; absent: it has no such slot
                       CHECK (acknowledged IN ('absent', 'down', 'ready')),
  acknowledged_address TEXT NOT NULL DEFAULT '',
  acknowledged_port    INTEGER NOT NULL DEFAULT 0,
  acknowledged_weight  INTEGER NOT NULL DEFAULT 0,
  acknowledged_at_ms   INTEGER,                            -- moment at which it said so
  asked_at_ms          INTEGER,                            -- moment at which it was asked that
  sessions             INTEGER NOT NULL DEFAULT 0,         -- requests under way
  lingers              INTEGER NOT NULL DEFAULT 0,         -- 1: a worker from before a reload may still give it some
  -- what had passed in a row when it was made ready: JSON, [{check, type, passes, of, at_ms}]
  evidence             TEXT NOT NULL DEFAULT '[]',
  content              INTEGER NOT NULL DEFAULT 0,         -- of the configuration that says what is wanted
  written_at_ms        INTEGER,                            -- moment from which that was in the file
  drain_timeout_ms     INTEGER NOT NULL DEFAULT 30000,     -- as its job had it last
  listed_at_ms         INTEGER NOT NULL,
  proven_at_ms         INTEGER,                            -- all its checks had passed
  ready_at_ms          INTEGER,                            -- first acknowledged as ready
  withdrawn_at_ms      INTEGER,                            -- to be given no more requests
  drained_at_ms        INTEGER,                            -- acknowledged as down
  let_go_at_ms         INTEGER,                            -- may be stopped
  lent_at_ms           INTEGER,                            -- kept since then, though the route leads elsewhere
  ended_at_ms          INTEGER,                            -- its process has ended, and its slot is free
  since_ms             INTEGER NOT NULL,
  look_at_ms           INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX route_target_slot ON route_target (route, slot) WHERE slot IS NOT NULL;
CREATE INDEX route_target_live ON route_target (job) WHERE ended_at_ms IS NULL;
CREATE INDEX route_target_live_by_route ON route_target (route) WHERE ended_at_ms IS NULL;
CREATE INDEX route_target_by_instance ON route_target (instance, route);
CREATE INDEX route_target_ended ON route_target (ended_at_ms);

-- @views

CREATE VIEW route_target_fact AS
SELECT s.job AS name,
       s.target,
       CASE WHEN s.role IN ('leaving', 'dropped') AND s.state = 'draining'
            THEN min(s.look_at_ms, s.let_go_by_ms)
            WHEN s.role = 'lent' THEN s.lent_until_ms END AS due_at_ms,
       s.let_go_by_ms,
       s.address, s.port, s.weight,
       -- To be given no more requests is a change of rows, for which the proxy need not be there.
       CASE WHEN (s.role = 'waiting' OR s.role = 'leaving' OR s.role = 'dropped' OR s.role = 'over')
             AND (s.state = 'unplaced' OR s.state = 'due' OR s.state = 'serving' OR s.state = 'unsure') THEN 'free'
            WHEN s.role IN ('parting', 'returned') THEN 'free'
            ELSE s.hold END AS hold,
       s.role,
       s.state
FROM (SELECT DISTINCT * FROM route_target_stand) AS s   -- each column is found once
UNION ALL
SELECT p.job, p.route || '/' || p.instance, NULL, NULL, NULL, NULL, NULL, 'free', 'new', 'idle'
FROM route_pair AS p
WHERE p.container NOT IN ('exited', 'gone')
  AND NOT EXISTS (SELECT 1 FROM route_target AS t
                  WHERE t.instance = p.instance AND t.route = p.route AND t.ended_at_ms IS NULL);

-- '*' stands for every value.
CREATE VIEW route_target_rule (hold, role, state, step, reason) AS VALUES
  ('blind',   '*',       '*',        'wait',     'the proxy cannot be reached'),
  ('reloading', '*',     '*',        'wait',     'the proxy takes another configuration'),

  ('free',    'new',     '*',        'list',     'it is to stand in the route'),

  ('free',    'waiting', 'idle',     'wait',     'its checks have not all passed in a row yet'),
  ('free',    'waiting', 'released', 'wait',     'its checks have not all passed in a row yet'),
  ('free',    'waiting', 'written',  'wait',     'its checks have not all passed in a row yet'),
  ('free',    'waiting', 'draining', 'wait',     'its checks have not all passed in a row yet'),
  ('free',    'waiting', 'unseen',   'wait',     'its checks have not all passed in a row yet'),
  ('free',    'waiting', 'open',     'drain',    'its checks do not pass any more'),
  ('free',    'waiting', 'unplaced', 'withdraw', 'its checks do not pass any more'),
  ('free',    'waiting', 'due',      'withdraw', 'its checks do not pass any more'),
  ('free',    'waiting', 'serving',  'withdraw', 'its checks do not pass any more'),
  ('free',    'waiting', 'unsure',   'withdraw', 'its checks do not pass any more'),

  ('free',    'proven',  'idle',     'prove',    'all its checks have passed in a row'),
  ('free',    'proven',  'released', 'prove',    'all its checks have passed in a row'),
  ('free',    'proven',  'written',  'prove',    'all its checks have passed in a row'),
  ('free',    'proven',  'draining', 'prove',    'all its checks have passed in a row'),
  ('free',    'proven',  'unseen',   'prove',    'all its checks have passed in a row'),
  ('free',    'proven',  'open',     'prove',    'all its checks have passed in a row'),
  ('free',    'proven',  'unplaced', 'wait',     'the proxy has no slot for it until it has reloaded'),
  ('free',    'proven',  'due',      'admit',    'the proxy does not give it requests as it should'),
  ('free',    'proven',  'unsure',   'look',     'the proxy was not asked since the file was written'),
  ('free',    'proven',  'serving',  'none',     ''),

  ('free',    'parting', '*',        'lend',     'the route leads elsewhere, where nothing is ready yet'),
  ('free',    'returned', '*',       'regain',   'the route leads to it again'),

  ('free',    'lent',    'idle',     'none',     'only what is given requests is kept so'),
  ('free',    'lent',    'released', 'none',     'only what is given requests is kept so'),
  ('free',    'lent',    'written',  'none',     'only what is given requests is kept so'),
  ('free',    'lent',    'draining', 'none',     'only what is given requests is kept so'),
  ('free',    'lent',    'unseen',   'none',     'only what is given requests is kept so'),
  ('free',    'lent',    'open',     'none',     'only what is given requests is kept so'),
  ('free',    'lent',    'unplaced', 'wait',     'the proxy has no slot for it until it has reloaded'),
  ('free',    'lent',    'due',      'admit',    'the proxy does not give it requests as it should'),
  ('free',    'lent',    'unsure',   'look',     'the proxy was not asked since the file was written'),
  ('free',    'lent',    'serving',  'wait',     'it is kept until what the route leads to is ready'),

  ('free',    'leaving', 'unplaced', 'withdraw', 'it is on its way out'),
  ('free',    'leaving', 'due',      'withdraw', 'it is on its way out'),
  ('free',    'leaving', 'serving',  'withdraw', 'it is on its way out'),
  ('free',    'leaving', 'unsure',   'withdraw', 'it is on its way out'),
  ('free',    'leaving', 'open',     'drain',    'it is on its way out'),
  ('free',    'leaving', 'written',  'wait',     'the configuration without it is not written yet'),
  ('free',    'leaving', 'draining', 'wait',     'requests are under way'),
  ('free',    'leaving', 'unseen',   'look',     'requests were under way, or it was not asked since'),
  ('free',    'leaving', 'idle',     'release',  'it is given no more requests, and none is under way'),
  ('free',    'leaving', 'released', 'none',     'it may be stopped'),

  ('free',    'dropped', 'unplaced', 'withdraw', 'the route does not send to it any more'),
  ('free',    'dropped', 'due',      'withdraw', 'the route does not send to it any more'),
  ('free',    'dropped', 'serving',  'withdraw', 'the route does not send to it any more'),
  ('free',    'dropped', 'unsure',   'withdraw', 'the route does not send to it any more'),
  ('free',    'dropped', 'open',     'drain',    'the route does not send to it any more'),
  ('free',    'dropped', 'written',  'wait',     'the configuration without it is not written yet'),
  ('free',    'dropped', 'draining', 'wait',     'requests are under way'),
  ('free',    'dropped', 'unseen',   'look',     'requests were under way'),
  ('free',    'dropped', 'idle',     'forget',   'the route does not send to it any more'),
  ('free',    'dropped', 'released', 'forget',   'the route does not send to it any more'),

  ('free',    'over',    'unplaced', 'withdraw', 'its process has ended'),
  ('free',    'over',    'due',      'withdraw', 'its process has ended'),
  ('free',    'over',    'serving',  'withdraw', 'its process has ended'),
  ('free',    'over',    'unsure',   'withdraw', 'its process has ended'),
  ('free',    'over',    'open',     'drain',    'its process has ended'),
  ('free',    'over',    'written',  'wait',     'the configuration without it is not written yet'),
  ('free',    'over',    'draining', 'forget',   'its process has ended'),
  ('free',    'over',    'unseen',   'look',     'the proxy was not asked since'),
  ('free',    'over',    'idle',     'forget',   'its process has ended'),
  ('free',    'over',    'released', 'forget',   'its process has ended');

-- All that a worker needs to make a step.
CREATE VIEW route_target_input AS
SELECT t.target, t.route, t.slot, t.address, t.port, t.weight, s.socket
FROM route_target AS t
JOIN proxy_setting AS s;

-- The routes that hold an instance: it may still be given requests, or has some under way.
CREATE VIEW route_hold AS
SELECT t.instance, t.route
FROM route_target AS t
WHERE t.ended_at_ms IS NULL AND t.proven_at_ms IS NOT NULL AND t.let_go_at_ms IS NULL;

CREATE VIEW route_target_why AS
SELECT 'route_target' AS kind,
       f.name,
       f.target,
       t.name || ' in route ' || t.route || ': ' || COALESCE(h.detail, r.reason)
         || CASE WHEN f.state IN ('draining', 'unseen') THEN ' (' || t.sessions || ', at most for '
                      || max(0, (f.let_go_by_ms - (SELECT now_ms FROM clock) + 999) / 1000) || ' s)' ELSE '' END
         AS reason,
       t.since_ms
FROM route_target_fact AS f
JOIN route_target AS t ON t.target = f.target
CROSS JOIN route_target_case AS r ON r.hold = f.hold AND r.role = f.role AND r.state = f.state
LEFT JOIN retry AS h ON h.kind = 'route_target' AND h.target = f.target AND h.step = r.step
WHERE r.step <> 'none';

-- @wake

CREATE TEMP TRIGGER wake_route_target_insert AFTER INSERT ON route_target BEGIN
  INSERT INTO dirty VALUES (NEW.route);
END;
-- What the configuration says of it has changed.
CREATE TEMP TRIGGER wake_route_target_content AFTER UPDATE OF wanted, address, port, weight ON route_target
WHEN NEW.wanted <> OLD.wanted
  OR (NEW.wanted = 'ready'
      AND (NEW.address <> OLD.address OR NEW.port <> OLD.port OR NEW.weight <> OLD.weight)) BEGIN
  UPDATE proxy_state SET content = content + 1;
END;
-- What the proxy gives requests matters to the others in the route.
CREATE TEMP TRIGGER wake_route_target_ready AFTER UPDATE OF acknowledged ON route_target
WHEN NEW.acknowledged <> OLD.acknowledged BEGIN
  INSERT INTO dirty SELECT job FROM route_target WHERE route = NEW.route AND ended_at_ms IS NULL;
END;
-- With two jobs in a route, so have the shares of the others.
CREATE TEMP TRIGGER wake_route_target_share AFTER UPDATE OF wanted ON route_target WHEN NEW.wanted <> OLD.wanted BEGIN
  INSERT INTO dirty SELECT job FROM route WHERE name = NEW.route AND next_job IS NOT NULL;
  INSERT INTO dirty SELECT next_job FROM route WHERE name = NEW.route AND next_job IS NOT NULL;
END;
CREATE TEMP TRIGGER wake_route_target_ended AFTER UPDATE OF ended_at_ms ON route_target
WHEN NEW.ended_at_ms IS NOT NULL BEGIN
  INSERT INTO dirty VALUES (NEW.route), ('proxy');
END;

-- @prune

DELETE FROM route_target
WHERE ended_at_ms < (SELECT ended_at_ms FROM route_target WHERE ended_at_ms IS NOT NULL
                     ORDER BY ended_at_ms DESC LIMIT 1 OFFSET 10000);

-- @run route_target.list

-- It may have stood in it before: of that, the events tell.
DELETE FROM route_target WHERE target = :target AND ended_at_ms IS NOT NULL;

-- The lowest free slot. The route gets more of them when there is none (route.sql).
INSERT INTO route_target (target, route, job, instance, name, slot, acknowledged, drain_timeout_ms, listed_at_ms,
                          since_ms)
SELECT p.route || '/' || p.instance,
       p.route,
       p.job,
       p.instance,
       p.name,
       s.number,
       CASE WHEN r.generation <= x.running_generation AND s.number <= r.slots THEN 'down' ELSE 'absent' END,
       j.drain_timeout_ms,
       :now_ms,
       :now_ms
FROM route_pair AS p
JOIN job AS j ON j.name = p.job
JOIN slot AS s ON s.number = (SELECT min(f.number) FROM slot AS f
                              WHERE f.number > 0
                                AND NOT EXISTS (SELECT 1 FROM route_target AS t
                                                WHERE t.route = p.route AND t.slot = f.number))
JOIN proxy_state AS x
LEFT JOIN route_state AS r ON r.route = p.route
WHERE p.job = :name AND p.route || '/' || p.instance = :target;

-- @run route_target.prove

-- Not one that another step of the same plan has just taken out.
UPDATE route_target
SET wanted          = 'ready',
    reason          = :reason,
    (address, port, weight) = (SELECT f.address, f.port, f.weight FROM route_target_fact AS f
                               WHERE f.name = :name AND f.target = :target),
    evidence        = (SELECT json_group_array(json_object('check', c.name, 'type', c.type, 'passes', s.passes,
                                                           'of', c.passes, 'at_ms', s.since_ms))
                       FROM (SELECT name, type, passes FROM job_check WHERE job = :name
                             UNION ALL
                             SELECT name, 'tcp', passes FROM route_check WHERE job = :name) AS c
                       LEFT JOIN check_state AS s ON s.instance = route_target.instance AND s.name = c.name),
    content         = (SELECT content + 1 FROM proxy_state),   -- which this very change begins
    written_at_ms   = NULL,
    proven_at_ms    = :now_ms,
    withdrawn_at_ms = NULL,
    drained_at_ms   = NULL,
    let_go_at_ms    = NULL,
    since_ms        = :now_ms
WHERE target = :target
  AND EXISTS (SELECT 1 FROM route_target_fact AS f WHERE f.name = :name AND f.target = :target AND f.role = 'proven');

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'route_target', job, name, 'proven', 'for route ' || route || ': ' || evidence
FROM route_target
WHERE target = :target AND wanted = 'ready';

-- @run route_target.admit

UPDATE route_target SET address = f.address, port = f.port, weight = f.weight
FROM (SELECT target, address, port, weight FROM route_target_fact
      WHERE name = :name AND target = :target AND role IN ('proven', 'lent')) AS f
WHERE route_target.target = f.target;

-- @run route_target.admit.done

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'route_target', job, name, CASE acknowledged WHEN 'ready' THEN 'weighted' ELSE 'ready' END,
       'in route ' || route || CASE WHEN :weight <> 1 THEN ', weight ' || :weight ELSE '' END
FROM route_target
WHERE target = :target;

UPDATE route_target
SET acknowledged         = :acknowledged,
    acknowledged_address = :address,
    acknowledged_port    = :port,
    acknowledged_weight  = :weight,
    acknowledged_at_ms   = :now_ms,
    asked_at_ms          = :started_at_ms,
    sessions             = COALESCE(:sessions, sessions),
    lingers              = :lingers,
    ready_at_ms          = COALESCE(ready_at_ms, :now_ms),
    since_ms             = :now_ms
WHERE target = :target;

-- @run route_target.withdraw

UPDATE route_target
SET wanted           = 'down',
    reason           = :reason,
    content          = (SELECT content + 1 FROM proxy_state),   -- which this very change begins
    written_at_ms    = NULL,
    drain_timeout_ms = COALESCE((SELECT drain_timeout_ms FROM job WHERE name = route_target.job), drain_timeout_ms),
    withdrawn_at_ms  = :now_ms,
    drained_at_ms    = CASE acknowledged WHEN 'ready' THEN NULL ELSE :now_ms END,
    since_ms         = :now_ms
WHERE target = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'route_target', job, name, 'withdrawn', 'from route ' || route || ': ' || :reason
FROM route_target
WHERE target = :target;

-- @run route_target.drain.done

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'route_target', job, name, 'drained',
       'from route ' || route || ', ' || COALESCE(:sessions, sessions) || ' requests under way'
FROM route_target
WHERE target = :target;

UPDATE route_target
SET acknowledged         = :acknowledged,
    acknowledged_address = :address,
    acknowledged_port    = :port,
    acknowledged_weight  = :weight,
    acknowledged_at_ms   = :now_ms,
    asked_at_ms          = :started_at_ms,
    sessions             = COALESCE(:sessions, sessions),
    lingers              = :lingers,
    drained_at_ms        = :now_ms,
    look_at_ms           = :now_ms + 50,
    since_ms             = :now_ms
WHERE target = :target;

-- What runs is another configuration than was thought: look.
UPDATE proxy_state SET hinted = 1 WHERE :acknowledged = 'absent';

-- @run route_target.undone

-- It may have done as it was told and be undone by somebody: not again at once.
UPDATE route_target
SET acknowledged         = :acknowledged,
    acknowledged_address = :address,
    acknowledged_port    = :port,
    acknowledged_weight  = :weight,
    acknowledged_at_ms   = :now_ms,
    asked_at_ms          = :started_at_ms,
    sessions             = COALESCE(:sessions, sessions),
    lingers              = :lingers,
    drained_at_ms        = CASE :acknowledged WHEN 'ready' THEN NULL ELSE drained_at_ms END,
    since_ms             = :now_ms
WHERE target = :target;

-- What runs is another configuration than was thought: look.
UPDATE proxy_state SET hinted = 1 WHERE :acknowledged = 'absent';

-- @run route_target.look.done

-- The next look comes after a tenth of the time that it has been draining, between 50 ms and a second.
UPDATE route_target
SET acknowledged         = :acknowledged,
    acknowledged_address = :address,
    acknowledged_port    = :port,
    acknowledged_weight  = :weight,
    acknowledged_at_ms   = :now_ms,
    asked_at_ms          = :started_at_ms,
    sessions             = COALESCE(:sessions, sessions),
    lingers              = :lingers,
    look_at_ms           = :now_ms + max(50, min(1000, (:now_ms - COALESCE(drained_at_ms, :now_ms)) / 10))
WHERE target = :target;

-- Not what was thought: look at all.
UPDATE proxy_state
SET hinted = 1
WHERE :acknowledged = 'absent'
   OR (:acknowledged = 'ready') <> (SELECT wanted = 'ready' FROM route_target WHERE target = :target);

-- @run route_target.release

UPDATE route_target SET let_go_at_ms = :now_ms, since_ms = :now_ms WHERE target = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'route_target', job, name, 'let go',
       'by route ' || route || CASE WHEN sessions > 0 OR lingers
                                    THEN ': drain_timeout_ms is over, with ' || sessions || ' requests under way'
                                    WHEN proven_at_ms IS NULL THEN ': it was never given requests'
                                    ELSE ': no request is under way' END
FROM route_target
WHERE target = :target;

-- @run route_target.lend

-- From now on its time runs (route_stand.sql).
UPDATE route_target SET lent_at_ms = :now_ms, since_ms = :now_ms WHERE target = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'route_target', job, name, 'kept', 'in route ' || route || ': ' || :reason
FROM route_target
WHERE target = :target;

-- @run route_target.regain

UPDATE route_target SET lent_at_ms = NULL, since_ms = :now_ms WHERE target = :target;

-- @run route_target.forget

UPDATE route_target SET slot = NULL, ended_at_ms = :now_ms, since_ms = :now_ms WHERE target = :target;

-- @run route_target.transient

UPDATE proxy_state SET hinted = 1;   -- its answer may be lost, or the proxy

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'route_target', t.job, t.name, :step || ' failed', :detail
FROM route_target AS t
JOIN retry AS h ON h.kind = 'route_target' AND h.target = t.target AND h.step = :step AND h.tries <= 3
WHERE t.target = :target;
