-- The proxy carries the bytes of every route. Rowlock writes its configuration whole, has it checked, starts it and
-- reloads it; which instance stands where changes at run time (route_target.sql). It goes on when Rowlock is away, and
-- what was last written is at any time good for a start or a reload by anybody's hand.
--
--   unseen ──observe──▶ lost ──start──▶ unseen ──observe──▶ reached ──its process ends──▶ lost
--
-- Two numbers tell what is due. `generation` counts what needs a reload, `content` all that the file says: it is
-- written when content is ahead of saved_content, and reloaded when what runs is behind what was saved.

-- @kind proxy
--   of:       'proxy' proxy.name
--   role:     unwanted own attached
--   hold:     hinted free
--   file:     unread none bad young stale refused saved
--   process:  unseen lost behind reached
--   look:     due later
--   retry:    100 ms to 5 s
--   looks:    observe

-- @desired

-- How the proxy of this home is to be. One row at most; without one, everything is as the defaults say.
CREATE TABLE proxy (
  name          TEXT PRIMARY KEY NOT NULL DEFAULT 'proxy'
                CONSTRAINT "proxy.name must be 'proxy': there is one for each home"
                CHECK (name = 'proxy'),
  listen        TEXT NOT NULL DEFAULT '127.0.0.1:8080'  -- for http; '': nowhere
                CONSTRAINT "proxy.listen must be ADDRESS:PORT, such as '127.0.0.1:8080', or empty"
                CHECK (listen = '' OR (listen GLOB '?*:[1-9]*' AND listen NOT GLOB '*[^]0-9a-fA-F.:*[]*'
                                       AND listen NOT GLOB '*:*[^0-9]' AND length(listen) <= 60)),
  listen_tls    TEXT NOT NULL DEFAULT ''                -- for https and HTTP/2, with the rows of certificate
                CONSTRAINT "proxy.listen_tls must be ADDRESS:PORT, such as '0.0.0.0:443', or empty"
                CHECK (listen_tls = '' OR (listen_tls GLOB '?*:[1-9]*' AND listen_tls NOT GLOB '*[^]0-9a-fA-F.:*[]*'
                                           AND listen_tls NOT GLOB '*:*[^0-9]' AND length(listen_tls) <= 60)),
  accept_proxy  INTEGER NOT NULL DEFAULT 0              -- 1: every client begins with the PROXY protocol
                CONSTRAINT "proxy.accept_proxy must be 0 or 1"
                CHECK (typeof(accept_proxy) = 'integer' AND accept_proxy IN (0, 1)),
  -- a tunnel's header with the client's address, such as CF-Connecting-IP; believed from this machine alone
  client_header TEXT NOT NULL DEFAULT ''
                CONSTRAINT "proxy.client_header must be a header's name of letters, digits and '-', or empty"
                CHECK (client_header NOT GLOB '*[^A-Za-z0-9-]*' AND length(client_header) <= 100),
  -- bounds of a request's head: how many KB it may have, and how many headers
  head_kb       INTEGER NOT NULL DEFAULT 16
                CONSTRAINT "proxy.head_kb must be a whole number from 16 to 1024"
                CHECK (typeof(head_kb) = 'integer' AND head_kb BETWEEN 16 AND 1024),
  headers_max   INTEGER NOT NULL DEFAULT 101
                CONSTRAINT "proxy.headers_max must be a whole number from 20 to 32767"
                CHECK (typeof(headers_max) = 'integer' AND headers_max BETWEEN 20 AND 32767),
  -- so long an instance that was drained is kept, for other proxies that read the routes later (rowlock export traefik)
  release_delay_ms INTEGER NOT NULL DEFAULT 0
                CONSTRAINT "proxy.release_delay_ms must be a whole number of milliseconds, 0 to ten minutes"
                CHECK (typeof(release_delay_ms) = 'integer' AND release_delay_ms BETWEEN 0 AND 600000),
  -- the runtime or master socket of a proxy that somebody else manages; '': Rowlock runs its own
  socket        TEXT NOT NULL DEFAULT ''
                CONSTRAINT "proxy.socket must be empty or the absolute path of a proxy's socket"
                CHECK (socket = '' OR (socket GLOB '/?*' AND length(socket) <= 107))
);

-- @observed

-- What Rowlock knows of the proxy, and what it has told it. One row, there from the start.
CREATE TABLE proxy_state (
  only               INTEGER PRIMARY KEY CHECK (only = 1),
  settings           TEXT NOT NULL DEFAULT '{}',   -- JSON, as the view proxy_setting makes it
  reach              TEXT NOT NULL DEFAULT 'unseen' CHECK (reach IN ('unseen', 'reached', 'lost')),
  since_ms           INTEGER NOT NULL DEFAULT 0,   -- moment at which `reach` became what it is
  detail             TEXT NOT NULL DEFAULT '',     -- what went wrong in the last step
  version            TEXT,
  process            INTEGER,
  generation         INTEGER NOT NULL DEFAULT 0,
  content            INTEGER NOT NULL DEFAULT 0,
  saves              INTEGER NOT NULL DEFAULT 0,   -- since what was last saved ran
  changed_at_ms      INTEGER NOT NULL DEFAULT 0,   -- moment of the first change that is not written yet
  saving_generation  INTEGER NOT NULL DEFAULT -1,  -- what the save under way writes
  saving_content     INTEGER NOT NULL DEFAULT -1,
  saved_generation   INTEGER NOT NULL DEFAULT -1,
  saved_content      INTEGER NOT NULL DEFAULT -1,
  refused_content    INTEGER NOT NULL DEFAULT -1,  -- what the proxy's own check refused last
  refused_until_ms   INTEGER NOT NULL DEFAULT 0,   -- then it is asked again: the cause may be a file
  running_generation INTEGER NOT NULL DEFAULT -1,
  unread             INTEGER NOT NULL DEFAULT 0,   -- requests whose heads it could not read, as an event said last,
  unread_at_ms       INTEGER NOT NULL DEFAULT 0,   -- at this moment
  observed_at_ms     INTEGER,
  look_at_ms         INTEGER NOT NULL DEFAULT 0,
  hinted             INTEGER NOT NULL DEFAULT 0    -- 1: its process ended, or something else happened to it
);

-- @views

-- The settings in force: the row of proxy, or its defaults.
-- A reload is under way: what is set in a slot now may be set in the worker that goes.
CREATE VIEW proxy_reloading AS
SELECT a.started_at_ms FROM attempt AS a
WHERE a.kind = 'proxy' AND a.target = 'proxy' AND a.finished_at_ms IS NULL AND a.step = 'reload';

-- The names that may wait for the proxy.
CREATE VIEW proxy_waiter AS
SELECT name FROM route
UNION SELECT job FROM route_job
UNION SELECT job FROM route_target WHERE ended_at_ms IS NULL;

CREATE VIEW proxy_fact AS
SELECT 'proxy' AS name,
       'proxy' AS target,
       f.role,
       f.hold,
       f.file,
       f.process,
       f.look,
       CASE WHEN f.file = 'young'                                      THEN f.changed_at_ms + 150
            WHEN f.file IN ('bad', 'refused')
             AND (f.look = 'due' OR f.refused_until_ms < f.look_at_ms) THEN f.refused_until_ms
            ELSE                                                            f.look_at_ms END AS due_at_ms
FROM (SELECT CASE WHEN s.socket <> ''                                       THEN 'attached'
                  WHEN NOT EXISTS (SELECT 1 FROM route)
                   AND NOT EXISTS (SELECT 1 FROM route_target AS t WHERE t.ended_at_ms IS NULL)
                                                                            THEN 'unwanted'
                  ELSE                                                           'own' END AS role,
             -- What was never looked at is looked at anyway.
             CASE WHEN p.hinted = 1 AND p.reach <> 'unseen' THEN 'hinted' ELSE 'free' END AS hold,
             CASE WHEN p.settings <> (SELECT settings FROM proxy_setting_text)     THEN 'unread'
                  WHEN p.refused_content = p.content AND p.refused_until_ms > (SELECT now_ms FROM clock)
                       THEN CASE p.saved_content WHEN -1                           THEN 'bad'
                                                 ELSE                                   'refused' END
                  WHEN p.saved_content = -1                                        THEN 'none'
                  -- A reload must not wait for ever for a configuration that does not change any more.
                  WHEN p.saves >= 3 AND p.saved_generation = p.generation
                   AND p.running_generation <> p.saved_generation                  THEN 'saved'
                  -- Writing takes the machine a while: not in the middle of a cut-over, and once for many of them.
                  WHEN p.saved_content <> p.content AND p.saved_generation = p.generation
                   AND p.changed_at_ms + 150 > (SELECT now_ms FROM clock)          THEN 'young'
                  WHEN p.saved_content <> p.content                                THEN 'stale'
                  ELSE                                                                  'saved' END AS file,
             CASE WHEN p.reach <> 'reached'                       THEN p.reach
                  WHEN p.running_generation <> p.saved_generation THEN 'behind'
                  ELSE                                                 'reached' END AS process,
             CASE WHEN p.hinted = 1 OR p.look_at_ms <= (SELECT now_ms FROM clock)
                    -- A clock that was set back must not make Rowlock blind.
                    OR p.look_at_ms > (SELECT now_ms FROM clock) + 60000 THEN 'due'
                  ELSE                                                        'later' END AS look,
             p.look_at_ms,
             p.refused_until_ms,
             p.changed_at_ms
      FROM proxy_state AS p
      JOIN proxy_setting AS s) AS f;

-- '*' stands for every value.
CREATE VIEW proxy_rule (role, hold, file, process, look, step, reason) AS VALUES
  ('*',        'hinted',  '*',       '*',       '*',     'observe', 'something happened to it'),

  ('unwanted', 'free',    'unread',  'unseen',  '*',     'none',    'there was never a route'),
  ('unwanted', 'free',    'none',    'unseen',  '*',     'none',    'there was never a route'),
  ('unwanted', 'free',    'bad',     'unseen',  '*',     'none',    'it never ran'),
  ('unwanted', 'free',    'stale',   'unseen',  '*',     'observe', 'one may be left that no route needs'),
  ('unwanted', 'free',    'young',   'unseen',  '*',     'observe', 'one may be left that no route needs'),
  ('unwanted', 'free',    'refused', 'unseen',  '*',     'observe', 'one may be left that no route needs'),
  ('unwanted', 'free',    'saved',   'unseen',  '*',     'observe', 'one may be left that no route needs'),
  ('unwanted', 'free',    '*',       'behind',  '*',     'stop',    'there is no route'),
  ('unwanted', 'free',    '*',       'reached', '*',     'stop',    'there is no route'),
  ('unwanted', 'free',    'unread',  'lost',    '*',     'none',    'there is no route'),
  ('unwanted', 'free',    'none',    'lost',    '*',     'none',    'there is no route'),
  ('unwanted', 'free',    'bad',     'lost',    '*',     'none',    'there is no route'),
  -- One that does not answer may run.
  ('unwanted', 'free',    'young',   'lost',    '*',     'stop',    'there is no route'),
  ('unwanted', 'free',    'stale',   'lost',    '*',     'stop',    'there is no route'),
  ('unwanted', 'free',    'refused', 'lost',    '*',     'stop',    'there is no route'),
  ('unwanted', 'free',    'saved',   'lost',    '*',     'stop',    'there is no route'),

  ('own',      'free',    'unread',  '*',       '*',     'adopt',   'its settings were changed'),
  ('own',      'free',    'none',    'unseen',  '*',     'observe', 'it was not looked at yet'),
  ('own',      'free',    'bad',     'unseen',  '*',     'observe', 'it was not looked at yet'),
  ('own',      'free',    'stale',   'unseen',  '*',     'observe', 'it was not looked at yet'),
  ('own',      'free',    'young',   'unseen',  '*',     'observe', 'it was not looked at yet'),
  ('own',      'free',    'refused', 'unseen',  '*',     'observe', 'it was not looked at yet'),
  ('own',      'free',    'saved',   'unseen',  '*',     'observe', 'it was not looked at yet'),
  ('own',      'free',    'none',    'lost',    '*',     'save',    'its configuration was never written'),
  ('own',      'free',    'bad',     'lost',    '*',     'wait',    'it refuses its configuration'),
  -- It runs again first; what changed meanwhile follows.
  ('own',      'free',    'stale',   'lost',    '*',     'start',   'it does not run'),
  ('own',      'free',    'young',   'lost',    '*',     'start',   'it does not run'),
  ('own',      'free',    'refused', 'lost',    '*',     'start',   'it does not run'),
  ('own',      'free',    'saved',   'lost',    '*',     'start',   'it does not run'),
  ('own',      'free',    'none',    'behind',  '*',     'save',    'its configuration was never written'),
  ('own',      'free',    'bad',     'behind',  'due',   'observe', 'the truth is what it says now'),
  ('own',      'free',    'bad',     'behind',  'later', 'wait',    'it refuses its configuration'),
  ('own',      'free',    'stale',   'behind',  '*',     'save',    'its configuration has changed'),
  ('own',      'free',    'young',   'behind',  '*',     'save',    'its configuration has changed'),
  ('own',      'free',    'refused', 'behind',  '*',     'reload',  'what was written last is not what runs'),
  ('own',      'free',    'saved',   'behind',  '*',     'reload',  'what was written last is not what runs'),
  ('own',      'free',    'none',    'reached', '*',     'save',    'its configuration was never written'),
  ('own',      'free',    'stale',   'reached', 'due',   'observe', 'the truth is what it says now'),
  ('own',      'free',    'stale',   'reached', 'later', 'save',    'its configuration has changed'),
  ('own',      'free',    'young',   'reached', 'due',   'observe', 'the truth is what it says now'),
  ('own',      'free',    'young',   'reached', 'later', 'wait',    'its configuration has just changed'),
  ('own',      'free',    'bad',     'reached', 'due',   'observe', 'the truth is what it says now'),
  ('own',      'free',    'bad',     'reached', 'later', 'wait',    'it refuses its configuration'),
  ('own',      'free',    'refused', 'reached', 'due',   'observe', 'the truth is what it says now'),
  ('own',      'free',    'refused', 'reached', 'later', 'wait',    'it refuses its configuration'),
  ('own',      'free',    'saved',   'reached', 'due',   'observe', 'the truth is what it says now'),
  ('own',      'free',    'saved',   'reached', 'later', 'wait',    'looks again'),

  ('attached', 'free',    'unread',  '*',       '*',     'adopt',   'its settings were changed'),
  ('attached', 'free',    'none',    '*',       '*',     'save',    'its configuration was never written'),
  ('attached', 'free',    'stale',   '*',       '*',     'save',    'its configuration has changed'),
  ('attached', 'free',    'young',   '*',       '*',     'wait',    'its configuration has just changed'),
  ('attached', 'free',    'bad',     '*',       'due',   'observe', 'the truth is what it says now'),
  ('attached', 'free',    'bad',     '*',       'later', 'wait',    'it refuses its configuration'),
  ('attached', 'free',    'refused', '*',       'due',   'observe', 'the truth is what it says now'),
  ('attached', 'free',    'refused', '*',       'later', 'wait',    'it refuses its configuration'),
  ('attached', 'free',    'saved',   'unseen',  '*',     'observe', 'it was not looked at yet'),
  ('attached', 'free',    'saved',   'behind',  'due',   'observe', 'somebody else may have reloaded it'),
  ('attached', 'free',    'saved',   'behind',  'later', 'reload',  'what was written last is not what runs'),
  ('attached', 'free',    'saved',   'lost',    'due',   'observe', 'somebody else starts it'),
  ('attached', 'free',    'saved',   'lost',    'later', 'wait',    'somebody else starts it'),
  ('attached', 'free',    'saved',   'reached', 'due',   'observe', 'the truth is what it says now'),
  ('attached', 'free',    'saved',   'reached', 'later', 'wait',    'looks again');

CREATE VIEW proxy_status AS
SELECT 'proxy' AS kind,
       'proxy' AS name,
       CASE WHEN p.refused_content = p.content                               THEN 'failed'
            WHEN p.reach = 'lost' AND h.tries > 2                            THEN 'failed'
            WHEN p.reach = 'lost' AND s.socket <> ''                         THEN 'unknown'
            WHEN p.reach <> 'reached' OR p.running_generation <> p.generation
              OR p.saved_content <> p.content                                THEN 'converging'
            ELSE                                                                  'converged' END AS state,
       CASE WHEN p.refused_content = p.content                               THEN p.detail
            WHEN p.reach = 'lost' AND (h.tries > 2 OR s.socket <> '')        THEN p.detail
            WHEN p.reach = 'lost'                                            THEN 'is being started'
            WHEN p.reach = 'reached' AND p.running_generation <> p.saved_generation AND p.detail <> ''
            THEN p.detail
            WHEN p.reach = 'reached'
            THEN 'HAProxy ' || p.version || ' at ' || s.listen || CASE WHEN s.listen <> '' AND s.listen_tls <> ''
                                                                      THEN ' and ' ELSE '' END || s.listen_tls
                 || (SELECT ', ' || count(*) || CASE count(*) WHEN 1 THEN ' route' ELSE ' routes' END FROM route)
            ELSE 'not looked at yet' END AS detail,
       p.since_ms
FROM proxy_state AS p
JOIN proxy_setting AS s
LEFT JOIN (SELECT max(tries) AS tries FROM retry WHERE kind = 'proxy') AS h
WHERE EXISTS (SELECT 1 FROM route) OR p.reach = 'reached';

CREATE VIEW proxy_why AS
SELECT 'proxy' AS kind,
       'proxy' AS name,
       'proxy' AS target,
       CASE WHEN p.refused_content = p.content
            THEN 'the proxy refuses its configuration, the last good one stays in force: ' || p.detail
            ELSE 'the proxy cannot be reached: ' || p.detail
                   || '; no instance is stopped that it may still give requests' END AS reason,
       p.since_ms
FROM proxy_state AS p
WHERE EXISTS (SELECT 1 FROM route) AND (p.reach = 'lost' OR p.refused_content = p.content);

-- @fill

INSERT OR IGNORE INTO proxy_state (only) VALUES (1);

-- @wake

CREATE TEMP TRIGGER wake_proxy_state AFTER UPDATE ON proxy_state BEGIN INSERT INTO dirty VALUES ('proxy'); END;
-- Whoever waits for the proxy is planned again when it is back, when it runs another configuration, and when that was
-- written.
CREATE TEMP TRIGGER wake_proxy_reach AFTER UPDATE OF reach, running_generation ON proxy_state
WHEN NEW.reach <> OLD.reach OR NEW.running_generation <> OLD.running_generation BEGIN
  INSERT INTO dirty SELECT name FROM proxy_waiter;
END;
CREATE TEMP TRIGGER wake_proxy_reloaded AFTER UPDATE OF finished_at_ms ON attempt
WHEN NEW.kind = 'proxy' AND NEW.step = 'reload' BEGIN
  INSERT INTO dirty SELECT name FROM proxy_waiter;
END;
CREATE TEMP TRIGGER wake_proxy_content AFTER UPDATE OF content ON proxy_state
WHEN NEW.content <> OLD.content AND OLD.content = OLD.saved_content BEGIN
  UPDATE proxy_state SET changed_at_ms = (SELECT now_ms FROM clock);
END;
CREATE TEMP TRIGGER wake_proxy_saved AFTER UPDATE OF saved_content ON proxy_state BEGIN
  INSERT INTO dirty SELECT DISTINCT job FROM route_target WHERE ended_at_ms IS NULL;
END;

-- @begin

UPDATE proxy_state SET hinted = 1, reach = CASE reach WHEN 'reached' THEN 'unseen' ELSE reach END;

-- @run proxy.hint

UPDATE proxy_state SET hinted = 1;

-- @run proxy.adopt

-- Another proxy is looked at anew.
UPDATE proxy_state
SET reach      = CASE WHEN json_extract(settings, '$.socket') IS (SELECT socket FROM proxy_setting) THEN reach
                      ELSE 'unseen' END,
    settings   = (SELECT settings FROM proxy_setting_text),
    generation = generation + 1,
    content    = content + 1,
    since_ms   = :now_ms;

-- @run proxy.save

UPDATE proxy_state SET saving_generation = generation, saving_content = content;

-- @run proxy.save.done

UPDATE proxy_state
SET saved_generation = saving_generation,
    saved_content    = saving_content,
    refused_content  = -1,
    saves            = CASE WHEN running_generation = saving_generation THEN 0 ELSE saves + 1 END,
    detail           = '';

UPDATE route_target
SET written_at_ms = :now_ms
WHERE ended_at_ms IS NULL AND written_at_ms IS NULL
  AND content <= (SELECT saved_content FROM proxy_state);

-- @run proxy.save.rejected

-- What was saved before stays good for a start or a reload.
DELETE FROM retry WHERE kind = 'proxy';

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'proxy', 'proxy', 'proxy', 'configuration refused', :detail
FROM proxy_state WHERE detail <> :detail;

UPDATE proxy_state SET refused_content = saving_content, refused_until_ms = :now_ms + 30000, detail = :detail;

-- @run proxy.start.done

UPDATE proxy_state SET reach = 'unseen', since_ms = :now_ms;

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'proxy', 'proxy', 'proxy', 'started', '');

-- @run proxy.reload.done

UPDATE proxy_state
SET look_at_ms = 0, running_generation = :generation, saves = 0;

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'proxy', 'proxy', 'proxy', 'reloaded', 'generation ' || :generation);

-- @run proxy.stop.done

UPDATE proxy_state
SET reach = 'lost', since_ms = :now_ms, process = NULL, running_generation = -1,
    detail = '',
    -- with the next route it is written anew
    saved_generation = -1, saved_content = -1;
DELETE FROM certificate_state;

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'proxy', 'proxy', 'proxy', 'stopped', 'there is no route');

-- @run proxy.observe

-- Cleared before the look, not after: a hint that comes while it is under way asks for another.
UPDATE proxy_state SET hinted = 0;

-- @run proxy.observe.done

-- A save that fails goes on waiting for its time; what waited for the proxy does not.
DELETE FROM retry WHERE kind = 'proxy' AND (SELECT reach FROM proxy_state) <> 'reached';

-- :slots is a JSON array of [route, slot, ready, address, port, weight, sessions, lingers] for all that are not free; a
-- slot that is not among them is not there, or free. A row that was changed while the look was under way is skipped.
WITH seen (route, slot, ready, address, port, weight, sessions, lingers) AS MATERIALIZED (
  SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
         json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
         json_extract(value, '$[6]'), json_extract(value, '$[7]')
  FROM json_each(:slots)
), now_is (target, acknowledged, address, port, weight, sessions, lingers) AS MATERIALIZED (
  SELECT t.target,
         -- An earlier generation may have the slot, too.
         CASE WHEN s.ready = 1                                   THEN 'ready'
              WHEN r.generation > :generation OR r.route IS NULL THEN 'absent'
              ELSE                                                    'down' END,
         COALESCE(s.address, ''), COALESCE(s.port, 0), COALESCE(s.weight, 0), COALESCE(s.sessions, 0),
         COALESCE(s.lingers, 0)
  FROM route_target AS t
  LEFT JOIN route_state AS r ON r.route = t.route AND t.slot <= r.slots
  LEFT JOIN seen AS s ON s.route = t.route AND s.slot = t.slot
  WHERE t.ended_at_ms IS NULL
    AND NOT EXISTS (SELECT 1 FROM attempt AS a
                    WHERE a.kind = 'route_target' AND a.target = t.target
                      AND (a.finished_at_ms IS NULL OR a.finished_at_ms >= :started_at_ms))
)
UPDATE route_target
SET acknowledged         = n.acknowledged,
    acknowledged_address = n.address,
    acknowledged_port    = n.port,
    acknowledged_weight  = n.weight,
    acknowledged_at_ms   = :now_ms,
    asked_at_ms          = :started_at_ms,
    sessions             = n.sessions,
    lingers              = n.lingers,
    drained_at_ms        = CASE WHEN n.acknowledged = 'ready' OR route_target.wanted = 'ready' THEN NULL
                                ELSE COALESCE(drained_at_ms, :now_ms) END
FROM now_is AS n
WHERE route_target.target = n.target
  AND (route_target.acknowledged <> n.acknowledged OR acknowledged_address <> n.address
       OR acknowledged_port <> n.port OR acknowledged_weight <> n.weight OR route_target.sessions <> n.sessions
       OR route_target.lingers <> n.lingers);

UPDATE route_state
SET mode     = COALESCE((SELECT json_extract(value, '$[1]') FROM json_each(:modes)
                         WHERE json_extract(value, '$[0]') = route_state.route), ''),
    since_ms = :now_ms
WHERE generation <= :generation
  AND mode <> COALESCE((SELECT json_extract(value, '$[1]') FROM json_each(:modes)
                        WHERE json_extract(value, '$[0]') = route_state.route), '')
  AND NOT EXISTS (SELECT 1 FROM attempt AS a
                  WHERE a.kind = 'route' AND a.target = route_state.route
                    AND (a.finished_at_ms IS NULL OR a.finished_at_ms >= :started_at_ms));

DELETE FROM certificate_state WHERE file NOT IN (SELECT json_extract(value, '$.file') FROM json_each(:certificates));

INSERT INTO certificate_state (file, stale, not_after_ms, names, error)
SELECT json_extract(value, '$.file'), json_extract(value, '$.stale'), json_extract(value, '$.not_after_ms'),
       json_extract(value, '$.names'), json_extract(value, '$.error')
FROM json_each(:certificates)
WHERE true
ON CONFLICT (file) DO UPDATE
SET stale = excluded.stale, not_after_ms = excluded.not_after_ms, names = excluded.names,
    error = CASE WHEN excluded.stale AND excluded.error = '' THEN error ELSE excluded.error END;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'proxy', 'proxy', 'proxy', 'reached', 'HAProxy ' || :version || ' answers'
FROM proxy_state
WHERE reach <> 'reached';

-- It counts from its last reload on. One line a minute, whatever strangers send.
UPDATE proxy_state SET unread = 0 WHERE :unread < unread;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'proxy', 'proxy', 'proxy', 'requests refused',
       (:unread - p.unread) || ' could not be read: late, malformed, or with a head of more than ' || s.head_kb
         || ' KB or ' || s.headers_max || ' headers (proxy.head_kb, proxy.headers_max)'
FROM proxy_state AS p
JOIN proxy_setting AS s
WHERE :unread > p.unread AND :now_ms NOT BETWEEN p.unread_at_ms AND p.unread_at_ms + 60000;

UPDATE proxy_state
SET unread = :unread, unread_at_ms = :now_ms
WHERE :unread > unread AND :now_ms NOT BETWEEN unread_at_ms AND unread_at_ms + 60000;

UPDATE proxy_state
SET since_ms           = CASE WHEN reach = 'reached' THEN since_ms ELSE :now_ms END,
    reach              = 'reached',
    detail             = CASE WHEN refused_content = content THEN detail ELSE '' END,
    version            = :version,
    process            = :process,
    running_generation = :generation,
    -- It took another file than was thought: it has to be written again.
    saved_content      = CASE WHEN reach = 'reached' AND running_generation = saved_generation
                               AND :generation <> saved_generation THEN -1 ELSE saved_content END,
    generation         = generation + :files_moved,
    content            = content + :files_moved,
    observed_at_ms     = :started_at_ms,
    look_at_ms         = :now_ms + 5000;

-- @run proxy.observe.failed

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'proxy', 'proxy', 'proxy', 'lost', :detail
FROM proxy_state
WHERE reach = 'reached';

UPDATE proxy_state
SET since_ms           = CASE WHEN reach = 'lost' THEN since_ms ELSE :now_ms END,
    reach              = 'lost',
    detail             = :detail,
    process            = NULL,
    running_generation = -1,
    look_at_ms         = :now_ms + 1000;

-- @run proxy.failed

-- Its answer may be lost, or the proxy: it is looked at.
UPDATE proxy_state SET detail = :detail, hinted = max(hinted, :outcome = 'transient');

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'proxy', 'proxy', 'proxy',
       :step || CASE :outcome WHEN 'transient' THEN ' failed' ELSE ' ' || :outcome END, :detail
FROM retry AS h
WHERE h.kind = 'proxy' AND h.step = :step AND h.tries <= 3;
