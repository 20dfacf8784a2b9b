-- A check asks an instance whether it is well. All checks of a job must pass so many times in a row before an instance
-- counts as healthy: it starts as not healthy, and every count starts from zero. An edited check is tried on one
-- instance of those that run: until one of its spec has passed it, what it asked before counts. A new one is asked of
-- all, and until then nothing follows from it.

-- @desired

CREATE TABLE job_check (
  job         TEXT NOT NULL REFERENCES job (name) ON DELETE CASCADE ON UPDATE CASCADE,
  name        TEXT NOT NULL
              CONSTRAINT "job_check.name must be 1 to 63 of a-z, 0-9, '-' and '_'"
              CHECK (name <> '' AND name NOT GLOB '*[^a-z0-9_-]*' AND length(name) <= 63),
  type        TEXT NOT NULL
              CONSTRAINT "job_check.type must be 'http', 'tcp' or 'exec'" CHECK (type IN ('http', 'tcp', 'exec')),
  port        TEXT                             -- the label of a job_port, or its number (http, tcp)
              CONSTRAINT "job_check.port must name a port of the job by label or number for type 'http' and 'tcp'"
              CHECK (type = 'exec' OR (port IS NOT NULL AND port <> '')),
  path        TEXT NOT NULL DEFAULT '/'        -- that must answer with 200 to 299 (http)
              CONSTRAINT "job_check.path must begin with '/' and hold no spaces"
              CHECK (path GLOB '/*' AND path NOT GLOB '*[ ' || char(9, 10, 13) || ']*'),
  command     TEXT                             -- a JSON array of strings, which must end with exit code 0 (exec)
              CONSTRAINT "job_check.command must be a JSON array of strings for type 'exec'"
              CHECK (type <> 'exec' OR (command IS NOT NULL AND json_valid(command) AND json_type(command) = 'array'
                                        AND json_array_length(command) > 0)),
  interval_ms INTEGER NOT NULL DEFAULT 5000    -- at most a second while the instance has not been healthy yet
              CONSTRAINT "job_check.interval_ms must be a whole number of milliseconds from 100 to one day"
              CHECK (typeof(interval_ms) = 'integer' AND interval_ms BETWEEN 100 AND 86400000),
  timeout_ms  INTEGER NOT NULL DEFAULT 2000    -- no answer by then is a failure; an exec command then runs on inside
              CONSTRAINT "job_check.timeout_ms must be a whole number of milliseconds from 10 to ten minutes"
              CHECK (typeof(timeout_ms) = 'integer' AND timeout_ms BETWEEN 10 AND 600000),
  grace_ms    INTEGER                          -- failures count from then on; NULL: only once it has been healthy
              CONSTRAINT "job_check.grace_ms must be NULL or a whole number of milliseconds, 0 or more"
              CHECK (grace_ms IS NULL OR (typeof(grace_ms) = 'integer' AND grace_ms BETWEEN 0 AND 86400000)),
  passes      INTEGER NOT NULL DEFAULT 1       -- so many in a row make it pass
              CONSTRAINT "job_check.passes must be a whole number from 1 to 100"
              CHECK (typeof(passes) = 'integer' AND passes BETWEEN 1 AND 100),
  failures    INTEGER NOT NULL DEFAULT 3       -- so many in a row make it fail
              CONSTRAINT "job_check.failures must be a whole number from 1 to 100"
              CHECK (typeof(failures) = 'integer' AND failures BETWEEN 1 AND 100),
  -- what follows then: no more requests (withdraw), another instance in its place (restart), or both
  on_failure  TEXT NOT NULL DEFAULT 'both'
              CONSTRAINT "job_check.on_failure must be 'withdraw', 'restart' or 'both'"
              CHECK (on_failure IN ('withdraw', 'restart', 'both')),
  PRIMARY KEY (job, name)
);

-- @observed

-- How often in a row a check of a live instance has passed or failed, counted up to its thresholds: a row is written
-- only when that says something new. A question that this machine could not ask, or did not hear the answer of, is
-- neither. Goes away with the instance.
CREATE TABLE check_state (
  instance INTEGER NOT NULL,
  name     TEXT NOT NULL,
  passes   INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  detail   TEXT NOT NULL DEFAULT '',   -- what the last answer was, in a few words
  -- why this machine could not ask since then, such as 'too many open files'; '': it could
  unasked  TEXT NOT NULL DEFAULT '',
  asks     TEXT NOT NULL DEFAULT '',   -- of an edited check that is tried: which form of it was counted (check_trial)
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (instance, name)
);

-- What a check asks that instances of a spec have passed as often as it wants: it counts for all of them. Goes
-- away with the spec.
CREATE TABLE check_proof (
  spec     INTEGER NOT NULL,
  name     TEXT NOT NULL,
  asks     TEXT NOT NULL,              -- as check_ask has it
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (spec, name)
) WITHOUT ROWID;

-- @views

CREATE VIEW check_violation AS
SELECT 'job_check' AS table_name,
       c.job || '/' || c.name AS row_key,
       'job_check.command of ' || c.job || '/' || c.name
         || ' must be a JSON array of strings: put quotes around every item' AS message
FROM job_check AS c
WHERE c.type = 'exec' AND EXISTS (SELECT 1 FROM json_each(c.command) AS e WHERE e.type <> 'text')
UNION ALL
SELECT 'job_check',
       c.job || '/' || c.name,
       'check ' || c.name || ' of job ' || c.job || ' asks port ''' || c.port || ''', which the job does not have: '
         || 'INSERT INTO job_port, or name one of '
         || COALESCE((SELECT group_concat(p.label, ', ') FROM job_port AS p WHERE p.job = c.job), '(none)')
FROM job_check AS c
WHERE c.type IN ('http', 'tcp')
  AND c.job IN (SELECT name FROM job)
  AND NOT EXISTS (SELECT 1 FROM job_port AS p
                  WHERE p.job = c.job AND (p.label = c.port OR CAST(p.port AS TEXT) = c.port));

-- A routed port that no check asks about must at least take a connection. This decides about the route alone, never
-- about the instance.
CREATE VIEW route_check AS
SELECT p.job, 'route:' || p.label AS name, p.port, 1 AS passes, 3 AS failures
FROM job_port AS p
WHERE EXISTS (SELECT 1 FROM route AS r
              WHERE (r.job = p.job OR r.next_job = p.job)
                AND r.redirect_host IS NULL
                AND CASE WHEN r.job = p.job THEN r.port ELSE COALESCE(r.next_port, r.port) END
                    IN (p.label, CAST(p.port AS TEXT)))
  AND NOT EXISTS (SELECT 1 FROM job_check AS c
                  WHERE c.job = p.job AND c.type IN ('http', 'tcp') AND c.port IN (p.label, CAST(p.port AS TEXT)));

-- What each check asks, as its row is now. How often, and what follows, is no part of it: that counts at once.
CREATE VIEW check_ask AS
SELECT c.job, c.name,
       json_array(c.type,
                  (SELECT p.port FROM job_port AS p
                   WHERE p.job = c.job AND (p.label = c.port OR CAST(p.port AS TEXT) = c.port)),
                  c.path, c.command, c.timeout_ms) AS asks
FROM job_check AS c;

-- The checks of each instance, with how often in a row they have passed and failed.
CREATE VIEW instance_check AS
SELECT i.id AS instance,
       i.job,
       c.name,
       c.passes,
       c.failures,
       c.on_failure,
       COALESCE(s.passes, 0)   AS passed,
       COALESCE(s.failures, 0) AS failed,
       -- Whether it must pass before the instance counts as healthy: what came to a spec that is rolled out must not.
       p.name IS NOT NULL OR r.job IS NULL                                         AS gates,
       -- Whether its failures count: those of one that no instance of the spec ever passed do not, once it is healthy.
       p.name IS NOT NULL OR (i.healthy_at_ms IS NULL AND r.job IS NULL)           AS judges
FROM instance AS i
JOIN job_check AS c ON c.job = i.job
LEFT JOIN check_proof AS p ON p.spec = i.spec AND p.name = c.name
LEFT JOIN check_state AS s ON s.instance = i.id AND s.name = c.name
LEFT JOIN deployment AS r ON r.job = i.job AND r.current = 1 AND r.spec = i.spec AND r.state = 'succeeded';

-- Those that count as failed: so many times in a row, and such as count. Few have failed at all: they are read first.
CREATE VIEW failed_check AS
SELECT s.instance, s.name, k.on_failure
FROM check_state AS s
CROSS JOIN instance_check AS k ON k.instance = s.instance AND k.name = s.name
WHERE s.failures > 0 AND k.judges AND s.failures >= k.failures;

-- The edited checks, with the one instance of each spec that is asked what they ask now: its answers count under this
-- name.
CREATE VIEW check_trial AS
SELECT i.id AS instance, i.job, i.spec, a.name AS of, 'edited:' || a.name AS name, a.asks
FROM instance AS i
JOIN check_ask AS a ON a.job = i.job
JOIN check_proof AS p ON p.spec = i.spec AND p.name = a.name AND p.asks <> a.asks
WHERE i.id = (SELECT o.id FROM instance AS o
              WHERE o.job = i.job AND o.spec = i.spec AND o.run = 1 AND o.container = 'running'
              ORDER BY o.healthy_at_ms IS NULL, o.id LIMIT 1);

-- All that is asked of an instance, and how often in a row counts.
CREATE VIEW check_question AS
SELECT i.id AS instance, i.job, c.name, c.name AS of, COALESCE(p.asks, a.asks) AS asks,
       c.interval_ms, c.grace_ms, c.passes, c.failures
FROM instance AS i
JOIN job_check AS c ON c.job = i.job
JOIN check_ask AS a ON a.job = c.job AND a.name = c.name
LEFT JOIN check_proof AS p ON p.spec = i.spec AND p.name = c.name
WHERE i.run = 1 AND i.container = 'running'
UNION ALL
SELECT t.instance, t.job, t.name, t.of, t.asks, c.interval_ms, c.grace_ms, c.passes, c.failures
FROM check_trial AS t
JOIN job_check AS c ON c.job = t.job AND c.name = t.of
UNION ALL
SELECT i.id, i.job, c.name, c.name, json_array('tcp', c.port, '/', NULL, 2000), 1000, NULL, c.passes, c.failures
FROM instance AS i
JOIN route_check AS c ON c.job = i.job
WHERE i.run = 1 AND i.container = 'running';

-- The same, with where it is asked. The prober reads this and nothing else.
CREATE VIEW check_target AS
SELECT q.instance,
       q.job,
       q.name,
       q.asks,
       q.asks ->> 0 AS type,
       i.name AS container,
       n.driver,
       n.endpoint,
       i.address,
       q.asks ->> 1 AS port,
       q.asks ->> 2 AS path,
       q.asks ->> 3 AS command,
       q.asks ->> 4 AS timeout_ms,
       q.passes,
       CASE WHEN i.healthy_at_ms IS NULL OR q.name <> q.of THEN min(q.interval_ms, 1000)
            ELSE q.interval_ms END AS interval_ms
FROM check_question AS q
JOIN instance AS i ON i.id = q.instance
JOIN node_state AS n ON n.node = i.node AND n.reach = 'reached';

-- What this machine cannot ask now. A check that was deleted meanwhile is not to be asked.
CREATE VIEW check_unasked AS
SELECT i.job, s.instance, s.name, s.unasked
FROM check_state AS s
JOIN instance AS i ON i.id = s.instance
WHERE s.unasked <> '' AND i.run = 1 AND i.container = 'running'
  AND (EXISTS (SELECT 1 FROM job_check AS c WHERE c.job = i.job AND c.name = s.name)
       OR EXISTS (SELECT 1 FROM route_check AS c WHERE c.job = i.job AND c.name = s.name));

CREATE VIEW check_why AS
SELECT 'check' AS kind,
       i.job AS name,
       i.name || '/' || c.name AS target,
       'check ' || c.name || ' of ' || i.name || ' '
         || CASE WHEN s.name IS NULL         THEN 'has not been answered yet'
                 WHEN s.unasked <> ''        THEN 'cannot be asked, for reasons of this machine: ' || s.unasked
                 WHEN s.failures > 0         THEN 'failed ' || s.failures || ' of ' || c.failures || ' times: '
                     || s.detail
                 WHEN s.passes = 0           THEN 'has not passed yet: ' || s.detail
                 ELSE 'passed ' || s.passes || ' of ' || c.passes || ' times' END
         || CASE WHEN i.healthy_at_ms IS NULL OR k.judges THEN ''
                 ELSE ' (it is new: nothing follows from it until an instance has passed it)' END AS reason,
       COALESCE(s.since_ms, i.since_ms) AS since_ms
FROM instance AS i
JOIN job_check AS c ON c.job = i.job
JOIN instance_check AS k ON k.instance = i.id AND k.name = c.name
LEFT JOIN check_state AS s ON s.instance = i.id AND s.name = c.name
WHERE i.run = 1
  AND i.container = 'running'
  AND (COALESCE(s.passes, 0) < c.passes OR s.failures > 0 OR s.unasked <> '')
UNION ALL
SELECT 'check', t.job, i.name || '/' || t.of,
       'check ' || t.of || ' was edited, and ' || i.name || ' has not passed it as it is now'
         || CASE WHEN s.name IS NULL  THEN ''
                 WHEN s.unasked <> '' THEN ' (it cannot be asked, for reasons of this machine: ' || s.unasked || ')'
                 ELSE ': ' || s.detail END
         || '; until then what it asked before counts (if the edit is wrong: rowlock revert, or correct job_check)',
       COALESCE(s.since_ms, i.since_ms)
FROM check_trial AS t
JOIN instance AS i ON i.id = t.instance
LEFT JOIN check_state AS s ON s.instance = t.instance AND s.name = t.name
UNION ALL
SELECT 'check', i.job, i.name || '/' || c.name,
       'port ' || c.port || ' of ' || i.name
         || CASE WHEN s.name IS NULL THEN ' has not been tried yet'
                 WHEN s.unasked <> '' THEN ' cannot be tried, for reasons of this machine: ' || s.unasked
                 ELSE ' takes no connection: ' || s.detail END
         || ' (it is routed, and no check asks about it)',
       COALESCE(s.since_ms, i.since_ms)
FROM instance AS i
JOIN route_check AS c ON c.job = i.job
LEFT JOIN check_state AS s ON s.instance = i.id AND s.name = c.name
WHERE i.run = 1
  AND i.container = 'running'
  AND (COALESCE(s.passes, 0) < c.passes OR s.unasked <> '');

CREATE VIEW check_metric AS
SELECT 'rowlock_checks_unasked' AS name, 'Checks that this machine cannot ask: nothing is known of what they ask about.'
         AS help, 'gauge' AS type, '' AS labels,
       (SELECT count(*) FROM check_unasked) AS value;

-- @wake

CREATE TEMP TRIGGER wake_check_state_insert AFTER INSERT ON check_state BEGIN
  INSERT INTO dirty SELECT job FROM instance WHERE id = NEW.instance;
END;
CREATE TEMP TRIGGER wake_check_state_update AFTER UPDATE ON check_state BEGIN
  INSERT INTO dirty SELECT job FROM instance WHERE id = NEW.instance;
END;

-- @run check.passed

INSERT INTO check_state (instance, name, passes, detail, asks, since_ms)
SELECT q.instance, q.name, 1, :detail, CASE WHEN q.name = q.of THEN '' ELSE q.asks END, :now_ms
FROM check_question AS q   -- it may have been deleted while it was asked
WHERE q.instance = :instance AND q.name = :name
ON CONFLICT (instance, name) DO UPDATE
SET passes   = CASE WHEN asks <> excluded.asks THEN 1   -- it was edited once more
                    ELSE min(passes + 1, (SELECT q.passes FROM check_question AS q
                                          WHERE q.instance = :instance AND q.name = :name)) END,
    failures = 0,
    detail   = excluded.detail,
    unasked  = '',
    asks     = excluded.asks,
    since_ms = excluded.since_ms
WHERE failures > 0
   OR unasked <> ''
   OR asks <> excluded.asks
   OR passes < (SELECT q.passes FROM check_question AS q WHERE q.instance = :instance AND q.name = :name);

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'check', i.job, i.name || '/' || t.of, 'proven', 'it was edited, and counts from now on'
FROM check_trial AS t
JOIN instance AS i ON i.id = t.instance
JOIN job_check AS c ON c.job = t.job AND c.name = t.of
JOIN check_state AS s ON s.instance = t.instance AND s.name = t.name
WHERE t.instance = :instance AND t.name = :name AND s.passes >= c.passes;

INSERT INTO check_proof (spec, name, asks, since_ms)
SELECT i.spec, q.of, q.asks, :now_ms
FROM check_question AS q
JOIN instance AS i ON i.id = q.instance
JOIN job_check AS c ON c.job = q.job AND c.name = q.of
JOIN check_state AS s ON s.instance = q.instance AND s.name = q.name
WHERE q.instance = :instance AND q.name = :name AND s.passes >= c.passes
ON CONFLICT (spec, name) DO UPDATE SET asks = excluded.asks, since_ms = excluded.since_ms
WHERE asks <> excluded.asks;

-- What was counted of the former question says nothing of this one: nobody has failed it, and this one has passed it.
UPDATE check_state SET failures = 0, unasked = '', detail = :detail
WHERE :name GLOB 'edited:*'
  AND name = substr(:name, 8)
  AND instance IN (SELECT o.id FROM instance AS i
                   JOIN instance AS o ON o.job = i.job AND o.spec = i.spec
                   JOIN check_proof AS p ON p.spec = i.spec AND p.name = check_state.name AND p.since_ms = :now_ms
                   WHERE i.id = :instance);

DELETE FROM check_state
WHERE instance = :instance AND name = :name AND :name GLOB 'edited:*'
  AND NOT EXISTS (SELECT 1 FROM check_trial AS t WHERE t.instance = :instance AND t.name = :name);

-- It does well again: should it fail once more, that is said anew.
UPDATE instance SET spared_at_ms = NULL
WHERE id = :instance AND spared_at_ms IS NOT NULL
  AND EXISTS (SELECT 1 FROM instance_health AS h WHERE h.id = :instance AND h.failing = 0);

-- @run check.failed

-- A failure before the check counts (grace_ms), or of one that is tried, resets the passes, and is remembered as none.
INSERT INTO check_state (instance, name, passes, failures, detail, since_ms)
SELECT i.id, q.name, 0,
       CASE WHEN q.name <> q.of THEN 0
            WHEN i.healthy_at_ms IS NOT NULL
              OR COALESCE(i.started_at_ms, i.placed_at_ms) + q.grace_ms
                 + COALESCE((SELECT sum(g.length_ms) FROM gap AS g
                             WHERE g.until_ms > COALESCE(i.started_at_ms, i.placed_at_ms)), 0) <= :now_ms THEN 1
            ELSE 0 END,
       :detail, :now_ms
FROM check_question AS q
JOIN instance AS i ON i.id = q.instance
WHERE q.instance = :instance AND q.name = :name
ON CONFLICT (instance, name) DO UPDATE
SET passes   = 0,
    failures = min(failures + excluded.failures,
                   (SELECT q.failures FROM check_question AS q WHERE q.instance = :instance AND q.name = :name)),
    detail   = excluded.detail,
    unasked  = '',
    since_ms = excluded.since_ms
WHERE passes > 0
   OR unasked <> ''
   OR detail <> excluded.detail
   OR (excluded.failures = 1
       AND failures < (SELECT q.failures FROM check_question AS q WHERE q.instance = :instance AND q.name = :name));

-- @run check.unasked

-- Neither a pass nor a failure. Told once for all checks of a job.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'check', i.job, i.name || '/' || :name, 'unasked', :detail
FROM instance AS i
WHERE i.id = :instance AND i.run = 1 AND i.container = 'running'
  AND NOT EXISTS (SELECT 1 FROM check_unasked AS o WHERE o.job = i.job);

INSERT INTO check_state (instance, name, unasked, since_ms)
SELECT q.instance, q.name, :detail, :now_ms
FROM check_question AS q   -- it may have been deleted while it was asked
WHERE q.instance = :instance AND q.name = :name
ON CONFLICT (instance, name) DO UPDATE
SET unasked = excluded.unasked
WHERE unasked <> excluded.unasked;
