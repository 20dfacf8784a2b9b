-- What an image declares as data (VOLUME in its Dockerfile) and no row of job_mount covers outlives the container: it
-- lies in a volume of the instance's ordinal, which whoever takes that ordinal next is given again. Where nothing need
-- be kept, a job_mount of type tmpfs at that path says so.
--
-- Of each spec of a job, one live instance has each ordinal, and the lowest ones are given first; so who replaces an
-- instance takes its ordinal, although for a while both are there, in two slots. Such a volume has one writer at a
-- time, as all has that is written to (mount.sql): the new one is made, the old one ends, the new one starts.

-- @observed

-- The volumes that a job's images declared, as far as a container was made with them. Written when one is. Stays when
-- the job is deleted, as the volume does: a job of that name finds both again. A volume that was removed by hand
-- (docker volume rm) is made again, empty, with the next container of its ordinal.
CREATE TABLE job_volume (
  job        TEXT NOT NULL,
  ordinal    INTEGER NOT NULL,
  node       TEXT NOT NULL,
  path       TEXT NOT NULL,             -- where the container sees it
  source     TEXT NOT NULL,             -- the volume's name on the node
  prefix     TEXT NOT NULL,             -- what that begins with: the name of the ordinal's first container there
  since_ms   INTEGER NOT NULL,          -- when it was made
  used_at_ms INTEGER NOT NULL,          -- when a container was last made with it
  PRIMARY KEY (job, ordinal, node, path)
) WITHOUT ROWID;

-- @views

-- The ordinals that an instance of a job's current spec may take. Who has one now makes way for it (instance_fact), so
-- those of nobody come first, then those of who does not do well.
CREATE VIEW job_ordinal AS
SELECT d.job,
       s.number           AS ordinal,
       s.number > j.count AS is_beyond,    -- beside those whose checks fail stand others, for a while
       COALESCE((SELECT max(1 + (h.container = 'running' AND h.healthy_at_ms IS NOT NULL AND h.failing = 0))
                 FROM instance_health AS h
                 WHERE h.job = d.job AND h.ordinal = s.number AND h.run = 1), 0) AS held
FROM deployment AS d
JOIN job AS j ON j.name = d.job
JOIN slot AS s ON s.number BETWEEN 1 AND max(j.count, 1 + (SELECT count(*) FROM instance AS i
                                                           WHERE i.job = d.job AND i.run = 1 AND i.spec = d.spec))
WHERE d.current = 1
  AND NOT EXISTS (SELECT 1 FROM instance AS i
                  WHERE i.job = d.job AND i.ordinal = s.number AND i.run = 1 AND i.spec = d.spec);

-- Which ordinal of a job may stand on which node: where its data is, if it has any, unless the rows forbid that node
-- now or cover the path. Last used counts, since what a constraint has moved stays where it went.
CREATE VIEW job_opening AS
SELECT n.name AS node, o.job, o.ordinal, o.is_beyond, o.held
FROM node AS n
CROSS JOIN job_ordinal AS o
WHERE n.name = COALESCE((SELECT v.node FROM job_volume AS v
                         JOIN node AS x ON x.name = v.node
                         WHERE v.job = o.job AND v.ordinal = o.ordinal
                           AND NOT EXISTS (SELECT 1 FROM job_node_misfit AS m WHERE m.job = o.job AND m.node = v.node)
                           AND NOT EXISTS (SELECT 1 FROM job_mount AS m WHERE m.job = o.job AND m.path = v.path)
                         ORDER BY v.used_at_ms DESC, v.node
                         LIMIT 1), n.name);

-- A job that is new, and what it was called before: in one revision the one came and the other went, and they differ in
-- nothing but the name. Of two that look alike nobody can tell which is which: then none is.
CREATE VIEW job_renamed AS
SELECT n.row_key, json_extract(o.row_key, '$[0]') AS former
FROM change AS n
JOIN change AS o ON o.revision = n.revision AND o.table_name = 'job' AND o.after IS NULL
                AND json_remove(o.before, '$.name') = json_remove(n.after, '$.name')
WHERE n.table_name = 'job' AND n.before IS NULL
  AND n.revision = (SELECT max(c.revision) FROM change AS c WHERE c.table_name = 'job' AND c.row_key = n.row_key)
  AND (SELECT count(*) FROM change AS c
       WHERE c.revision = n.revision AND c.table_name = 'job' AND (c.before IS NULL OR c.after IS NULL)
         AND json_remove(COALESCE(c.before, c.after), '$.name') = json_remove(n.after, '$.name')) = 2
  AND json_extract(o.row_key, '$[0]') NOT IN (SELECT name FROM job)
  AND json_extract(n.row_key, '$[0]') NOT IN (SELECT d.job FROM deployment AS d WHERE d.current = 1)
  -- Nor in its variables, mounts or secrets.
  AND NOT EXISTS (SELECT 1 FROM deployment AS d
                  JOIN spec AS s ON s.id = d.asked
                  WHERE d.job = json_extract(o.row_key, '$[0]') AND d.current = 1
                    AND s.body IS NOT (SELECT p.body FROM job_spec AS p WHERE p.job = json_extract(n.row_key, '$[0]')));

-- @begin

-- Those of an older version, which knew no ordinals.
UPDATE instance SET ordinal = slot + 1 WHERE ordinal = 0;

UPDATE instance SET volume_prefix = name WHERE volume_prefix = '' AND run = 1 AND container IN ('none', 'unpulled');

-- @prune

-- Of jobs that are gone, so many of the volumes used last are remembered. The volumes stay.
DELETE FROM job_volume
WHERE job NOT IN (SELECT name FROM job)
  AND used_at_ms <= (SELECT v.used_at_ms FROM job_volume AS v
                     WHERE v.job NOT IN (SELECT name FROM job)
                     ORDER BY v.used_at_ms DESC
                     LIMIT 1 OFFSET 10000);

-- @run instance.create.done

-- :volumes is a JSON array of {path, source}: what it keeps.
UPDATE instance
SET container = 'created',
    keeps     = json_array_length(:volumes) > 0,
    since_ms  = :now_ms
WHERE id = :target;

INSERT INTO instance_mount (instance, node, type, source, own)
SELECT i.id, i.node, 'volume', json_extract(k.value, '$.source'), 1
FROM instance AS i
JOIN json_each(:volumes) AS k
WHERE i.id = :target
ON CONFLICT (instance, type, source) DO UPDATE SET own = 1;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', i.job, i.name, 'volume',
       'keeps ' || json_extract(k.value, '$.path') || ' in volume ' || json_extract(k.value, '$.source')
FROM instance AS i
JOIN json_each(:volumes) AS k
WHERE i.id = :target
  AND NOT EXISTS (SELECT 1 FROM job_volume AS v WHERE v.job = i.job AND v.ordinal = i.ordinal AND v.node = i.node
                                                  AND v.path = json_extract(k.value, '$.path'));

-- Not for a job that has another name by now: its rows have gone there.
INSERT INTO job_volume (job, ordinal, node, path, source, prefix, since_ms, used_at_ms)
SELECT i.job, i.ordinal, i.node, json_extract(k.value, '$.path'), json_extract(k.value, '$.source'), i.volume_prefix,
       :now_ms, :now_ms
FROM instance AS i
JOIN json_each(:volumes) AS k
WHERE i.id = :target AND i.job IN (SELECT name FROM job)
ON CONFLICT (job, ordinal, node, path) DO UPDATE SET used_at_ms = excluded.used_at_ms;
