-- A node is a place that runs instances: a container engine on this machine or another. Rowlock looks at every node
-- every few seconds, and at once when the engine hints that something happened; what it saw is all it knows.

-- @kind node
--   of:     node.name node_state.node
--   role:   new known leaving gone
--   claim:  open settled
--   look:   due later

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
            CONSTRAINT "node.eligible must be 0 or 1" CHECK (typeof(eligible) = 'integer' AND eligible IN (0, 1)),
  -- What Rowlock fetched and nothing needs any more is removed after so long, or at once when the disk is so full.
  image_keep_ms      INTEGER NOT NULL DEFAULT 604800000
                     CONSTRAINT "node.image_keep_ms must be a whole number of milliseconds, 0 to ten years"
                     CHECK (typeof(image_keep_ms) = 'integer' AND image_keep_ms BETWEEN 0 AND 315360000000),
  image_disk_percent INTEGER NOT NULL DEFAULT 85
                     CONSTRAINT "node.image_disk_percent must be a whole number from 1 to 101, which is never"
                     CHECK (typeof(image_disk_percent) = 'integer' AND image_disk_percent BETWEEN 1 AND 101)
);

-- @first

INSERT INTO node (name) VALUES ('local');

-- @observed

-- Who this controller is: one row. The holder is made anew whenever state.db is opened for writing, so that a copy of
-- the file does not know it.
CREATE TABLE claimant (
  only       INTEGER PRIMARY KEY CHECK (only = 1),
  holder     TEXT NOT NULL,
  place      TEXT NOT NULL DEFAULT '',       -- of the home's folder; a copy of the folder is at another
  folder     TEXT NOT NULL DEFAULT '',       -- its path, without links
  says       TEXT NOT NULL DEFAULT '',       -- for people: which process, where, since when
  takes_over INTEGER NOT NULL DEFAULT 0      -- 1: a person said that whoever drives the home does so no more
);

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
  hinted         INTEGER NOT NULL DEFAULT 0,  -- the engine said that something happened
  claim_epoch    INTEGER NOT NULL DEFAULT 0,  -- of the claim that this controller made there; 0: none yet
  seen_epoch     INTEGER,                     -- of the highest claim there; 0: there is none; NULL: not asked yet
  seen_holder    TEXT NOT NULL DEFAULT '',
  seen_place     TEXT NOT NULL DEFAULT '',
  seen_says      TEXT NOT NULL DEFAULT ''
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

-- Who drives this home on each engine, by the highest claim there. Who drove it from the same folder has ended: the
-- lock on the folder says so. That one may have been superseded since is told by an epoch above its own.
CREATE VIEW node_claim AS
SELECT s.node,
       s.seen_says AS says,
       CASE WHEN s.seen_epoch IS NULL                                    THEN 'unasked'
            WHEN s.seen_holder = (SELECT holder FROM claimant)           THEN 'ours'
            WHEN s.seen_epoch = 0 OR s.seen_epoch < s.claim_epoch        THEN 'open'
            WHEN s.claim_epoch > 0                                       THEN 'theirs'
            WHEN s.seen_place = (SELECT place FROM claimant)             THEN 'open'
            WHEN (SELECT takes_over FROM claimant)                       THEN 'open'
            ELSE                                                              'theirs' END AS standing
FROM node_state AS s;

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
       CASE (SELECT c.standing FROM node_claim AS c WHERE c.node = k.name) WHEN 'open' THEN 'open'
                                                                           ELSE 'settled' END AS claim,
       CASE WHEN s.hinted                                                                          THEN 'due'
            -- A clock that was set back must not make Rowlock blind.
            WHEN s.look_at_ms > (SELECT now_ms FROM clock) + 60000                                 THEN 'due'
            WHEN s.look_at_ms <= (SELECT now_ms FROM clock)                                        THEN 'due'
            ELSE 'later' END AS look,
       s.look_at_ms AS due_at_ms
FROM (SELECT DISTINCT name FROM node_name) AS k
LEFT JOIN node AS n ON n.name = k.name
LEFT JOIN node_state AS s ON s.node = k.name;

CREATE VIEW node_rule (role, claim, look, step, reason) AS VALUES
  ('new',     '*',       '*',     'meet',    'the node is new or has a new endpoint'),
  ('known',   'open',    '*',     'claim',   'nobody else drives this home there'),
  ('known',   'settled', 'due',   'observe', 'the truth is what the engine says now'),
  ('known',   'settled', 'later', 'wait',    'looks again'),
  ('leaving', 'open',    '*',     'claim',   'nobody else drives this home there'),
  ('leaving', 'settled', 'due',   'observe', 'instances are left on a node that was deleted'),
  ('leaving', 'settled', 'later', 'wait',    'looks again'),
  ('gone',    '*',       '*',     'forget',  'the node was deleted and holds nothing');

-- What an engine is (its version, its size) is asked once each time it is reached anew: it takes as long as the list.
CREATE VIEW node_input AS
SELECT s.node AS target,
       s.node,
       s.driver,
       s.endpoint,
       s.seen_epoch IS NOT NULL AND s.version IS NOT NULL AS is_known,
       (SELECT id FROM home) AS home,
       max(COALESCE(s.seen_epoch, 0), s.claim_epoch) + 1 AS epoch,
       c.holder,
       c.place,
       c.says
FROM node_state AS s
JOIN claimant AS c;

CREATE VIEW node_status AS
SELECT 'node' AS kind,
       s.node AS name,
       CASE s.reach WHEN 'reached' THEN 'converged' WHEN 'unseen' THEN 'converging' ELSE 'unknown' END AS state,
       CASE s.reach WHEN 'reached' THEN 'Docker ' || s.version || ', ' || s.arch || ', '
                                        || (SELECT count(*) FROM instance AS i WHERE i.node = s.node AND i.run = 1)
                                        || ' instances'
                                        || COALESCE((SELECT ', and ' || u.containers || ' that this state.db never '
                                                              || 'had: see rowlock why ' || u.job
                                                     FROM stray_unknown AS u
                                                     WHERE u.node = s.node), '')
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

-- @fill

INSERT OR REPLACE INTO claimant (only, holder) VALUES (1, lower(hex(randomblob(16))));

-- @begin

UPDATE node_state
SET look_at_ms = 0, reach = CASE reach WHEN 'reached' THEN 'unseen' ELSE reach END, claim_epoch = 0, seen_epoch = NULL;

-- @run node.claimant

UPDATE claimant SET place = :place, folder = :folder, says = :says, takes_over = :takes_over;
-- What an earlier controller claimed is not held by this one.
UPDATE node_state SET claim_epoch = 0, seen_epoch = NULL;

-- @run node.claim_seen

-- Before anything else is done, as far as the engine answers.
UPDATE node_state
SET seen_epoch = :claim_epoch, seen_holder = :claim_holder, seen_place = :claim_place, seen_says = :claim_says
WHERE node = :target;

-- @run node.claim_lost

-- On which node somebody else drives this home, and who.
SELECT c.node, c.says, h.id AS home FROM node_claim AS c JOIN home AS h WHERE c.standing = 'theirs' LIMIT 1;

-- @run node.engines

SELECT s.node, s.endpoint, h.id AS home FROM node_state AS s JOIN home AS h WHERE s.driver = 'docker';

-- @run node.meet

INSERT INTO node_state (node, driver, endpoint, since_ms)
SELECT name, driver, endpoint, :now_ms FROM node WHERE name = :target
ON CONFLICT (node) DO UPDATE SET driver = excluded.driver, endpoint = excluded.endpoint, reach = 'unseen',
                                 since_ms = excluded.since_ms, look_at_ms = 0, claim_epoch = 0, seen_epoch = NULL;

-- @run node.forget

DELETE FROM node_state WHERE node = :target;
DELETE FROM unmanaged WHERE node = :target;
DELETE FROM stray WHERE node = :target;

-- @run node.observe

-- Cleared before the look, not after: a hint that comes while it is under way asks for another.
UPDATE node_state SET hinted = 0 WHERE node = :target;

-- @run node.claim.done

-- :epoch, :holder … are those of the claim that stands: another's, when that one was faster.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'node', node, node, 'taken over', 'from ' || seen_says
FROM node_state
WHERE node = :target AND seen_epoch > 0 AND seen_place <> :place AND :holder = (SELECT holder FROM claimant);

UPDATE node_state
SET claim_epoch = CASE :holder WHEN (SELECT holder FROM claimant) THEN :epoch ELSE claim_epoch END,
    seen_epoch  = :epoch,
    seen_holder = :holder,
    seen_place  = :place,
    seen_says   = :says,
    look_at_ms  = 0
WHERE node = :target;

-- @run node.observe.done

UPDATE node_state
SET seen_epoch = :claim_epoch, seen_holder = :claim_holder, seen_place = :claim_place, seen_says = :claim_says
WHERE node = :target;

-- :rows is a JSON array of what the engine listed: {name, home, job, instance, nonce, image, state, address, ports}. It
-- is taken apart once. A row whose instance was changed while the look was under way says nothing about what it became:
-- it is skipped. Another container by the name of an instance is not that instance.
WITH seen (name, nonce, state, address, ports) AS MATERIALIZED (
  SELECT json_extract(value, '$.name'),
         json_extract(value, '$.nonce'),
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
  AND instance.nonce = seen.nonce
  AND instance.node = :target
  AND (instance.container <> seen.state OR instance.address <> seen.address OR instance.ports <> seen.ports)
  -- One that was made unheard is made again, and that says which volumes it keeps.
  AND NOT (seen.state = 'created' AND instance.container IN ('none', 'unpulled') AND instance.run = 1)
  AND NOT EXISTS (SELECT 1 FROM attempt AS a
                  WHERE a.kind = 'instance' AND a.target = CAST(instance.id AS TEXT)
                    AND (a.finished_at_ms IS NULL OR a.finished_at_ms >= :started_at_ms));

-- A list may be short or empty although all is there, as when the engine has only just begun to know what it runs. So
-- what it lacks is looked at by itself, at once, and only that look can say that it is gone.
UPDATE instance
SET hinted = 1
WHERE node = :target
  AND NOT hinted
  AND container IN ('created', 'running', 'paused', 'exited')
  AND (name, nonce) NOT IN (SELECT json_extract(value, '$.name'), json_extract(value, '$.nonce')
                            FROM json_each(:rows))
  AND NOT EXISTS (SELECT 1 FROM attempt AS a
                  WHERE a.kind = 'instance' AND a.target = CAST(instance.id AS TEXT)
                    AND (a.finished_at_ms IS NULL OR a.finished_at_ms >= :started_at_ms));

DELETE FROM stray
WHERE node = :target
  AND (name, nonce) NOT IN (SELECT json_extract(value, '$.name'), json_extract(value, '$.nonce') FROM json_each(:rows));

-- A row that is gone because it was just forgotten may still be in this list: such a container is seen again or not at
-- all.
INSERT OR IGNORE INTO stray (node, name, job, since_ms, instance, nonce)
SELECT :target, seen.name, seen.job, :now_ms,
       CASE WHEN seen.instance NOT GLOB '*[^0-9]*' AND length(seen.instance) <= 15 THEN CAST(seen.instance AS INTEGER)
            ELSE 0 END,
       seen.nonce
FROM (SELECT json_extract(value, '$.name') AS name,
             json_extract(value, '$.job') AS job,
             json_extract(value, '$.instance') AS instance,
             json_extract(value, '$.nonce') AS nonce,
             json_extract(value, '$.home') AS home
      FROM json_each(:rows)) AS seen
WHERE seen.home = (SELECT id FROM home)
  -- An image made from one of our containers carries our labels; a container of it is not ours.
  AND seen.name GLOB 'rowlock-' || (SELECT id FROM home) || '-*'
  AND (seen.name, seen.nonce) NOT IN (SELECT i.name, i.nonce FROM instance AS i)
  AND NOT EXISTS (SELECT 1 FROM attempt AS a
                  WHERE a.kind IN ('instance', 'stray')
                    AND (a.finished_at_ms IS NULL OR a.finished_at_ms >= :started_at_ms));

-- Numbers never go back, not even with an older state.db: a name that was used once is not used again.
UPDATE sqlite_sequence
SET seq = (SELECT max(max(s.instance), sqlite_sequence.seq) FROM stray AS s WHERE s.node = :target)
WHERE name = 'instance' AND EXISTS (SELECT 1 FROM stray AS s WHERE s.node = :target);

INSERT INTO sqlite_sequence (name, seq)
SELECT 'instance', max(s.instance)
FROM stray AS s
WHERE s.node = :target AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'instance')
HAVING max(s.instance) > 0;

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
SELECT :now_ms, 'node', s.node, s.node,
       CASE c.standing WHEN 'theirs' THEN 'lost' ELSE 'reached' END,
       CASE c.standing WHEN 'theirs' THEN 'another controller drives this home: ' || c.says
                       ELSE 'Docker ' || COALESCE(:version, s.version) || ' answers' END
FROM node_state AS s
JOIN node_claim AS c ON c.node = s.node
WHERE s.node = :target
  AND c.standing <> 'open'
  AND s.reach <> CASE c.standing WHEN 'theirs' THEN 'lost' ELSE 'reached' END;

-- Where another drives this home, it is as if the engine did not answer; where nobody does yet, as if it was not asked.
UPDATE node_state
SET since_ms       = CASE WHEN reach = c.becomes THEN since_ms ELSE :now_ms END,
    reach          = c.becomes,
    detail         = c.reason,
    version        = COALESCE(:version, version),
    arch           = COALESCE(:arch, arch),
    cpus           = COALESCE(:cpus, cpus),
    memory_mb      = COALESCE(:memory_mb, memory_mb),
    observed_at_ms = :started_at_ms,
    look_at_ms     = :now_ms + 5000
FROM (SELECT CASE standing WHEN 'theirs' THEN 'lost' WHEN 'open' THEN 'unseen' ELSE 'reached' END AS becomes,
             CASE standing WHEN 'theirs' THEN 'another controller drives this home: ' || says ELSE '' END AS reason
      FROM node_claim
      WHERE node = :target) AS c
WHERE node = :target;

-- @run node.failed

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'node', node, node, 'lost', :detail
FROM node_state
WHERE node = :target AND reach <> 'lost';

UPDATE node_state
SET since_ms   = CASE WHEN reach = 'lost' THEN since_ms ELSE :now_ms END,
    reach      = 'lost',
    detail     = :detail,
    seen_epoch = NULL,
    look_at_ms = :now_ms + 2000
WHERE node = :target;

-- @run node.hint

UPDATE node_state SET hinted = 1 WHERE node = :target;

-- @run cli.doctor_nodes

SELECT name, driver, endpoint, arch FROM node ORDER BY name;
