-- A job is what the engineer wants to run: so many instances of one image. The part of it whose change needs new
-- instances is its spec; everything else (count, checks, update and restart policy) takes effect on those that run.

-- @kind job
--   of:       job.name deployment.job
--   asked:    new changed same gone
--   vacancy:  none held later nowhere due

-- @desired

CREATE TABLE job (
  name                 TEXT PRIMARY KEY NOT NULL
                       CONSTRAINT "job.name must be 1 to 40 of a-z, 0-9 and '-', and begin with a letter or digit"
                       CHECK (name GLOB '[a-z0-9]*' AND name NOT GLOB '*[^a-z0-9-]*' AND length(name) <= 40),
  type                 TEXT NOT NULL DEFAULT 'service'
                       CONSTRAINT "job.type must be 'service', 'batch' or 'system'"
                       CHECK (type IN ('service', 'batch', 'system')),
  count                INTEGER NOT NULL DEFAULT 1      -- how many instances
                       CONSTRAINT "job.count must be a whole number from 0 to 500"
                       CHECK (typeof(count) = 'integer' AND count BETWEEN 0 AND 500),

  -- The spec: a change here means new instances.
  image                TEXT NOT NULL                   -- as docker pull takes it: registry/name:tag or name@sha256:…
                       CONSTRAINT "job.image must name an image, such as 'nginx:1.25', without spaces"
                       CHECK (image <> '' AND image NOT GLOB '*[ ' || char(9, 10, 13) || ']*'),
  command              TEXT                            -- a JSON array of strings; NULL: the image's own
                       CONSTRAINT "job.command must be a JSON array of strings, such as '[""sleep"",""60""]', or NULL"
                       CHECK (command IS NULL OR (json_valid(command) AND json_type(command) = 'array'
                                                  AND json_array_length(command) > 0)),
  user                 TEXT                            -- name or uid[:gid]; NULL: the image's own
                       CONSTRAINT "job.user must be a name or uid[:gid] without spaces, or NULL"
                       CHECK (user IS NULL OR (user <> '' AND user NOT GLOB '* *')),
  network              TEXT NOT NULL DEFAULT 'bridge'  -- bridge | host | none | a network that exists on the node
                       CONSTRAINT "job.network must be 'bridge', 'host', 'none' or a network's name"
                       CHECK (network <> '' AND network NOT GLOB '* *' AND network NOT GLOB 'container:*'),
  cpus                 REAL NOT NULL DEFAULT 0         -- limit and reservation; 0: none
                       CONSTRAINT "job.cpus must be a number from 0 (no limit) to 1024"
                       CHECK (typeof(cpus) = 'real' AND cpus BETWEEN 0 AND 1024),
  -- its part of the processors when all want more than there are; by hand a container is started with 1024
  cpu_shares           INTEGER NOT NULL DEFAULT 512
                       CONSTRAINT "job.cpu_shares must be 0 (the engine's own) or a whole number from 2 to 262144"
                       CHECK (typeof(cpu_shares) = 'integer' AND (cpu_shares = 0 OR cpu_shares BETWEEN 2 AND 262144)),
  memory_mb            INTEGER NOT NULL DEFAULT 0      -- limit and reservation; 0: nothing is reserved,
                       CONSTRAINT "job.memory_mb must be 0 (memory_max_mb is the limit) or a whole number of at least 6"
                       CHECK (typeof(memory_mb) = 'integer' AND (memory_mb = 0 OR memory_mb BETWEEN 6 AND 16777216)),
  memory_max_mb        INTEGER NOT NULL DEFAULT 1024   -- and this is the limit; 0: none
                       CONSTRAINT "job.memory_max_mb must be 0 (no limit) or a whole number of at least 6"
                       CHECK (typeof(memory_max_mb) = 'integer'
                              AND (memory_max_mb = 0 OR memory_max_mb BETWEEN 6 AND 16777216)),
  pids_max             INTEGER NOT NULL DEFAULT 1024   -- how many processes and threads; 0: no limit
                       CONSTRAINT "job.pids_max must be 0 (no limit) or a whole number up to 4194304"
                       CHECK (typeof(pids_max) = 'integer' AND pids_max BETWEEN 0 AND 4194304),
  capabilities         TEXT NOT NULL DEFAULT '[]'      -- kept by the container, as a JSON array; all others are dropped
                       CONSTRAINT "job.capabilities must be a JSON array such as '[""NET_BIND_SERVICE""]'"
                       CHECK (json_valid(capabilities) AND json_type(capabilities) = 'array'),
  new_privileges       INTEGER NOT NULL DEFAULT 0      -- 1: setuid programs may gain privileges
                       CONSTRAINT "job.new_privileges must be 0 or 1"
                       CHECK (typeof(new_privileges) = 'integer' AND new_privileges IN (0, 1)),
  read_only_root       INTEGER NOT NULL DEFAULT 1      -- 1: only mounts can be written to,
                       CONSTRAINT "job.read_only_root must be 0 or 1"
                       CHECK (typeof(read_only_root) = 'integer' AND read_only_root IN (0, 1)),
  -- and, with 1 here, /run, /tmp and /var/tmp: folders in memory that go with the container
  read_only_tmpfs      INTEGER NOT NULL DEFAULT 1
                       CONSTRAINT "job.read_only_tmpfs must be 0 or 1"
                       CHECK (typeof(read_only_tmpfs) = 'integer' AND read_only_tmpfs IN (0, 1)),
  -- 1: the secret API stands in it as /run/rowlock/api.sock, where only tokens count
  secrets_api          INTEGER NOT NULL DEFAULT 0
                       CONSTRAINT "job.secrets_api must be 0 or 1"
                       CHECK (typeof(secrets_api) = 'integer' AND secrets_api IN (0, 1)),
  -- 1: a job_mount of it may be the socket of the node's engine: it rules the node then, as root does
  engine_socket        INTEGER NOT NULL DEFAULT 0
                       CONSTRAINT "job.engine_socket must be 0 or 1"
                       CHECK (typeof(engine_socket) = 'integer' AND engine_socket IN (0, 1)),
  restart              INTEGER NOT NULL DEFAULT 0      -- raise it to get new instances of the same spec
                       CONSTRAINT "job.restart must be a whole number: raise it by one to get new instances"
                       CHECK (typeof(restart) = 'integer'),

  -- What its tag stands for: see image.sql. A name@sha256:… stands for itself.
  pull                 TEXT NOT NULL DEFAULT 'missing' -- always: the registry has to say it; never: the node does
                       CONSTRAINT "job.pull must be 'missing', 'always' or 'never'"
                       CHECK (pull IN ('missing', 'always', 'never')),
  on_tag_moved         TEXT NOT NULL DEFAULT 'ignore'  -- deploy: what a tag that moved stands for is rolled out
                       CONSTRAINT "job.on_tag_moved must be 'ignore' or 'deploy'"
                       CHECK (on_tag_moved IN ('ignore', 'deploy')),
  tag_look_ms          INTEGER NOT NULL DEFAULT 900000 -- how often it is looked up
                       CONSTRAINT "job.tag_look_ms must be a whole number of milliseconds, ten seconds to 30 days"
                       CHECK (typeof(tag_look_ms) = 'integer' AND tag_look_ms BETWEEN 10000 AND 2592000000),

  -- The update policy: how a new spec takes over.
  update_order         TEXT NOT NULL DEFAULT 'start_first'
                       CONSTRAINT "job.update_order must be 'start_first' or 'stop_first'"
                       CHECK (update_order IN ('start_first', 'stop_first')),
  max_parallel         INTEGER NOT NULL DEFAULT 1      -- how many are replaced at a time
                       CONSTRAINT "job.max_parallel must be a whole number from 1 to 500"
                       CHECK (typeof(max_parallel) = 'integer' AND max_parallel BETWEEN 1 AND 500),
  min_healthy_ms       INTEGER NOT NULL DEFAULT 10000  -- healthy for so long before an old one makes way
                       CONSTRAINT "job.min_healthy_ms must be a whole number of milliseconds, 0 or more"
                       CHECK (typeof(min_healthy_ms) = 'integer' AND min_healthy_ms BETWEEN 0 AND 86400000),
  healthy_deadline_ms  INTEGER NOT NULL DEFAULT 300000 -- an instance that is not healthy by then has failed
                       CONSTRAINT "job.healthy_deadline_ms must be a whole number of milliseconds, 1 or more"
                       CHECK (typeof(healthy_deadline_ms) = 'integer' AND healthy_deadline_ms BETWEEN 1 AND 86400000),
  -- a deployment in which nothing became healthy for so long has failed
  progress_deadline_ms INTEGER NOT NULL DEFAULT 600000
                       CONSTRAINT "job.progress_deadline_ms must be a whole number of milliseconds, 1 or more"
                       CHECK (typeof(progress_deadline_ms) = 'integer' AND progress_deadline_ms BETWEEN 1 AND 86400000),
  failures_max         INTEGER NOT NULL DEFAULT 3      -- a deployment of which so many instances failed has failed
                       CONSTRAINT "job.failures_max must be a whole number from 1 to 1000"
                       CHECK (typeof(failures_max) = 'integer' AND failures_max BETWEEN 1 AND 1000),
  -- 1: a failed deployment goes back to the last spec that was healthy
  auto_revert          INTEGER NOT NULL DEFAULT 1
                       CONSTRAINT "job.auto_revert must be 0 or 1"
                       CHECK (typeof(auto_revert) = 'integer' AND auto_revert IN (0, 1)),

  -- The restart policy: the first restart is at once, the second after restart_delay_ms, each later one twice as late.
  restart_delay_ms     INTEGER NOT NULL DEFAULT 1000
                       CONSTRAINT "job.restart_delay_ms must be a whole number of milliseconds, 0 or more"
                       CHECK (typeof(restart_delay_ms) = 'integer' AND restart_delay_ms BETWEEN 0 AND 86400000),
  restart_delay_max_ms INTEGER NOT NULL DEFAULT 300000
                       CONSTRAINT "job.restart_delay_max_ms must be a whole number of milliseconds, 0 or more"
                       CHECK (typeof(restart_delay_max_ms) = 'integer' AND restart_delay_max_ms BETWEEN 0 AND 86400000),
  restart_reset_ms     INTEGER NOT NULL DEFAULT 60000  -- healthy for so long, and the delay begins anew
                       CONSTRAINT "job.restart_reset_ms must be a whole number of milliseconds, 0 or more"
                       CHECK (typeof(restart_reset_ms) = 'integer' AND restart_reset_ms BETWEEN 0 AND 86400000),

  stop_signal          TEXT NOT NULL DEFAULT 'SIGTERM'
                       CONSTRAINT "job.stop_signal must be a signal's name, such as 'SIGTERM' or 'SIGINT'"
                       CHECK (stop_signal GLOB 'SIG[A-Z]*' AND stop_signal NOT GLOB '*[^A-Z0-9+-]*'),
  stop_timeout_ms      INTEGER NOT NULL DEFAULT 10000  -- killed when it has not ended by then
                       CONSTRAINT "job.stop_timeout_ms must be a whole number of milliseconds, 0 to one hour"
                       CHECK (typeof(stop_timeout_ms) = 'integer' AND stop_timeout_ms BETWEEN 0 AND 3600000),
  -- requests under way may take so long to end before it is stopped (route_target.sql)
  drain_timeout_ms     INTEGER NOT NULL DEFAULT 30000
                       CONSTRAINT "job.drain_timeout_ms must be a whole number of milliseconds, 0 to one hour"
                       CHECK (typeof(drain_timeout_ms) = 'integer' AND drain_timeout_ms BETWEEN 0 AND 3600000),

  CONSTRAINT "job.min_healthy_ms must be less than progress_deadline_ms, or no deployment could end well"
  CHECK (min_healthy_ms < progress_deadline_ms)
);

CREATE TABLE job_env (
  job   TEXT NOT NULL REFERENCES job (name) ON DELETE CASCADE ON UPDATE CASCADE,
  name  TEXT NOT NULL
        CONSTRAINT "job_env.name must be letters, digits and '_', and not begin with a digit"
        CHECK (name GLOB '[A-Za-z_]*' AND name NOT GLOB '*[^A-Za-z0-9_]*'),
  value TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (job, name)
);

CREATE TABLE job_port (
  job       TEXT NOT NULL REFERENCES job (name) ON DELETE CASCADE ON UPDATE CASCADE,
  label     TEXT NOT NULL                        -- what checks and routes call it: http, metrics …
            CONSTRAINT "job_port.label must be 1 to 63 of a-z, 0-9, '-' and '_', and begin with a letter"
            CHECK (label GLOB '[a-z]*' AND label NOT GLOB '*[^a-z0-9_-]*' AND length(label) <= 63),
  port      INTEGER NOT NULL                     -- that the program listens on, inside the container
            CONSTRAINT "job_port.port must be a whole number from 1 to 65535"
            CHECK (typeof(port) = 'integer' AND port BETWEEN 1 AND 65535),
  protocol  TEXT NOT NULL DEFAULT 'tcp'
            CONSTRAINT "job_port.protocol must be 'tcp' or 'udp'" CHECK (protocol IN ('tcp', 'udp')),
  host_port INTEGER                              -- published on the node; 0: a free one is picked; NULL: not published
            CONSTRAINT "job_port.host_port must be NULL (not published), 0 (any free one) or 1 to 65535"
            CHECK (host_port IS NULL OR (typeof(host_port) = 'integer' AND host_port BETWEEN 0 AND 65535)),
  host_ip   TEXT NOT NULL DEFAULT '127.0.0.1'    -- the address it is published on
            CONSTRAINT "job_port.host_ip must be an IP address; '127.0.0.1' is reachable from the node alone"
            CHECK (host_ip <> '' AND host_ip NOT GLOB '*[^0-9a-fA-F.:]*'),
  PRIMARY KEY (job, label)
);

CREATE TABLE job_mount (
  job       TEXT NOT NULL REFERENCES job (name) ON DELETE CASCADE ON UPDATE CASCADE,
  path      TEXT NOT NULL                        -- where the container sees it
            CONSTRAINT "job_mount.path must be absolute, such as '/data', and not '/'"
            CHECK (path GLOB '/?*'),
  type      TEXT NOT NULL DEFAULT 'volume'
            CONSTRAINT "job_mount.type must be 'volume', 'bind' or 'tmpfs'" CHECK (type IN ('volume', 'bind', 'tmpfs')),
  source    TEXT NOT NULL DEFAULT ''             -- a volume's name, a folder of the node (bind), '' (tmpfs)
            CONSTRAINT "job_mount.source must be a volume's name for type 'volume'; use type 'bind' for a folder"
            CHECK (type <> 'volume' OR (source GLOB '[a-zA-Z0-9]*' AND source NOT GLOB '*[^a-zA-Z0-9_.-]*')),
  read_only INTEGER NOT NULL DEFAULT 0
            CONSTRAINT "job_mount.read_only must be 0 or 1"
            CHECK (typeof(read_only) = 'integer' AND read_only IN (0, 1)),
  -- 0: one instance at a time writes to it, so the job updates by stop_first; 1: the program can share it
  shared    INTEGER NOT NULL DEFAULT 0
            CONSTRAINT "job_mount.shared must be 0 or 1"
            CHECK (typeof(shared) = 'integer' AND shared IN (0, 1)),
  PRIMARY KEY (job, path),
  CONSTRAINT "job_mount.source must be an absolute folder for type 'bind'"
  CHECK (type <> 'bind' OR source GLOB '/*')
);

-- Where instances may be placed.
CREATE TABLE job_constraint (
  job       TEXT NOT NULL REFERENCES job (name) ON DELETE CASCADE ON UPDATE CASCADE,
  attribute TEXT NOT NULL
            CONSTRAINT "job_constraint.attribute must be 'node', 'site' or 'arch'"
            CHECK (attribute IN ('node', 'site', 'arch')),
  operator  TEXT NOT NULL DEFAULT '='
            CONSTRAINT "job_constraint.operator must be '=' or '!='" CHECK (operator IN ('=', '!=')),
  value     TEXT NOT NULL,
  PRIMARY KEY (job, attribute, operator, value)
);

-- @guard

CREATE TRIGGER job_command_insert BEFORE INSERT ON job
WHEN CASE WHEN json_valid(NEW.command) THEN EXISTS (SELECT 1 FROM json_each(NEW.command) WHERE type <> 'text') END BEGIN
  SELECT RAISE(ABORT, 'job.command must be a JSON array of strings: put quotes around every item, numbers included');
END;
CREATE TRIGGER job_command_update BEFORE UPDATE OF command ON job
WHEN CASE WHEN json_valid(NEW.command) THEN EXISTS (SELECT 1 FROM json_each(NEW.command) WHERE type <> 'text') END BEGIN
  SELECT RAISE(ABORT, 'job.command must be a JSON array of strings: put quotes around every item, numbers included');
END;

-- @observed

-- A spec as it once was: all that a container is made from, apart from where. Kept as long as something points to it.
CREATE TABLE spec (
  id    INTEGER PRIMARY KEY,
  job   TEXT NOT NULL,
  body  TEXT NOT NULL,              -- JSON, as the view job_spec makes it
  image TEXT NOT NULL DEFAULT '',   -- what every instance is made from, NAME@sha256:… or an id; '': not resolved yet
  UNIQUE (job, body, image)
);
CREATE INDEX spec_by_image ON spec (image);

-- @views

CREATE VIEW job_violation AS
SELECT 'job' AS table_name,
       name AS row_key,
       'job ' || name || ' has type ''' || type || ''', which this version does not have: use ''service''' AS message
FROM job
WHERE type <> 'service'
UNION ALL
SELECT 'job', j.name, 'job.command of ' || j.name || ' must be a JSON array of strings: put quotes around every item'
FROM job AS j
WHERE j.command IS NOT NULL AND EXISTS (SELECT 1 FROM json_each(j.command) AS c WHERE c.type <> 'text')
UNION ALL
SELECT 'job', j.name, 'job.capabilities of ' || j.name
    || ' must be a JSON array of strings, such as ["NET_BIND_SERVICE"]'
FROM job AS j
WHERE EXISTS (SELECT 1 FROM json_each(j.capabilities) AS c WHERE c.type <> 'text')
UNION ALL
SELECT 'job_constraint', c.job || '/node/' || c.value,
       'job ' || c.job || ' must run on node ''' || c.value || ''', which does not exist: nodes are '
         || COALESCE((SELECT group_concat(name, ', ') FROM node), 'none')
FROM job_constraint AS c
WHERE c.attribute = 'node' AND c.operator = '=' AND c.value NOT IN (SELECT name FROM node)
UNION ALL
SELECT 'job_port', p.job || '/' || p.label,
       'job ' || p.job || ' holds port ' || p.host_port
           || ' of the node, which only one instance can: set update_order to '
         || '''stop_first'' and count to 1 for each node, or host_port to 0 (any free one)'
FROM job_port AS p
JOIN job AS j ON j.name = p.job
WHERE p.host_port > 0
  AND ((j.update_order = 'start_first'
        AND NOT EXISTS (SELECT 1 FROM job_writes AS m WHERE m.job = j.name AND m.shared = 0))
       OR j.count > (SELECT count(*) FROM node WHERE eligible = 1))
  AND j.count > 0
UNION ALL
SELECT 'job_port', p.job || '/' || p.label,
       'job ' || p.job || ' publishes port ' || p.port || ' from network ''' || j.network
         || ''', where nothing can be published: set host_port to NULL, or network to ''bridge'''
FROM job_port AS p
JOIN job AS j ON j.name = p.job
WHERE p.host_port IS NOT NULL AND j.network IN ('host', 'none')
UNION ALL
SELECT 'job_port', p.job || '/' || p.label,
       'jobs ' || other.job || ' and ' || p.job || ' both hold port ' || p.host_port || ' of ' || p.host_ip
         || ': give one another host_port'
FROM job_port AS p
JOIN job_port AS other ON other.host_port = p.host_port AND other.protocol = p.protocol
                      AND other.host_ip = p.host_ip
                      AND (other.job < p.job OR (other.job = p.job AND other.label < p.label))
WHERE p.host_port > 0 AND (SELECT count(*) FROM node) = 1;

-- What deleting a job would end.
CREATE VIEW job_stake AS
SELECT DISTINCT 'job' AS table_name, json_array(i.job) AS row_key, 'that run' AS what
FROM instance AS i
WHERE i.run = 1;

-- How the spec in the engineer's rows relates to the one that is rolled out.
CREATE VIEW job_asked AS
SELECT p.job,
       CASE WHEN d.id IS NULL                                                 THEN 'new'
            WHEN (SELECT s.body FROM spec AS s WHERE s.id = d.asked) = p.body THEN 'same'
            ELSE                                                                   'changed' END AS asked,
       d.state
FROM job_spec AS p
LEFT JOIN deployment AS d ON d.job = p.job AND d.current = 1;

-- One row for a job, and one for each of its vacant slots, with its number for a target.
CREATE VIEW job_fact AS
SELECT a.job AS name, a.job AS target, NULL AS slot, NULL AS due_at_ms, a.asked, 'none' AS vacancy
FROM job_asked AS a
UNION ALL
SELECT v.job,
       CAST(v.slot AS TEXT),
       v.slot,
       CASE WHEN h.target IS NULL THEN v.due_at_ms ELSE h.retry_at_ms END,
       a.asked,
       CASE WHEN h.target IS NOT NULL                                 THEN 'held'
            WHEN v.due_at_ms > (SELECT now_ms FROM clock)
             AND (a.state = 'succeeded' OR v.rejected IS NOT 1)       THEN 'later'
            WHEN NOT EXISTS (SELECT 1 FROM job_node AS n
                             CROSS JOIN job_opening AS o ON o.job = v.job AND o.node = n.node
                             WHERE n.job = v.job AND n.obstacle = '') THEN 'nowhere'
            ELSE                                                           'due' END AS vacancy
FROM job_vacancy AS v
CROSS JOIN job_asked AS a ON a.job = v.job   -- in this order: most jobs have no vacancy, and a spec is long to compare
-- What is rejected waits for this and not for its restart delay; once a deployment has succeeded, the other way round.
LEFT JOIN retry_hold AS h ON h.kind = 'job' AND h.target = v.job AND h.step = 'place' AND a.state <> 'succeeded'
WHERE a.asked = 'same'
UNION ALL
SELECT d.job, d.job, NULL, NULL, 'gone',
       CASE WHEN EXISTS (SELECT 1 FROM instance AS i WHERE i.job = d.job) THEN 'none' ELSE 'due' END
FROM deployment AS d
WHERE d.current = 1 AND d.job NOT IN (SELECT name FROM job);

-- One row for a job, with what stands in the way of any of its slots. Windows and no GROUP BY: a name that is asked for
-- reaches job_fact through a window alone.
CREATE VIEW job_outlook AS
SELECT w.job, w.asked, w.nowhere, w.later
FROM (SELECT f.name AS job,
             f.slot,
             f.asked,
             max(f.vacancy = 'nowhere') OVER whole AS nowhere,
             max(f.vacancy = 'later') OVER whole   AS later
      FROM job_fact AS f
      WINDOW whole AS (PARTITION BY f.name)) AS w
WHERE w.slot IS NULL;

-- '*' stands for every value. A spec that is new or changed is rolled out whatever its slots need (a); within the one
-- that is, each vacant slot is asked about by itself (b); what was deleted goes once nothing is left of it (c).
CREATE VIEW job_rule (asked, vacancy, step, reason) AS VALUES
  -- (a)
  ('new',     '*',       'deploy', 'the job is new'),
  ('changed', '*',       'deploy', 'its spec was changed'),
  -- (b)
  ('same',    'none',    'none',   ''),
  ('same',    'held',    'wait',   'the spec was rejected: change the row'),
  ('same',    'later',   'wait',   'the last instance failed; starts another after the restart delay'),
  ('same',    'nowhere', 'wait',   'no node can take an instance'),
  ('same',    'due',     'place',  'fewer instances than wanted'),
  -- (c)
  ('gone',    'none',    'none',   'its instances are being removed'),
  ('gone',    'held',    'none',   'its instances are being removed'),
  ('gone',    'later',   'none',   'its instances are being removed'),
  ('gone',    'nowhere', 'none',   'its instances are being removed'),
  ('gone',    'due',     'forget', 'the job was deleted and nothing of it is left');

-- How a job stands, in one row.
CREATE VIEW job_status AS
SELECT 'job' AS kind,
       o.job AS name,
       CASE WHEN EXISTS (SELECT 1 FROM instance AS i JOIN node_state AS s ON s.node = i.node
                         WHERE i.job = t.job AND i.run = 1 AND s.reach <> 'reached')     THEN 'unknown'
            WHEN EXISTS (SELECT 1 FROM check_unasked AS s WHERE s.job = t.job)           THEN 'unknown'
            WHEN t.state = 'failed' OR d.cause = 'revert'                                THEN 'failed'
            WHEN o.nowhere                                                               THEN 'waiting'
            WHEN t.state = 'succeeded' AND t.fresh_proven >= t.count AND t.fresh_live = t.count
                 AND t.stale_live = 0 AND t.stopping = 0 AND o.asked = 'same'            THEN 'converged'
            WHEN o.later                                                                 THEN 'waiting'
            ELSE                                                                              'converging' END AS state,
       t.fresh_proven || '/' || t.count || ' healthy'
         || CASE WHEN t.stale_live > 0 THEN ', ' || t.stale_live || ' of the old spec' ELSE '' END
         || CASE WHEN t.sick > 0 THEN ', ' || t.sick || ' kept whose checks fail' ELSE '' END
         || COALESCE((SELECT ', when they could last be asked: ' || max(s.unasked)
                      FROM check_unasked AS s WHERE s.job = t.job), '')
         || COALESCE((SELECT ', its check ' || min(c.of) || ' as it was edited has not been passed yet'
                      FROM check_trial AS c WHERE c.job = t.job), '')
         || CASE WHEN t.state = 'failed' THEN ': ' || d.reason || COALESCE((SELECT s.said FROM retry_said AS s
                                                                            WHERE s.kind = 'job' AND s.target = t.job
                                                                              AND s.step = 'place'), '')
                 WHEN d.cause = 'revert' THEN ': the change failed, runs the last spec that was healthy'
                 WHEN o.nowhere THEN ': no node can take an instance'
                 WHEN o.later THEN ': restarts after a failure'
                 ELSE COALESCE((SELECT ': ' || h.detail FROM instance AS i
                                JOIN retry AS h ON h.kind = 'instance' AND h.target = CAST(i.id AS TEXT)
                                WHERE i.job = t.job AND i.run = 1
                                ORDER BY i.id DESC LIMIT 1), '') END
         || COALESCE((SELECT '; ' || g.reference || ' stands for another image by now' FROM job_image AS g
                      WHERE g.job = o.job AND g.moved), '') AS detail,
       max(d.started_at_ms, COALESCE(d.finished_at_ms, 0),
           COALESCE((SELECT max(i.since_ms) FROM instance AS i WHERE i.job = t.job), 0)) AS since_ms
FROM job_outlook AS o
JOIN job_tally AS t ON t.job = o.job
JOIN deployment AS d ON d.id = t.deployment
UNION ALL
SELECT 'job', j.name, 'converging', 'not planned yet', (SELECT now_ms FROM clock)
FROM job AS j
WHERE NOT EXISTS (SELECT 1 FROM deployment AS d WHERE d.job = j.name AND d.current = 1)
UNION ALL
SELECT 'job', d.job, 'converging', 'is being removed',
       COALESCE((SELECT max(i.ended_at_ms) FROM instance AS i WHERE i.job = d.job), d.started_at_ms)
FROM deployment AS d
WHERE d.current = 1 AND d.job NOT IN (SELECT name FROM job);

CREATE VIEW job_why AS
SELECT 'job' AS kind,
       f.name,
       'slot ' || f.slot AS target,
       r.reason
         || CASE WHEN f.vacancy = 'held' THEN ', or ask for another try with rowlock retry ' || f.name ELSE '' END
         || CASE WHEN f.vacancy = 'held' AND f.due_at_ms IS NOT NULL THEN '; tries again by itself' ELSE '' END
         || CASE WHEN f.vacancy IN ('later', 'held') AND f.due_at_ms IS NOT NULL
                 THEN ' (in ' || ((f.due_at_ms - (SELECT now_ms FROM clock) + 999) / 1000) || ' s)'
                 ELSE '' END AS reason,
       (SELECT now_ms FROM clock) AS since_ms
FROM job_fact AS f
CROSS JOIN job_case AS r ON r.asked = f.asked AND r.vacancy = f.vacancy
WHERE r.step = 'wait' AND f.vacancy <> 'nowhere'
UNION ALL
SELECT 'job', o.job, n.node,
       'no instance can be placed on node ' || n.node || ': it '
         || CASE n.obstacle WHEN '' THEN 'does not have the volumes with its data (job_volume)' ELSE n.obstacle END,
       (SELECT now_ms FROM clock)
FROM job_outlook AS o
JOIN job_node AS n ON n.job = o.job
WHERE o.nowhere
UNION ALL
SELECT 'job', o.job, o.job, 'no instance can be placed: there is no node; INSERT INTO node(name) VALUES (''local'')',
       (SELECT now_ms FROM clock)
FROM job_outlook AS o
WHERE o.nowhere AND NOT EXISTS (SELECT 1 FROM node);

CREATE VIEW job_metric AS
SELECT 'rowlock_job_spared_instances' AS name,
       'Instances of a job that are kept although their checks fail.' AS help,
       'gauge' AS type,
       json_object('job', t.job) AS labels,
       t.sick AS value
FROM job_tally AS t;

-- @run job.deploy

-- One that is known still runs what it ran.
INSERT INTO spec (job, body, image)
SELECT p.job, p.body, CASE WHEN instr(json_extract(p.body, '$.image'), '@') THEN json_extract(p.body, '$.image')
                           ELSE '' END
FROM job_spec AS p
WHERE p.job = :target AND NOT EXISTS (SELECT 1 FROM spec AS s WHERE s.job = p.job AND s.body = p.body);

-- What a job kept that is called so now. What was kept under that name at an earlier time is not what is meant.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT DISTINCT :now_ms, 'job', :target, :target, 'volumes', 'takes over those of ' || r.former
FROM job_renamed AS r
JOIN job_volume AS v ON v.job = r.former
WHERE r.row_key = json_array(:target);

DELETE FROM job_volume
WHERE job = :target
  AND EXISTS (SELECT 1 FROM job_renamed AS r JOIN job_volume AS v ON v.job = r.former
              WHERE r.row_key = json_array(:target));

UPDATE job_volume
SET job = :target
WHERE job IN (SELECT r.former FROM job_renamed AS r WHERE r.row_key = json_array(:target));

DELETE FROM retry WHERE kind = 'job' AND target = :target;

UPDATE deployment
SET current        = 0,
    state          = CASE state WHEN 'running' THEN 'superseded' ELSE state END,
    finished_at_ms = COALESCE(finished_at_ms, :now_ms)
WHERE job = :target AND current = 1;

INSERT INTO deployment (job, asked, spec, cause, started_at_ms)
SELECT s.job, s.id, s.id, 'edit', :now_ms
FROM spec AS s
JOIN job_spec AS p ON p.job = s.job AND p.body = s.body
WHERE s.job = :target
ORDER BY s.id DESC
LIMIT 1;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'deployment', job, id, 'started', :reason FROM deployment WHERE job = :target AND current = 1;

-- @run job.forget

DELETE FROM deployment WHERE job = :target;
DELETE FROM check_proof WHERE spec IN (SELECT id FROM spec WHERE job = :target);
DELETE FROM spec WHERE job = :target;
DELETE FROM retry WHERE kind = 'job' AND target = :target;
INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'job', :target, :target, 'forgotten', :reason);
