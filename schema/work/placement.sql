-- Placement: how many instances of a job may be placed now, in which slots, and on which node. job.sql makes its facts
-- of it.

-- @observed

-- The slots an instance can stand in. A table and not a recursive query, so that a plan can look one up.
CREATE TABLE slot (
  number INTEGER PRIMARY KEY       -- from 0
);

-- @views

-- In which order a job is updated: what has one writer at a time is let go before another takes it. And how many of it
-- Rowlock leaves running, whatever their checks say: as many as the update policy keeps, and the last one of a route.
CREATE VIEW job_order AS
SELECT o.job,
       o.update_order,
       max(o.count - o.max_parallel,
           o.update_order = 'start_first' AND o.count > 0
             AND EXISTS (SELECT 1 FROM route AS r
                         WHERE (r.job = o.job OR r.next_job = o.job) AND r.redirect_host IS NULL)) AS least
FROM (SELECT j.name AS job,
             j.count,
             j.max_parallel,
             CASE WHEN EXISTS (SELECT 1 FROM job_writes AS m WHERE m.job = j.name AND m.shared = 0) THEN 'stop_first'
                  WHEN EXISTS (SELECT 1 FROM instance AS i
                               WHERE i.job = j.name AND i.run = 1 AND i.keeps = 1) THEN 'stop_first'
                  ELSE j.update_order END AS update_order
      FROM job AS j) AS o;

-- How many instances of a job are in which state; the numbers that the update policy is about.
-- fresh: of the spec that should run; stale: of an earlier one; proven: healthy for min_healthy_ms.
CREATE VIEW job_tally AS
SELECT d.job,
       d.id AS deployment,
       d.spec,
       d.state,
       j.count,
       o.update_order,
       o.least,
       j.max_parallel,
       j.min_healthy_ms,
       count(*) FILTER (WHERE i.run = 1 AND i.spec = d.spec)                                        AS fresh_live,
       count(*) FILTER (WHERE i.run = 1 AND i.spec = d.spec
                          AND i.container = 'running' AND i.failing = 0 AND i.unready = 0
                          AND max(i.proof_from_ms, CASE d.state WHEN 'running' THEN (SELECT watched_from_ms FROM clock)
                                                                ELSE 0 END) + j.min_healthy_ms
                              <= (SELECT now_ms FROM clock))                                        AS fresh_proven,
       count(*) FILTER (WHERE i.run = 1 AND i.spec <> d.spec)                                       AS stale_live,
       -- Those that do well, and those that did and whose checks fail now.
       count(*) FILTER (WHERE i.run = 1 AND i.container = 'running' AND i.healthy_at_ms IS NOT NULL
                          AND i.failing = 0)                                                        AS able,
       count(*) FILTER (WHERE i.run = 1 AND i.container = 'running' AND i.healthy_at_ms IS NOT NULL
                          AND i.failing > 0)                                                        AS sick,
       count(*) FILTER (WHERE i.run = 0 AND i.container IN ('running', 'paused'))                   AS stopping,
       d.failures,
       count(*) FILTER (WHERE i.spec = d.spec AND i.rejected = 1
                          AND i.placed_at_ms >= d.started_at_ms)                                    AS rejections
FROM job AS j
JOIN job_order AS o ON o.job = j.name
JOIN deployment AS d ON d.job = j.name AND d.current = 1
LEFT JOIN instance_health AS i ON i.job = j.name
GROUP BY d.job;

-- How far an update may go now. How many of the old spec must stay meanwhile, instance_fact says.
CREATE VIEW job_room AS
SELECT t.job,
       t.deployment,
       t.spec,
       -- So many of the new spec may be placed now, with start_first beside those that are kept although their checks
       -- fail. While an old one lives, no more than max_parallel are unproven. With stop_first, too, they are made
       -- before an old one goes; instance_fact says when they start.
       max(0, CASE WHEN t.stale_live = 0
                   THEN t.count - t.fresh_live
                          + CASE t.update_order WHEN 'start_first'
                                                THEN min(t.sick, t.max_parallel, max(0, t.least - t.able)) ELSE 0 END
                   WHEN t.update_order = 'start_first'
                   THEN min(t.count - t.fresh_live,
                            t.count + t.max_parallel - t.fresh_live - t.stale_live,
                            t.max_parallel - (t.fresh_live - t.fresh_proven))
                   ELSE min(t.count - t.fresh_live, t.max_parallel - (t.fresh_live - t.fresh_proven)) END) AS place_max,
       t.count,
       t.fresh_live,
       t.fresh_proven,
       t.stale_live
FROM job_tally AS t;

-- The free slots to be filled now: the lowest ones, so many as there is room for. A slot whose last instance failed
-- waits for its restart delay; one whose spec was rejected for as long as instance.rejected says.
CREATE VIEW job_vacancy AS
SELECT v.job,
       v.deployment,
       v.spec,
       v.slot,
       CASE WHEN last.spec IS v.spec AND last.verdict = 'failed'
            THEN last.ended_at_ms
                 + CASE WHEN last.streak = 0
                             OR last.healthy_at_ms + j.restart_reset_ms <= last.ended_at_ms THEN 0
                        ELSE min(j.restart_delay_max_ms, j.restart_delay_ms * (1 << min(last.streak - 1, 20))) END
            ELSE 0 END AS due_at_ms,
       CASE WHEN last.spec IS NOT v.spec OR last.verdict IS NOT 'failed' THEN 0
            WHEN last.healthy_at_ms + j.restart_reset_ms <= last.ended_at_ms THEN 1
            ELSE last.streak + 1 END AS streak,
       last.rejected
FROM (SELECT r.job,
             r.deployment,
             r.spec,
             r.place_max,
             s.number AS slot,
             s.number - (SELECT count(*) FROM instance AS i
                         WHERE i.job = r.job AND i.run = 1 AND i.slot < s.number) AS free_below
      FROM job_room AS r
      -- A condition on place_max alone would have every instance counted once more.
      JOIN slot AS s ON s.number <= CASE WHEN r.place_max > 0 THEN r.fresh_live + r.stale_live + r.place_max END) AS v
JOIN job AS j ON j.name = v.job
LEFT JOIN instance AS last ON last.id = (SELECT max(i.id) FROM instance AS i
                                         WHERE i.job = v.job AND i.slot = v.slot AND i.run = 0)
WHERE v.free_below < v.place_max
  AND NOT EXISTS (SELECT 1 FROM instance AS i WHERE i.job = v.job AND i.slot = v.slot AND i.run = 1);

-- The instances that go before those that take their place start: what is reserved for them is free by then.
CREATE VIEW job_ebb AS
SELECT i.job, i.id AS instance
FROM deployment AS d
JOIN job_order AS o ON o.job = d.job AND o.update_order = 'stop_first'
JOIN instance AS i ON i.job = d.job AND i.run = 1 AND i.spec <> d.spec
WHERE d.current = 1;

-- The nodes that the rows of a job forbid.
CREATE VIEW job_node_misfit AS
SELECT c.job, n.name AS node
FROM job_constraint AS c
CROSS JOIN node AS n
LEFT JOIN node_state AS s ON s.node = n.name
WHERE (c.value = CASE c.attribute WHEN 'node' THEN n.name
                                  WHEN 'site' THEN n.site
                                  ELSE COALESCE(n.arch, s.arch) END) <> (c.operator = '=');

-- Where an instance of a job could go, and why not. The best is the one with the fewest instances.
CREATE VIEW job_node AS
SELECT j.name AS job,
       n.name AS node,
       CASE WHEN n.eligible = 0 THEN 'is not eligible'
            WHEN s.reach IS NULL OR s.reach = 'unseen' THEN 'was not looked at yet'
            WHEN s.reach = 'lost' THEN 'cannot be reached'
            WHEN EXISTS (SELECT 1 FROM job_node_misfit AS m WHERE m.job = j.name AND m.node = n.name)
            THEN 'does not meet a constraint of the job'
            WHEN j.cpus > s.cpus
            THEN 'has ' || printf('%g', s.cpus) || ' cpus, the job asks for ' || printf('%g', j.cpus)
            WHEN j.memory_mb > s.memory_mb
            THEN 'has ' || s.memory_mb || ' MB, the job asks for ' || j.memory_mb || ' MB'
            WHEN j.memory_mb > 0
                 AND j.memory_mb + (SELECT COALESCE(sum(i.memory_mb), 0) FROM instance AS i
                                    WHERE i.node = n.name AND i.run = 1
                                      AND i.id NOT IN (SELECT e.instance FROM job_ebb AS e
                                                       WHERE e.job = j.name)) > s.memory_mb
            THEN 'has no ' || j.memory_mb || ' MB left that are not reserved'
            WHEN j.cpus > 0
                 AND j.cpus + (SELECT COALESCE(sum(i.cpus), 0) FROM instance AS i
                               WHERE i.node = n.name AND i.run = 1
                                      AND i.id NOT IN (SELECT e.instance FROM job_ebb AS e
                                                       WHERE e.job = j.name)) > s.cpus
            THEN 'has no ' || printf('%g', j.cpus) || ' cpus left that are not reserved'
            ELSE '' END AS obstacle,
       (SELECT count(*) FROM instance AS i WHERE i.node = n.name AND i.run = 1) AS load
FROM job AS j
CROSS JOIN node AS n
LEFT JOIN node_state AS s ON s.node = n.name;

-- @fill

WITH RECURSIVE n (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM n WHERE number < 1999)
INSERT OR IGNORE INTO slot (number) SELECT number FROM n;

-- @run job.place

-- Each node is asked about once, whatever the number of ordinals.
WITH open_node (node, load) AS MATERIALIZED (
  SELECT n.node, n.load FROM job_node AS n WHERE n.job = :name AND n.obstacle = ''
)
INSERT INTO instance (job, slot, ordinal, spec, node, name, streak, cpus, memory_mb, stop_signal, stop_timeout_ms,
                      placed_at_ms, since_ms, nonce, delivers)
SELECT v.job,
       v.slot,
       o.ordinal,
       v.spec,
       n.node,
       'rowlock-' || (SELECT id FROM home) || '-' || v.job || '-'
         || (SELECT COALESCE(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'instance'),
       v.streak, j.cpus, j.memory_mb, j.stop_signal, j.stop_timeout_ms, :now_ms, :now_ms,
       lower(hex(randomblob(8))),
       -- Folders are of this machine. What needs nothing is given its identity, once there are keys to sign it.
       (d.endpoint = '' OR d.endpoint GLOB 'unix:*')
         AND (json_type(p.body, '$.secrets') IS NOT NULL OR EXISTS (SELECT 1 FROM seal AS s WHERE s.state <> 'absent'))
FROM job_vacancy AS v
JOIN spec AS p ON p.id = v.spec
JOIN job AS j ON j.name = v.job
JOIN open_node AS n   -- none, if the slot before this one took the last room
JOIN node AS d ON d.name = n.node
CROSS JOIN job_opening AS o ON o.job = v.job AND o.node = n.node
WHERE v.job = :name AND v.slot = CAST(:target AS INTEGER)
ORDER BY o.is_beyond, o.held, o.ordinal, n.load, n.node
LIMIT 1;

-- What it keeps is called as what its ordinal kept there before, or as its name; that is never used again.
UPDATE instance
SET volume_prefix = COALESCE(
      (SELECT v.prefix FROM job_volume AS v
       WHERE v.job = instance.job AND v.ordinal = instance.ordinal AND v.node = instance.node LIMIT 1),
      (SELECT i.volume_prefix FROM instance AS i
       WHERE i.job = instance.job AND i.ordinal = instance.ordinal AND i.node = instance.node AND i.volume_prefix <> ''
       ORDER BY i.id DESC LIMIT 1),
      name)
WHERE job = :name AND slot = CAST(:target AS INTEGER) AND run = 1;

INSERT INTO instance_mount (instance, node, type, source)
SELECT w.instance, w.node, w.type, w.source
FROM instance_writes AS w
WHERE w.instance = (SELECT i.id FROM instance AS i
                    WHERE i.job = :name AND i.slot = CAST(:target AS INTEGER) AND i.run = 1);
