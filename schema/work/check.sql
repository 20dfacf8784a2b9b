-- A check asks an instance whether it is well. All checks of a job must pass so many times in a row before an instance
-- counts as healthy: it starts as not healthy, and every count starts from zero.

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
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (instance, name)
);

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

-- What is to be asked, how often, and where. The prober reads this and nothing else.
CREATE VIEW check_target AS
SELECT i.id AS instance,
       i.job,
       c.name,
       c.type,
       i.name AS container,
       n.driver,
       n.endpoint,
       i.address,
       (SELECT p.port FROM job_port AS p
        WHERE p.job = c.job AND (p.label = c.port OR CAST(p.port AS TEXT) = c.port)) AS port,
       c.path,
       c.command,
       c.timeout_ms,
       c.passes,
       CASE WHEN i.healthy_at_ms IS NULL THEN min(c.interval_ms, 1000) ELSE c.interval_ms END AS interval_ms
FROM instance AS i
JOIN job_check AS c ON c.job = i.job
JOIN node_state AS n ON n.node = i.node AND n.reach = 'reached'
WHERE i.run = 1 AND i.container = 'running'
UNION ALL
SELECT i.id, i.job, c.name, 'tcp', i.name, n.driver, n.endpoint, i.address, c.port, '/', NULL, 2000, c.passes, 1000
FROM instance AS i
JOIN route_check AS c ON c.job = i.job
JOIN node_state AS n ON n.node = i.node AND n.reach = 'reached'
WHERE i.run = 1 AND i.container = 'running';

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
                 ELSE 'passed ' || s.passes || ' of ' || c.passes || ' times' END AS reason,
       COALESCE(s.since_ms, i.since_ms) AS since_ms
FROM instance AS i
JOIN job_check AS c ON c.job = i.job
LEFT JOIN check_state AS s ON s.instance = i.id AND s.name = c.name
WHERE i.run = 1
  AND i.container = 'running'
  AND (COALESCE(s.passes, 0) < c.passes OR s.failures > 0 OR s.unasked <> '')
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

INSERT INTO check_state (instance, name, passes, detail, since_ms)
SELECT i.id, :name, 1, :detail, :now_ms
FROM instance AS i
WHERE i.id = :instance AND i.run = 1 AND i.container = 'running'
  -- it may have been deleted while it was asked
  AND (EXISTS (SELECT 1 FROM job_check AS c WHERE c.job = i.job AND c.name = :name)
       OR EXISTS (SELECT 1 FROM route_check AS c WHERE c.job = i.job AND c.name = :name))
ON CONFLICT (instance, name) DO UPDATE
SET passes   = min(passes + 1, COALESCE((SELECT c.passes FROM job_check AS c JOIN instance AS i ON i.job = c.job
                                         WHERE i.id = :instance AND c.name = :name), 1)),
    failures = 0,
    detail   = excluded.detail,
    unasked  = '',
    since_ms = excluded.since_ms
WHERE failures > 0
   OR unasked <> ''
   OR passes < COALESCE((SELECT c.passes FROM job_check AS c JOIN instance AS i ON i.job = c.job
                         WHERE i.id = :instance AND c.name = :name), 1);

-- It does well again: should it fail once more, that is said anew.
UPDATE instance SET spared_at_ms = NULL
WHERE id = :instance AND spared_at_ms IS NOT NULL
  AND EXISTS (SELECT 1 FROM instance_health AS h WHERE h.id = :instance AND h.failing = 0);

-- @run check.failed

-- A failure before the check counts (grace_ms) resets the passes, and is remembered as no failure.
INSERT INTO check_state (instance, name, passes, failures, detail, since_ms)
SELECT i.id, :name, 0,
       CASE WHEN i.healthy_at_ms IS NOT NULL
              OR COALESCE(i.started_at_ms, i.placed_at_ms) + c.grace_ms
                 + COALESCE((SELECT sum(g.length_ms) FROM gap AS g
                             WHERE g.until_ms > COALESCE(i.started_at_ms, i.placed_at_ms)), 0) <= :now_ms THEN 1
            ELSE 0 END,
       :detail, :now_ms
FROM instance AS i
LEFT JOIN job_check AS c ON c.job = i.job AND c.name = :name
WHERE i.id = :instance AND i.run = 1 AND i.container = 'running'
  AND (c.name IS NOT NULL OR EXISTS (SELECT 1 FROM route_check AS r WHERE r.job = i.job AND r.name = :name))
ON CONFLICT (instance, name) DO UPDATE
SET passes   = 0,
    failures = min(failures + excluded.failures,
                   COALESCE((SELECT c.failures FROM job_check AS c JOIN instance AS i ON i.job = c.job
                             WHERE i.id = :instance AND c.name = :name), 3)),
    detail   = excluded.detail,
    unasked  = '',
    since_ms = excluded.since_ms
WHERE passes > 0
   OR unasked <> ''
   OR detail <> excluded.detail
   OR (excluded.failures = 1
       AND failures < COALESCE((SELECT c.failures FROM job_check AS c JOIN instance AS i ON i.job = c.job
                                WHERE i.id = :instance AND c.name = :name), 3));

-- @run check.unasked

-- Neither a pass nor a failure. Told once for all checks of a job.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'check', i.job, i.name || '/' || :name, 'unasked', :detail
FROM instance AS i
WHERE i.id = :instance AND i.run = 1 AND i.container = 'running'
  AND NOT EXISTS (SELECT 1 FROM check_unasked AS o WHERE o.job = i.job);

INSERT INTO check_state (instance, name, unasked, since_ms)
SELECT i.id, :name, :detail, :now_ms
FROM instance AS i
WHERE i.id = :instance AND i.run = 1 AND i.container = 'running'
  -- it may have been deleted while it was asked
  AND (EXISTS (SELECT 1 FROM job_check AS c WHERE c.job = i.job AND c.name = :name)
       OR EXISTS (SELECT 1 FROM route_check AS c WHERE c.job = i.job AND c.name = :name))
ON CONFLICT (instance, name) DO UPDATE
SET unasked = excluded.unasked
WHERE unasked <> excluded.unasked;
