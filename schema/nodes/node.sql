-- A node is a place that runs instances: a container engine on this machine or another. Rowlock looks at every node
-- every few seconds, and at once when the engine hints that something happened; what it saw is all it knows.

-- @kind node
--   of:    node.name node_state.node
--   role:  new known leaving gone
--   look:  due later

-- @kind stray
--   of:      stray.job
--   hold:    blind free
--   needed:  no perhaps
--   retry:   5 s to 5 min

-- @desired

CREATE TABLE node (
  name      TEXT PRIMARY KEY NOT NULL
            CONSTRAINT "node.name must be 1 to 63 of a-z, 0-9 and '-', and begin with a letter or digit"
            CHECK (name GLOB '[a-z0-9]*' AND name NOT GLOB '*[^a-z0-9-]*' AND length(name) <= 63),
  site      TEXT NOT NULL DEFAULT 'local',   -- the location it stands in
  driver    TEXT NOT NULL DEFAULT 'docker'
            CONSTRAINT "node.driver must be 'docker' or 'process'" CHECK (driver IN ('docker', 'process')),
  -- unix:///path or tcp://host:port; '': DOCKER_HOST, else this machine's engine
  endpoint  TEXT NOT NULL DEFAULT ''
            CONSTRAINT "node.endpoint must be empty, unix:///path/to/docker.sock or tcp://host:port"
            CHECK (endpoint = '' OR endpoint GLOB 'unix:///*' OR endpoint GLOB 'tcp://*:*'),
  arch      TEXT                             -- amd64, arm64 …; NULL: what the engine says
            CONSTRAINT "node.arch must be NULL or a name such as 'amd64' or 'arm64'"
            CHECK (arch IS NULL OR (arch NOT GLOB '*[^a-z0-9]*' AND arch <> '')),
  eligible  INTEGER NOT NULL DEFAULT 1       -- 0: nothing new is placed here
            CONSTRAINT "node.eligible must be 0 or 1" CHECK (typeof(eligible) = 'integer' AND eligible IN (0, 1))
);

-- @first

INSERT INTO node (name) VALUES ('local');

-- @observed

-- What Rowlock last learned of a node. Goes away with the last instance once the node is no longer desired.
CREATE TABLE node_state (
  node           TEXT PRIMARY KEY NOT NULL,
  driver         TEXT NOT NULL,
  endpoint       TEXT NOT NULL,
  reach          TEXT NOT NULL DEFAULT 'unseen' CHECK (reach IN ('unseen', 'reached', 'lost')),
  since_ms       INTEGER NOT NULL,            -- moment at which `reach` became what it is
  detail         TEXT NOT NULL DEFAULT '',    -- what the engine answered when it was lost
  version        TEXT,
  arch           TEXT,
  cpus           REAL,
  memory_mb      INTEGER,
  observed_at_ms INTEGER,                     -- start of the last look that was answered
  look_at_ms     INTEGER NOT NULL DEFAULT 0,  -- when to look again
  hinted         INTEGER NOT NULL DEFAULT 0   -- the engine said that something happened
);

-- A container that carries this home's id but has no instance row: made by a call whose answer came too late.
CREATE TABLE stray (
  node     TEXT NOT NULL,
  name     TEXT NOT NULL,
  job      TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (node, name)
);

-- A container that Rowlock did not make. Shown, and left alone.
CREATE TABLE unmanaged (
  node  TEXT NOT NULL,
  name  TEXT NOT NULL,
  image TEXT NOT NULL,
  state TEXT NOT NULL,
  home  TEXT NOT NULL,               -- another home's id, or ''
  PRIMARY KEY (node, name)
);

-- @views

CREATE VIEW node_violation AS
SELECT 'node' AS table_name,
       name AS row_key,
       'node ' || name || ' has driver ''process'', which this version does not have: use ''docker''' AS message
FROM node
WHERE driver = 'process'
UNION ALL
SELECT 'node',
       n.name,
       'node ' || n.name || ' reaches the same engine as node ' || other.name
         || ': give each its own endpoint, or delete one of them'
FROM node AS n
JOIN node AS other ON other.driver = n.driver AND other.endpoint = n.endpoint AND other.name < n.name;

-- What deleting a node would end.
CREATE VIEW node_stake AS
SELECT DISTINCT 'node' AS table_name, json_array(i.node) AS row_key, 'on which instances run' AS what
FROM instance AS i
WHERE i.run = 1;

-- Those that are desired, and those that are still known.
CREATE VIEW node_fact AS
SELECT k.name,
       k.name AS target,
       CASE WHEN n.name IS NULL AND EXISTS (SELECT 1 FROM instance AS i WHERE i.node = k.name) THEN 'leaving'
            WHEN n.name IS NULL                                                               THEN 'gone'
            WHEN s.node IS NULL OR s.endpoint <> n.endpoint OR s.driver <> n.driver           THEN 'new'
            ELSE                                                                                   'known' END AS role,
       CASE WHEN s.hinted                                                                          THEN 'due'
            -- A clock that was set back must not make Rowlock blind.
            WHEN s.look_at_ms > (SELECT now_ms FROM clock) + 60000                                 THEN 'due'
            WHEN s.look_at_ms <= (SELECT now_ms FROM clock)                                        THEN 'due'
            ELSE 'later' END AS look,
       s.look_at_ms AS due_at_ms
FROM (SELECT DISTINCT name FROM node_name) AS k
LEFT JOIN node AS n ON n.name = k.name
LEFT JOIN node_state AS s ON s.node = k.name;

CREATE VIEW node_rule (role, look, step, reason) AS VALUES
  ('new',     '*',     'meet',    'the node is new or has a new endpoint'),
  ('known',   'due',   'observe', 'the truth is what the engine says now'),
  ('known',   'later', 'wait',    'looks again'),
  ('leaving', 'due',   'observe', 'instances are left on a node that was deleted'),
  ('leaving', 'later', 'wait',    'looks again'),
  ('gone',    '*',     'forget',  'the node was deleted and holds nothing');

-- What an engine is (its version, its size) is asked once each time it is reached anew: it takes as long as the list.
CREATE VIEW node_input AS
SELECT node AS target, node, driver, endpoint, reach = 'reached' AND version IS NOT NULL AS is_known FROM node_state;

CREATE VIEW node_status AS
SELECT 'node' AS kind,
       s.node AS name,
       CASE s.reach WHEN 'reached' THEN 'converged' WHEN 'unseen' THEN 'converging' ELSE 'unknown' END AS state,
       CASE s.reach WHEN 'reached' THEN 'Docker ' || s.version || ', ' || s.arch || ', '
                                        || (SELECT count(*) FROM instance AS i WHERE i.node = s.node AND i.run = 1)
                                        || ' instances'
                    WHEN 'unseen'  THEN 'not looked at yet'
                    ELSE                s.detail END AS detail,
       s.since_ms
FROM node_state AS s;

CREATE VIEW node_why AS
SELECT 'node' AS kind,
       s.node AS name,
       s.node AS target,
       'node ' || s.node || ' cannot be reached: ' || s.detail
         || '; what runs there is unknown, and nothing is started or stopped there until it answers' AS reason,
       s.since_ms
FROM node_state AS s
WHERE s.reach = 'lost';

-- A stray is removed once the job it was made for stands without it, has failed, or is gone.
CREATE VIEW stray_fact AS
SELECT s.job AS name,
       s.node || '/' || s.name AS target,
       NULL AS due_at_ms,
       CASE WHEN n.reach IS NOT 'reached' THEN 'blind' ELSE 'free' END AS hold,
       CASE WHEN j.name IS NULL                       THEN 'no'
            WHEN d.state = 'failed'                   THEN 'no'
            WHEN j.count <= (SELECT count(*) FROM instance AS i
                             WHERE i.job = s.job AND i.run = 1 AND i.container = 'running'
                               AND i.healthy_at_ms IS NOT NULL) THEN 'no'
            ELSE                                           'perhaps' END AS needed
FROM stray AS s
LEFT JOIN node_state AS n ON n.node = s.node
LEFT JOIN job AS j ON j.name = s.job
LEFT JOIN deployment AS d ON d.job = s.job AND d.current = 1;

CREATE VIEW stray_rule (hold, needed, step, reason) AS VALUES
  ('blind', '*',       'wait',   'its node cannot be reached'),
  ('free',  'no',      'remove', 'a container of this home without a row, which no job needs'),
  ('free',  'perhaps', 'wait',   'a container of this home without a row; stays until its job is healthy without it');

CREATE VIEW stray_input AS
SELECT s.node || '/' || s.name AS target, s.node, n.driver, n.endpoint, s.name AS container
FROM stray AS s
JOIN node_state AS n ON n.node = s.node;

-- @wake

-- Where instances can be placed has changed.
CREATE TEMP TRIGGER wake_node_insert AFTER INSERT ON node BEGIN INSERT INTO dirty SELECT name FROM job; END;
CREATE TEMP TRIGGER wake_node_update AFTER UPDATE ON node BEGIN INSERT INTO dirty SELECT name FROM job; END;
CREATE TEMP TRIGGER wake_node_delete AFTER DELETE ON node BEGIN
  INSERT INTO dirty SELECT job FROM instance WHERE node = OLD.name;
END;
CREATE TEMP TRIGGER wake_node_reach AFTER UPDATE OF reach ON node_state WHEN NEW.reach <> OLD.reach BEGIN
  INSERT INTO dirty SELECT name FROM job;
  INSERT INTO dirty SELECT job FROM instance WHERE node = NEW.node;
  INSERT INTO dirty SELECT job FROM stray WHERE node = NEW.node;
END;

-- @begin

UPDATE node_state SET look_at_ms = 0, reach = CASE reach WHEN 'reached' THEN 'unseen' ELSE reach END;

-- @run node.meet

INSERT INTO node_state (node, driver, endpoint, since_ms)
SELECT name, driver, endpoint, :now_ms FROM node WHERE name = :target
ON CONFLICT (node) DO UPDATE SET driver = excluded.driver, endpoint = excluded.endpoint, reach = 'unseen',
                                 since_ms = excluded.since_ms, look_at_ms = 0;

-- @run node.forget

DELETE FROM node_state WHERE node = :target;
DELETE FROM unmanaged WHERE node = :target;
DELETE FROM stray WHERE node = :target;

-- @run node.observe

-- Cleared before the look, not after: a hint that comes while it is under way asks for another.
UPDATE node_state SET hinted = 0 WHERE node = :target;

-- @run node.observe.done

-- :rows is a JSON array of what the engine listed: {name, home, job, image, state, address, ports}. It is taken apart
-- once. A row whose instance was changed while the look was under way says nothing about what it became: it is skipped.
WITH seen (name, state, address, ports) AS MATERIALIZED (
  SELECT json_extract(value, '$.name'),
         json_extract(value, '$.state'),
         json_extract(value, '$.address'),
         json_extract(value, '$.ports')
  FROM json_each(:rows)
)
UPDATE instance
SET container = seen.state,
    started_at_ms = CASE WHEN seen.state IN ('running', 'paused') THEN COALESCE(started_at_ms, :now_ms)
                         ELSE started_at_ms END,
    address   = seen.address,
    ports     = seen.ports,
    log       = CASE WHEN seen.state IN ('running', 'paused') THEN NULL ELSE log END,
    exit_code = CASE WHEN seen.state IN ('running', 'paused') THEN NULL ELSE exit_code END,
    hinted    = seen.state = 'exited' AND container <> 'exited',   -- the list does not tell the exit code: look closer
    since_ms  = :now_ms
FROM seen
WHERE instance.name = seen.name
  AND instance.node = :target
  AND (instance.container <> seen.state OR instance.address <> seen.address OR instance.ports <> seen.ports)
  AND NOT EXISTS (SELECT 1 FROM attempt AS a
                  WHERE a.kind = 'instance' AND a.target = CAST(instance.id AS TEXT)
                    AND (a.finished_at_ms IS NULL OR a.finished_at_ms >= :started_at_ms));

UPDATE instance
SET container = 'gone',
    address   = '',
    since_ms  = :now_ms
WHERE node = :target
  AND container IN ('created', 'running', 'paused', 'exited')
  AND name NOT IN (SELECT json_extract(value, '$.name') FROM json_each(:rows))
  AND NOT EXISTS (SELECT 1 FROM attempt AS a
                  WHERE a.kind = 'instance' AND a.target = CAST(instance.id AS TEXT)
                    AND (a.finished_at_ms IS NULL OR a.finished_at_ms >= :started_at_ms));

DELETE FROM stray
WHERE node = :target
  AND name NOT IN (SELECT json_extract(value, '$.name') FROM json_each(:rows));

-- A row that is gone because it was just forgotten may still be in this list: such a container is seen again or not at
-- all.
INSERT OR IGNORE INTO stray (node, name, job, since_ms)
SELECT :target, seen.name, seen.job, :now_ms
FROM (SELECT json_extract(value, '$.name') AS name,
             json_extract(value, '$.job') AS job,
             json_extract(value, '$.home') AS home
      FROM json_each(:rows)) AS seen
WHERE seen.home = (SELECT id FROM home)
  -- An image made from one of our containers carries our labels; a container of it is not ours.
  AND seen.name GLOB 'rowlock-' || (SELECT id FROM home) || '-*'
  AND seen.name NOT IN (SELECT i.name FROM instance AS i)
  AND NOT EXISTS (SELECT 1 FROM attempt AS a
                  WHERE a.kind IN ('instance', 'stray')
                    AND (a.finished_at_ms IS NULL OR a.finished_at_ms >= :started_at_ms));

DELETE FROM unmanaged
WHERE node = :target
  AND name NOT IN (SELECT json_extract(value, '$.name') FROM json_each(:rows));

INSERT INTO unmanaged (node, name, image, state, home)
SELECT :target, seen.name, seen.image, seen.state, seen.home
FROM (SELECT json_extract(value, '$.name') AS name,
             json_extract(value, '$.image') AS image,
             json_extract(value, '$.state') AS state,
             json_extract(value, '$.home') AS home
      FROM json_each(:rows)) AS seen
WHERE seen.home <> (SELECT id FROM home) OR seen.name NOT GLOB 'rowlock-' || (SELECT id FROM home) || '-*'
ON CONFLICT (node, name) DO UPDATE SET image = excluded.image, state = excluded.state, home = excluded.home
WHERE image <> excluded.image OR state <> excluded.state OR home <> excluded.home;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'node', node, node, 'reached', 'Docker ' || :version || ' answers'
FROM node_state
WHERE node = :target AND reach <> 'reached';

UPDATE node_state
SET since_ms       = CASE WHEN reach = 'reached' THEN since_ms ELSE :now_ms END,
    reach          = 'reached',
    detail         = '',
    version        = COALESCE(:version, version),
    arch           = COALESCE(:arch, arch),
    cpus           = COALESCE(:cpus, cpus),
    memory_mb      = COALESCE(:memory_mb, memory_mb),
    observed_at_ms = :started_at_ms,
    look_at_ms     = :now_ms + 5000
WHERE node = :target;

-- @run node.observe.failed

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'node', node, node, 'lost', :detail
FROM node_state
WHERE node = :target AND reach <> 'lost';

UPDATE node_state
SET since_ms   = CASE WHEN reach = 'lost' THEN since_ms ELSE :now_ms END,
    reach      = 'lost',
    detail     = :detail,
    look_at_ms = :now_ms + 2000
WHERE node = :target;

-- @run node.hint

UPDATE node_state SET hinted = 1 WHERE node = :target;

-- @run stray.remove.done

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'stray', job, name, 'removed', 'a container of this home without a row'
FROM stray
WHERE node || '/' || name = :target;

DELETE FROM stray WHERE node || '/' || name = :target;

-- @run cli.doctor_nodes

SELECT name, driver, endpoint, arch FROM node ORDER BY name;
