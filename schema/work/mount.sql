-- What jobs write to on their nodes, beside their containers: volumes, and folders of the node. Unless its row says
-- that it can be shared, it has one writer at a time, of whatever job: two servers on one data folder lose what both
-- write. job_mount itself stands in job.sql; volumes that an image declares, in volume.sql.

-- @observed

-- What an instance writes to on its node. Goes away with it.
CREATE TABLE instance_mount (
  instance INTEGER NOT NULL,
  node     TEXT NOT NULL,
  type     TEXT NOT NULL,
  source   TEXT NOT NULL,
  own      INTEGER NOT NULL DEFAULT 0,   -- 1: a volume that its image declares, of its ordinal
  PRIMARY KEY (instance, type, source)
) WITHOUT ROWID;
CREATE INDEX instance_mount_by_source ON instance_mount (node, type, source);

-- @views

-- What a job writes to on its node, beside its own container.
CREATE VIEW job_writes AS
SELECT m.job, m.path, m.type, m.source, m.shared FROM job_mount AS m WHERE m.type <> 'tmpfs' AND m.read_only = 0;

-- Where nothing of a machine is to be mounted from: whoever reads there has what is everybody's.
CREATE VIEW mount_forbidden (path, holds) AS
SELECT '/proc', 'all processes of the machine show themselves'
UNION ALL SELECT '/sys', 'the machine itself is set up'
UNION ALL SELECT '/dev/shm', 'the secrets of all instances lie'
UNION ALL SELECT '/var/lib/docker', 'the engine keeps all containers'
UNION ALL SELECT '/var/lib/containerd', 'the engine keeps all containers'
-- and /run/rowlock-…: secret_folders.cpp
UNION ALL SELECT '/run/rowlock', 'the secrets of all instances lie'
UNION ALL SELECT '/var/run/rowlock', 'the secrets of all instances lie'
UNION ALL SELECT folder, 'Rowlock itself lives, and whoever opens its socket gives the orders' FROM claimant
WHERE folder <> '';

-- Whoever may write to one of them is root of the node: those that engines have by default, and those of the nodes.
CREATE VIEW engine_socket (socket) AS
SELECT e.value || s.value
FROM json_each('["/run","/var/run"]') AS e
JOIN json_each('["/docker.sock","/podman/podman.sock","/containerd/containerd.sock","/crio/crio.sock"]') AS s
UNION
SELECT substr(n.endpoint, length('unix://') + 1) FROM node AS n WHERE n.endpoint GLOB 'unix://*';

CREATE VIEW mount_violation AS
SELECT 'job_mount' AS table_name,
       m.job || '/' || m.path AS row_key,
       'job ' || m.job || ' writes to ' || m.source || ', which only one instance at a time may: set count to 1, or, '
         || 'if the program can share it, job_mount.shared to 1, or job_mount.read_only to 1' AS message
FROM job_writes AS m
JOIN job AS j ON j.name = m.job
WHERE m.shared = 0 AND j.count > 1
UNION ALL
SELECT 'job_mount', m.job || '/' || m.path,
       'jobs ' || other.job || ' and ' || m.job || ' both write to ' || m.source || ', which only one at a time may: '
         || 'set job_mount.read_only to 1 in one of them, or, if both programs can share it, job_mount.shared to 1 in '
         || 'both'
FROM job_writes AS m
CROSS JOIN job_writes AS other ON other.type = m.type AND other.job <> m.job
  -- a folder, or one inside it
  AND (other.source = m.source OR (m.type = 'bind' AND m.source GLOB '?*'
                                   AND substr(other.source, 1, length(m.source) + 1) = rtrim(m.source, '/') || '/'))
WHERE (m.shared = 0 OR other.shared = 0)
  AND (other.job < m.job OR other.source <> m.source)
  AND (SELECT count(*) FROM node) = 1
UNION ALL
SELECT 'job_mount', m.job || '/' || m.path,
       'job ' || m.job || ' mounts ' || m.source || ' of the machine, with ' || m.forbidden
         || ': mount only the folder that it needs'
FROM (SELECT b.job, b.path, b.source,
             (SELECT f.path || ' where ' || f.holds FROM mount_forbidden AS f
              WHERE f.path = rtrim(b.source, '/')
                 OR substr(f.path, 1, length(rtrim(b.source, '/')) + 1) = rtrim(b.source, '/') || '/'
                 OR substr(b.source, 1, length(f.path) + 1) = f.path || '/'
                 OR (f.path GLOB '*/run/rowlock' AND substr(b.source, 1, length(f.path) + 1) = f.path || '-')
              LIMIT 1) AS forbidden
      FROM job_mount AS b
      WHERE b.type = 'bind') AS m
WHERE m.forbidden IS NOT NULL
UNION ALL
SELECT 'job_mount', m.job || '/' || m.path,
       'job ' || m.job || ' mounts ' || m.source || ', the socket of an engine, through which it would rule the node: '
         || 'take the mount away, or, if that is what it is for, set job.engine_socket to 1'
FROM job_mount AS m
JOIN job AS j ON j.name = m.job AND j.engine_socket = 0
WHERE m.type = 'bind' AND m.source IN (SELECT socket FROM engine_socket)
UNION ALL
SELECT 'job_mount', m.job || '/' || m.path,
       'job_mount.path ' || m.path || ' of job ' || m.job || ' is where Rowlock puts its secret API: choose another, '
         || 'or set job.secrets_api to 0'
FROM job_mount AS m
JOIN job AS j ON j.name = m.job AND j.secrets_api = 1
WHERE rtrim(m.path, '/') = '/run/rowlock' OR m.path GLOB '/run/rowlock/*'
UNION ALL
SELECT 'job_mount', m.job || '/' || m.path,
       'job_mount.source ' || m.source || ' of job ' || m.job || ' must be written without //, /. and /..'
FROM job_mount AS m
WHERE m.type = 'bind' AND m.source || '/' GLOB '*/[./]*'
  AND (instr(m.source, '//') OR instr(m.source || '/', '/./') OR instr(m.source || '/', '/../'))
UNION ALL
SELECT 'job_mount', m.job || '/' || m.path,
       'job_mount.path ' || m.path || ' of job ' || m.job || ' is where Rowlock puts its secrets: choose another'
FROM job_mount AS m
WHERE rtrim(m.path, '/') = '/run/secrets' OR m.path GLOB '/run/secrets/*';

-- What an instance was made to write to.
CREATE VIEW instance_writes AS
SELECT DISTINCT i.id AS instance, i.node, json_extract(m.value, '$.type') AS type,
       json_extract(m.value, '$.source') AS source
FROM instance AS i
JOIN spec AS s ON s.id = i.spec
JOIN json_each(s.body, '$.mounts') AS m
WHERE json_extract(m.value, '$.type') <> 'tmpfs' AND json_extract(m.value, '$.read_only') = 0;

-- The instances that must not start, since another one, of whatever job, writes to what is for one at a time; of two
-- that would both start, the later one waits.
CREATE VIEW instance_barred AS
SELECT m.instance, m.source, x.id AS by_instance
FROM instance_mount AS m
JOIN instance AS i ON i.id = m.instance
JOIN instance_mount AS o ON o.node = m.node AND o.type = m.type AND o.source = m.source AND o.instance <> m.instance
JOIN instance AS x ON x.id = o.instance
WHERE (m.own = 1 OR EXISTS (SELECT 1 FROM job_writes AS w
                            WHERE w.job = i.job AND w.type = m.type AND w.source = m.source AND w.shared = 0))
  AND (x.container IN ('running', 'paused')
       OR (x.container = 'created'
           AND ((x.run = 1 AND x.id < m.instance) OR x.hinted = 1
                OR EXISTS (SELECT 1 FROM attempt AS a
                           WHERE a.kind = 'instance' AND a.target = CAST(x.id AS TEXT) AND a.finished_at_ms IS NULL))));

-- @wake

-- Who waits to write to what another has let go.
CREATE TEMP TRIGGER wake_instance_ended AFTER UPDATE OF container ON instance WHEN NEW.container <> OLD.container BEGIN
  INSERT INTO dirty SELECT i.job FROM instance_mount AS m
                    JOIN instance_mount AS o ON o.node = m.node AND o.type = m.type AND o.source = m.source
                                            AND o.instance <> m.instance
                    JOIN instance AS i ON i.id = o.instance AND i.job <> NEW.job
                    WHERE m.instance = NEW.id;
END;

-- @begin

-- An older version did not write it down.
INSERT OR IGNORE INTO instance_mount (instance, node, type, source)
SELECT instance, node, type, source FROM instance_writes;
