-- A route takes a public hostname and path to a job's port. What the proxy is told about a route, and when, is decided
-- here; how its path is written, in route_path.sql; which instance stands in it, and when one may come or go, in
-- route_target.sql; the proxy itself in proxy.sql.
--
-- Three things can differ, and each reaches the proxy in its own way: the structure (hosts, paths, headers …) needs a
-- reload, which loses nothing; so do more slots; the mode (maintenance, pause) is switched in what runs.

-- @kind route
--   of:      route.name route_state.route
--   asked:   new changed cramped same deleted leaving gone
--   mode:    same other
--   hold:    blind free
--   retry:   100 ms to 30 s
--   beside:  take leave forget

-- @desired

CREATE TABLE route (
  name                TEXT PRIMARY KEY NOT NULL
                      CONSTRAINT "route.name must be 1 to 40 of a-z, 0-9 and '-', and begin with a letter or digit"
                      CHECK (name GLOB '[a-z0-9]*' AND name NOT GLOB '*[^a-z0-9-]*' AND length(name) <= 40),
  host                TEXT NOT NULL                    -- app.example.org, or *.example.org for one label in its place
                      CONSTRAINT "route.host must be a hostname in lower case: 'app.example.org' or '*.example.org'"
                      CHECK (length(host) BETWEEN 1 AND 253
                             AND (host GLOB '[a-z0-9]*' OR host GLOB '[*].[a-z0-9]*')
                             AND substr(host, 2) NOT GLOB '*[^a-z0-9.-]*'
                             AND host NOT GLOB '*[.-]' AND host NOT GLOB '*..*'
                             AND host NOT GLOB '*.-*' AND host NOT GLOB '*-.*'),
  path                TEXT NOT NULL DEFAULT '/'        -- it and what lies under it; of several the longest wins
                      CONSTRAINT "route.path must be '/' or such as '/app': no '/' at its end, no spaces, '?' or '#'"
                      CHECK (path GLOB '/*' AND (path = '/' OR path NOT GLOB '*/') AND path NOT GLOB '*//*'
                             AND path NOT GLOB '*[?# "\' || char(1) || '-' || char(31, 127) || ']*'
                             AND length(path) <= 1000),
  job                 TEXT                             -- whose instances answer; NULL: only with redirect_host
                      -- REFERENCES job (name) ON UPDATE CASCADE (for Rowlock: SQLite would say less when a job goes)
                      CONSTRAINT "route.job must name a job, unless redirect_host says where requests go instead"
                      CHECK (job IS NOT NULL OR redirect_host IS NOT NULL),
  port                TEXT                             -- the label of a job_port, or its number
                      CONSTRAINT "route.port must name a port of the job by its label or number"
                      CHECK (job IS NULL OR (port IS NOT NULL AND port <> '')),
  -- For a gradual move: so many percent of the requests go to another job.
  next_job            TEXT,                            -- REFERENCES job (name) ON UPDATE CASCADE, as above
  next_port           TEXT,                            -- NULL: the one called as `port`
  next_percent        INTEGER NOT NULL DEFAULT 0
                      CONSTRAINT "route.next_percent must be a whole number from 0 to 100"
                      CHECK (typeof(next_percent) = 'integer' AND next_percent BETWEEN 0 AND 100),

  strip_prefix        INTEGER NOT NULL DEFAULT 0       -- 1: the job sees /x where the client asked for PATH/x
                      CONSTRAINT "route.strip_prefix must be 0 or 1"
                      CHECK (typeof(strip_prefix) = 'integer' AND strip_prefix IN (0, 1)),
  -- A request is routed by its path without //, /./, /../ and escapes that none needs, and the job sees it so. 1: the
  -- job sees it as the client wrote it.
  raw_path            INTEGER NOT NULL DEFAULT 0
                      CONSTRAINT "route.raw_path must be 0 or 1"
                      CHECK (typeof(raw_path) = 'integer' AND raw_path IN (0, 1)),
  redirect_scheme     TEXT                             -- 'https': plain http is redirected there
                      CONSTRAINT "route.redirect_scheme must be 'https', 'http' or NULL"
                      CHECK (redirect_scheme IS NULL OR redirect_scheme IN ('https', 'http')),
  redirect_host       TEXT                             -- every request is redirected there, path and query kept
                      CONSTRAINT "route.redirect_host must be a hostname, with :port if need be, or NULL"
                      CHECK (redirect_host IS NULL
                             OR (redirect_host GLOB '[a-z0-9]*' AND redirect_host NOT GLOB '*[^a-z0-9.:-]*'
                                 AND length(redirect_host) <= 259)),
  redirect_status     INTEGER NOT NULL DEFAULT 308
                      CONSTRAINT "route.redirect_status must be 301, 302, 307 or 308"
                      CHECK (typeof(redirect_status) = 'integer' AND redirect_status IN (301, 302, 307, 308)),

  rate_limit          INTEGER NOT NULL DEFAULT 0       -- requests of one client in a window; 0: any
                      CONSTRAINT "route.rate_limit must be 0 (none) or a whole number of requests"
                      CHECK (typeof(rate_limit) = 'integer' AND rate_limit BETWEEN 0 AND 1000000),
  rate_window_ms      INTEGER NOT NULL DEFAULT 10000
                      CONSTRAINT "route.rate_window_ms must be a whole number of milliseconds from 1000 to one day"
                      CHECK (typeof(rate_window_ms) = 'integer' AND rate_window_ms BETWEEN 1000 AND 86400000),
  sticky_cookie       TEXT                             -- by this cookie a client stays with its instance; NULL: none
                      CONSTRAINT "route.sticky_cookie must be a cookie's name of letters, digits, '-' and '_', or NULL"
                      CHECK (sticky_cookie IS NULL OR (sticky_cookie <> '' AND length(sticky_cookie) <= 64
                                                       AND sticky_cookie NOT GLOB '*[^A-Za-z0-9_-]*')),
  response_timeout_ms INTEGER NOT NULL DEFAULT 60000   -- so long an instance may be silent
                      CONSTRAINT "route.response_timeout_ms must be a whole number of milliseconds from 1 to one day"
                      CHECK (typeof(response_timeout_ms) = 'integer' AND response_timeout_ms BETWEEN 1 AND 86400000),
  -- To how many other instances a request goes when the first ended without a byte of an answer: it may be what ends
  -- them. Only GET, HEAD, OPTIONS, PUT, DELETE and TRACE. 0: none, but for requests that could not be sent.
  retries             INTEGER NOT NULL DEFAULT 1
                      CONSTRAINT "route.retries must be a whole number from 0 to 3"
                      CHECK (typeof(retries) = 'integer' AND retries BETWEEN 0 AND 3),
  -- When its last ready instance has gone, requests are held for the next one, until so long after that. 0: 503 at once
  hold_max_ms         INTEGER NOT NULL DEFAULT 10000
                      CONSTRAINT "route.hold_max_ms must be a whole number of milliseconds from 0 to ten minutes"
                      CHECK (typeof(hold_max_ms) = 'integer' AND hold_max_ms BETWEEN 0 AND 600000),

  maintenance         INTEGER NOT NULL DEFAULT 0       -- 1: 503 and the page, no request reaches the job
                      CONSTRAINT "route.maintenance must be 0 or 1"
                      CHECK (typeof(maintenance) = 'integer' AND maintenance IN (0, 1)),
  maintenance_page    TEXT NOT NULL                    -- HTML
                      DEFAULT '<!doctype html><title>Maintenance</title><h1>Back in a moment</h1>'
                      CONSTRAINT "route.maintenance_page must be HTML of at most 15000 bytes"
                      CHECK (typeof(maintenance_page) = 'text' AND length(CAST(maintenance_page AS BLOB)) <= 15000),
  pause               INTEGER NOT NULL DEFAULT 0       -- 1: requests are held, and go on when it is 0 again
                      CONSTRAINT "route.pause must be 0 or 1" CHECK (typeof(pause) = 'integer' AND pause IN (0, 1)),
  pause_max_ms        INTEGER NOT NULL DEFAULT 30000   -- one that was held for so long gets 503
                      CONSTRAINT "route.pause_max_ms must be a whole number of milliseconds from 1 to ten minutes"
                      CHECK (typeof(pause_max_ms) = 'integer' AND pause_max_ms BETWEEN 1 AND 600000)
);

-- Headers of every answer.
CREATE TABLE route_header (
  route TEXT NOT NULL REFERENCES route (name) ON DELETE CASCADE ON UPDATE CASCADE,
  name  TEXT NOT NULL
        CONSTRAINT "route_header.name must be a header's name of letters, digits, '-' and '_'"
        CHECK (name <> '' AND length(name) <= 100 AND name NOT GLOB '*[^A-Za-z0-9_-]*'),
  value TEXT NOT NULL DEFAULT ''                       -- '': the header is taken out
        CONSTRAINT "route_header.value must be one line of at most 4000 characters"
        CHECK (typeof(value) = 'text' AND length(value) <= 4000
               AND value NOT GLOB '*[' || char(1) || '-' || char(31, 127) || ']*'),
  PRIMARY KEY (route, name)
);

-- @guard

CREATE TRIGGER route_insert BEFORE INSERT ON route BEGIN
  SELECT RAISE(ABORT, 'route.port names no port of the job: INSERT INTO job_port first, or correct it')
  WHERE NEW.job IN (SELECT name FROM job)
    AND NOT EXISTS (SELECT 1 FROM job_port
                    WHERE job = NEW.job AND (label = NEW.port OR CAST(port AS TEXT) = NEW.port));
  SELECT RAISE(ABORT, 'another route has this host and path: give one of them another path, or change that one')
  WHERE EXISTS (SELECT 1 FROM route WHERE host = NEW.host AND path = NEW.path AND name <> NEW.name);
END;
CREATE TRIGGER route_update BEFORE UPDATE ON route BEGIN
  SELECT RAISE(ABORT, 'route.port names no port of the job: INSERT INTO job_port first, or correct it')
  WHERE NEW.job IN (SELECT name FROM job)
    AND NOT EXISTS (SELECT 1 FROM job_port
                    WHERE job = NEW.job AND (label = NEW.port OR CAST(port AS TEXT) = NEW.port));
  SELECT RAISE(ABORT, 'another route has this host and path: give one of them another path, or change that one')
  WHERE EXISTS (SELECT 1 FROM route WHERE host = NEW.host AND path = NEW.path AND name <> OLD.name);
END;
-- @observed

CREATE INDEX route_by_job ON route (job);
CREATE INDEX route_by_host ON route (host, path);
CREATE INDEX route_by_next_job ON route (next_job) WHERE next_job IS NOT NULL;

-- What the proxy's configuration says of a route. Goes away with the last instance in a route that is not desired any
-- more.
CREATE TABLE route_state (
  route       TEXT PRIMARY KEY NOT NULL,
  structure   TEXT NOT NULL,               -- JSON, as the view route_structure makes it; '': it was deleted
  slots       INTEGER NOT NULL,            -- how many instances have room in it
  generation  INTEGER NOT NULL,            -- of the configuration in which both were first so
  mode        TEXT NOT NULL DEFAULT '',    -- as the proxy last said: '', maintenance or pause:MS
  switched_at_ms INTEGER,                  -- moment at which it said so
  since_ms    INTEGER NOT NULL
);

-- @views

-- Which jobs a route sends to.
CREATE VIEW route_job AS
SELECT r.name AS route, r.job, r.port
FROM route AS r
WHERE r.job IS NOT NULL AND r.redirect_host IS NULL
UNION ALL
SELECT r.name, r.next_job, COALESCE(r.next_port, r.port)
FROM route AS r
WHERE r.next_job IS NOT NULL AND r.redirect_host IS NULL;

CREATE VIEW route_violation AS
SELECT 'route' AS table_name, r.route AS row_key,
       'route ' || r.route || ' sends to the job ''' || r.job || ''', which does not exist: delete the route too, or '
         || 'point it to another job' AS message
FROM route_job AS r
WHERE r.job NOT IN (SELECT name FROM job)
UNION ALL
SELECT 'route', r.route,
       'route ' || r.route || ' sends to port ''' || COALESCE(r.port, '') || ''', which job ' || r.job
         || ' does not have: INSERT INTO job_port, or name one of '
         || COALESCE((SELECT group_concat(p.label, ', ') FROM job_port AS p WHERE p.job = r.job), '(none)')
FROM route_job AS r
WHERE r.job IN (SELECT name FROM job)
  AND NOT EXISTS (SELECT 1 FROM job_port AS p
                  WHERE p.job = r.job AND (p.label = r.port OR CAST(p.port AS TEXT) = r.port))
UNION ALL
SELECT 'route', r.name,
       'route ' || r.name || ' sends to port ' || p.label || ' of job ' || p.job || ', which is udp: routes carry HTTP'
FROM job_port AS p
CROSS JOIN route AS r ON r.job = p.job OR r.next_job = p.job   -- from the few: there may be many routes
WHERE p.protocol <> 'tcp'
  AND r.redirect_host IS NULL
  AND CASE WHEN r.job = p.job THEN r.port ELSE COALESCE(r.next_port, r.port) END IN (p.label, CAST(p.port AS TEXT))
UNION ALL
SELECT 'route', r.name,
       'route ' || r.name || ' sends to job ' || j.name || ', whose network is ''none'': set it to ''bridge'''
FROM job AS j
CROSS JOIN route AS r ON r.job = j.name OR r.next_job = j.name
WHERE j.network = 'none' AND r.redirect_host IS NULL
UNION ALL
SELECT 'route', r.name,
       'routes ' || other.name || ' and ' || r.name || ' both claim ' || r.host || r.path
         || ': give one of them another host or path'
FROM route AS r
JOIN route AS other ON other.host = r.host AND other.path = r.path AND other.name < r.name
UNION ALL
SELECT 'route', r.name,
       'routes ' || other.name || ' and ' || r.name || ' both claim ' || r.host || r.path
         || ': give one of them another host or path'
FROM route_path AS k
JOIN route AS r ON r.name = k.route AND r.path <> k.path
JOIN route AS other ON other.host = r.host AND other.path = k.path
UNION ALL
SELECT 'route', o.route, 'the path of route ' || o.route || ' ' || o.message
FROM route_path_obstacle AS o
WHERE o.message IS NOT NULL
UNION ALL
SELECT 'route', r.name,
       'route ' || r.name || ' has strip_prefix and raw_path: nothing can be taken off a path that stays as it was '
         || 'written, set one of them to 0'
FROM route AS r
WHERE r.strip_prefix = 1 AND r.raw_path = 1 AND r.path <> '/'
UNION ALL
SELECT 'route', r.name,
       'route ' || r.name || ' moves from job ' || r.job || ' to itself: next_job must be another one, or NULL'
FROM route AS r
WHERE r.next_job = r.job
UNION ALL
SELECT 'route', r.name, 'route ' || r.name || ' has a next_job and a redirect_host: a redirect reaches no job'
FROM route AS r
WHERE r.next_job IS NOT NULL AND r.redirect_host IS NOT NULL
UNION ALL
SELECT 'route', r.name,
       'route ' || r.name || ' has a host with a label of over 63 characters: shorten it to what DNS can hold'
FROM route AS r
WHERE length(r.host) > 63
  AND EXISTS (WITH RECURSIVE label (word, rest) AS (
                SELECT '', r.host || '.'
                UNION ALL
                SELECT substr(rest, 1, instr(rest, '.') - 1), substr(rest, instr(rest, '.') + 1)
                FROM label WHERE rest <> '')
              SELECT 1 FROM label WHERE length(word) > 63)
UNION ALL
SELECT 'route', r.name, 'route ' || r.name || ' redirects ' || r.host || ' to itself for ever: change redirect_host'
FROM route AS r
WHERE r.redirect_host = r.host
UNION ALL
SELECT 'route', r.name,
       'route ' || r.name || ' redirects to https, which the proxy does not serve: set proxy.listen_tls and INSERT '
         || 'INTO certificate, or, behind a tunnel that does, proxy.client_header'
FROM route AS r
JOIN proxy_setting AS p
WHERE r.redirect_scheme = 'https' AND r.redirect_host IS NULL AND p.listen_tls = '' AND p.client_header = ''
UNION ALL
SELECT 'route_header', h.route || '/' || h.name,
       'route_header names the route ''' || h.route || ''', which does not exist'
FROM route_header AS h
WHERE h.route NOT IN (SELECT name FROM route);

-- What deleting a route would cut off.
CREATE VIEW route_stake AS
SELECT 'route' AS table_name, json_array(s.route) AS row_key, 'that take requests' AS what
FROM route_state AS s
WHERE s.structure <> '';

-- All of a route that takes a reload to change.
CREATE VIEW route_structure AS
SELECT r.name AS route,
       json_object(
         'host', r.host,
         'path', (SELECT path FROM route_path WHERE route = r.name),
         'strip_prefix', r.strip_prefix AND NOT r.raw_path,
         'raw_path', r.raw_path,
         'redirect_scheme', r.redirect_scheme,
         'redirect_host', r.redirect_host,
         'redirect_status', r.redirect_status,
         'rate_limit', r.rate_limit,
         'rate_window_ms', r.rate_window_ms,
         'sticky_cookie', r.sticky_cookie,
         'response_timeout_ms', r.response_timeout_ms,
         'retries', r.retries,
         'hold_max_ms', r.hold_max_ms,
         'maintenance_page', r.maintenance_page,
         'headers', (SELECT json_group_array(json_array(h.name, h.value))
                     FROM (SELECT name, value FROM route_header WHERE route = r.name ORDER BY name) AS h)) AS structure
FROM route AS r;

-- What is wanted of a route: its mode, and room for twice its instances, since old and new ones overlap.
CREATE VIEW route_wanted AS
SELECT r.name AS route,
       CASE WHEN r.maintenance THEN 'maintenance' WHEN r.pause THEN 'pause:' || r.pause_max_ms ELSE '' END AS mode,
       max(COALESCE((SELECT sum(2 * j.count) FROM job AS j WHERE j.name IN (r.job, r.next_job)), 0),
           COALESCE((SELECT max(t.slot) FROM route_target AS t WHERE t.route = r.name), 0)) AS room
FROM route AS r;

-- Those that are desired, and those that are not quite gone yet.
CREATE VIEW route_fact AS
SELECT k.name,
       k.name AS target,
       NULL AS due_at_ms,
       CASE WHEN r.name IS NULL AND s.structure <> ''                                         THEN 'deleted'
            WHEN r.name IS NULL AND EXISTS (SELECT 1 FROM route_target AS t
                                            WHERE t.route = k.name AND t.ended_at_ms IS NULL) THEN 'leaving'
            WHEN r.name IS NULL                                                               THEN 'gone'
            WHEN s.route IS NULL                                                              THEN 'new'
            WHEN s.structure <> (SELECT structure FROM route_structure WHERE route = k.name)  THEN 'changed'
            WHEN s.slots < w.room                                                             THEN 'cramped'
            ELSE                                                                                   'same' END AS asked,
       -- A mode can be switched only in what runs; until then it comes with the configuration.
       CASE WHEN w.mode IS s.mode OR s.generation > COALESCE(p.running_generation, -1)        THEN 'same'
            ELSE                                                                                   'other' END AS mode,
       CASE WHEN p.reach IS NOT 'reached' THEN 'blind' ELSE 'free' END AS hold
FROM (SELECT DISTINCT name FROM route_name) AS k
LEFT JOIN route AS r ON r.name = k.name
LEFT JOIN route_wanted AS w ON w.route = k.name
LEFT JOIN route_state AS s ON s.route = k.name
LEFT JOIN proxy_state AS p ON p.only = 1;

-- '*' stands for every value.
CREATE VIEW route_rule (asked, mode, hold, step, reason) AS VALUES
  ('new',     '*',     '*',     'take',   'the route is new'),
  ('changed', '*',     '*',     'take',   'the route was changed'),
  ('cramped', '*',     '*',     'take',   'it has too few slots for its instances'),
  ('same',    'same',  '*',     'none',   ''),
  ('same',    'other', 'blind', 'wait',   'its mode is to be switched, and the proxy cannot be reached'),
  ('same',    'other', 'free',  'switch', 'its mode was changed'),
  ('deleted', '*',     '*',     'leave',  'it was deleted: what is saved from now on is without it'),
  ('leaving', '*',     '*',     'none',   'it was deleted; the last requests under way may end'),
  ('gone',    '*',     '*',     'forget', 'it was deleted, and nothing stands in it');

CREATE VIEW route_input AS
SELECT w.route AS target, w.route, w.mode, p.socket
FROM route_wanted AS w
JOIN proxy_setting AS p;

-- How many instances stand in a route, and how many of them the proxy gives requests: of what it leads to, and lent by
-- what it led to before.
CREATE VIEW route_count AS
SELECT r.name AS route,
       (SELECT count(*) FROM route_target AS t
        WHERE t.route = r.name AND t.ended_at_ms IS NULL AND t.acknowledged = 'ready'
          AND t.lent_at_ms IS NULL)                                                                  AS ready,
       (SELECT count(*) FROM route_target AS t
        WHERE t.route = r.name AND t.ended_at_ms IS NULL AND t.acknowledged = 'ready'
          AND t.lent_at_ms IS NOT NULL)                                                              AS lent,
       (SELECT count(*) FROM route_target AS t
        WHERE t.route = r.name AND t.ended_at_ms IS NULL AND t.wanted = 'ready'
          AND t.acknowledged <> 'ready')                                                             AS coming,
       (SELECT count(*) FROM route_target AS t
        WHERE t.route = r.name AND t.ended_at_ms IS NULL AND t.wanted = 'down'
          AND t.proven_at_ms IS NOT NULL AND t.let_go_at_ms IS NULL)                                 AS leaving
FROM route AS r;

CREATE VIEW route_status AS
SELECT 'route' AS kind,
       r.name,
       CASE WHEN p.reach IS NULL OR p.reach = 'unseen'                                       THEN 'converging'
            WHEN p.reach = 'lost'                                                            THEN 'unknown'
            WHEN s.route IS NULL OR s.generation > p.running_generation                      THEN
                 CASE WHEN p.refused_content = p.content THEN 'failed' ELSE 'converging' END
            WHEN s.mode <> w.mode                                                            THEN 'converging'
            WHEN r.redirect_host IS NOT NULL                                                 THEN 'converged'
            WHEN c.ready = 0 AND EXISTS (SELECT 1 FROM job AS j WHERE j.name IN (r.job, r.next_job)
                                                                  AND j.count > 0)           THEN 'waiting'
            WHEN c.lent > 0                                                                  THEN 'converging'
            WHEN c.coming + c.leaving > 0                                                    THEN 'converging'
            ELSE 'converged' END AS state,
       r.host || r.path || ' → '
         || CASE WHEN r.redirect_host IS NOT NULL THEN 'redirect to ' || r.redirect_host
                 ELSE r.job
                      || CASE WHEN r.next_job IS NULL THEN '' ELSE ' and ' || r.next_percent || '% ' || r.next_job END
                      || ', ' || c.ready || ' ready'
                      || CASE WHEN c.ready = 0 AND NOT EXISTS (SELECT 1 FROM job AS j
                                                               WHERE j.name IN (r.job, r.next_job) AND j.count > 0)
                              THEN ', since no instance is wanted' ELSE '' END
                      || CASE WHEN c.lent > 0 THEN ', until then ' || c.lent || ' of what it led to before' ELSE '' END
                      || CASE WHEN c.coming > 0 THEN ', ' || c.coming || ' coming' ELSE '' END
                      || CASE WHEN c.leaving > 0 THEN ', ' || c.leaving || ' leaving' ELSE '' END END
         || CASE WHEN s.mode = '' OR s.mode IS NULL THEN '' WHEN s.mode = 'maintenance' THEN ', in maintenance'
                 ELSE ', paused' END
         || CASE WHEN h.detail IS NOT NULL THEN ': ' || h.detail
                 WHEN p.reach = 'lost' THEN ': the proxy cannot be reached'
                 WHEN p.refused_content = p.content AND s.generation > COALESCE(p.running_generation, -1)
                 THEN ': the proxy refuses the configuration'
                 ELSE '' END AS detail,
       max(COALESCE(s.since_ms, p.since_ms, 0),
           COALESCE((SELECT max(t.since_ms) FROM route_target AS t
                     WHERE t.route = r.name AND t.ended_at_ms IS NULL), 0)) AS since_ms
FROM route AS r
JOIN route_wanted AS w ON w.route = r.name
JOIN route_count AS c ON c.route = r.name
LEFT JOIN route_state AS s ON s.route = r.name
LEFT JOIN proxy_state AS p ON p.only = 1
LEFT JOIN retry AS h ON h.kind = 'route' AND h.target = r.name;

CREATE VIEW route_why AS
SELECT 'route' AS kind,
       f.name,
       f.target,
       'route ' || f.name || ': ' || r.reason || COALESCE(': ' || h.detail, '') AS reason,
       COALESCE(s.since_ms, (SELECT now_ms FROM clock)) AS since_ms
FROM route_fact AS f
CROSS JOIN route_case AS r ON r.asked = f.asked AND r.mode = f.mode AND r.hold = f.hold
LEFT JOIN route_state AS s ON s.route = f.name
LEFT JOIN retry AS h ON h.kind = 'route' AND h.target = f.target
WHERE r.step <> 'none'
UNION ALL
SELECT 'route', c.route, c.route,
       'route ' || c.route || ' has no ready instance: its requests '
         || CASE WHEN c.lent > 0
                 THEN 'go to what it led to before, for another '
                        || max(0, ((SELECT max(s.lent_until_ms) FROM route_target_now AS s WHERE s.route = c.route)
                                   - (SELECT now_ms FROM clock) + 999) / 1000) || ' s; then they get 503'
                 WHEN r.hold_max_ms > 0
                 THEN 'wait for one until ' || ((r.hold_max_ms + 999) / 1000)
                        || ' s after the last one went, then they get 503'
                 ELSE 'get 503' END
         || CASE WHEN (SELECT count FROM job AS j WHERE j.name = r.job) = 0 THEN ': job ' || r.job || ' has count 0'
                 ELSE '; see why ' || r.job END,
       (SELECT now_ms FROM clock)
FROM route_count AS c
JOIN route AS r ON r.name = c.route
WHERE c.ready = 0 AND r.redirect_host IS NULL;

-- @wake

CREATE TEMP TRIGGER wake_route_insert AFTER INSERT ON route BEGIN INSERT INTO dirty VALUES ('proxy'); END;
CREATE TEMP TRIGGER wake_route_delete AFTER DELETE ON route BEGIN
  INSERT INTO dirty VALUES ('proxy');
  INSERT INTO dirty SELECT DISTINCT job FROM route_target WHERE route = OLD.name AND ended_at_ms IS NULL;
END;
CREATE TEMP TRIGGER wake_route_count AFTER UPDATE OF count ON job WHEN NEW.count <> OLD.count BEGIN
  INSERT INTO dirty SELECT name FROM route WHERE job = NEW.name OR next_job = NEW.name;
END;
-- @run route.take

-- Another generation of the configuration: proxy.sql has it written, and the running proxy reload.
UPDATE proxy_state SET generation = generation + 1, content = content + 1;

INSERT INTO route_state (route, structure, slots, generation, since_ms)
SELECT s.route,
       s.structure,
       (SELECT min(e.value) FROM json_each('[4,8,16,32,64,128,256,512,1024,2048]') AS e
        WHERE e.value >= w.room OR e.value = 2048),
       (SELECT generation FROM proxy_state),
       :now_ms
FROM route_structure AS s
JOIN route_wanted AS w ON w.route = s.route
WHERE s.route = :target
ON CONFLICT (route) DO UPDATE
SET structure  = excluded.structure,
    slots      = max(slots, excluded.slots),
    generation = excluded.generation,
    since_ms   = excluded.since_ms;

-- @run route.switch.done

UPDATE route_state
SET mode = :mode, switched_at_ms = :now_ms, since_ms = :now_ms
WHERE route = :target;

-- The configuration that the next start takes has to say the same.
UPDATE proxy_state SET content = content + 1;

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'route', :name, :target, 'switched', CASE :mode WHEN '' THEN 'serves again' ELSE :mode END);

-- @run route.leave

-- Should it come again before it is forgotten, it takes another generation: what was saved meanwhile has it not.
UPDATE route_state SET structure = '', since_ms = :now_ms WHERE route = :target;

-- @run route.forget

UPDATE proxy_state SET generation = generation + 1, content = content + 1;
DELETE FROM route_state WHERE route = :target;
