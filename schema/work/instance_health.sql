-- How an instance does, by its checks and its routes, how it stands among those of its job, and what is said of it;
-- instance.sql makes its facts of it.

-- @views

-- Every instance with what its job's checks, as they are now, say of it.
CREATE VIEW instance_health AS
SELECT i.id,
       i.job,
       i.slot,
       i.ordinal,
       i.keeps,
       i.spec,
       i.node,
       i.run,
       i.container,
       i.verdict,
       i.rejected,
       i.hinted,
       CASE WHEN i.container = 'none' THEN EXISTS (SELECT 1 FROM spec AS s WHERE s.id = i.spec AND s.image = '')
            ELSE 0 END                                                         AS unresolved,
       EXISTS (SELECT 1 FROM attempt AS a
               WHERE a.kind = 'instance' AND a.target = CAST(i.id AS TEXT) AND a.finished_at_ms IS NULL) AS is_busy,
       EXISTS (SELECT 1 FROM node AS n WHERE n.name = i.node) AS has_node,
       i.placed_at_ms, i.started_at_ms, i.healthy_at_ms,
       -- From when its proof and its deadline count: both move by every gap in which nobody looked.
       i.healthy_at_ms
         + COALESCE((SELECT sum(g.length_ms) FROM gap AS g WHERE g.until_ms > i.healthy_at_ms), 0) AS proof_from_ms,
       CASE WHEN i.healthy_at_ms IS NULL
            THEN COALESCE(i.started_at_ms, i.placed_at_ms)
                 + COALESCE((SELECT sum(g.length_ms) FROM gap AS g
                             WHERE g.until_ms > COALESCE(i.started_at_ms, i.placed_at_ms)), 0) END AS begun_from_ms,
       -- Whether all its routes have it: 2 for each in which the proxy does not give it requests, 1 for one in which it
       -- did when it was asked last, before the file was written. Most jobs have no route; specs are long to read.
       CASE WHEN NOT EXISTS (SELECT 1 FROM route AS r WHERE r.job = i.job OR r.next_job = i.job) THEN 0
            ELSE (SELECT COALESCE(sum(CASE WHEN t.acknowledged IS 'ready' THEN 1 ELSE 2 END), 0) FROM route_pair AS p
                  LEFT JOIN route_target AS t ON t.instance = p.instance AND t.route = p.route
                  WHERE p.instance = i.id AND (t.acknowledged IS NOT 'ready' OR t.written_at_ms IS NULL
                                               OR t.asked_at_ms < t.written_at_ms)) END AS unready,
       -- Until when a route keeps it that leads elsewhere (route_target_stand); NULL: none does, 9e15: no end is known.
       (SELECT max(COALESCE(s.lent_until_ms, 9e15)) FROM route_target AS t
        JOIN route_target_stand AS s ON s.target = t.target AND s.role IN ('parting', 'lent')
        WHERE t.instance = i.id AND t.ended_at_ms IS NULL AND t.wanted = 'ready'
          AND NOT EXISTS (SELECT 1 FROM route_pair AS p
                          WHERE p.instance = i.id AND p.route = t.route))      AS lent_until_ms,
       -- How many checks have not passed yet, of one that was never healthy; and how many have failed.
       CASE WHEN i.healthy_at_ms IS NULL
            THEN (SELECT count(*) FROM instance_check AS k
                  WHERE k.instance = i.id AND k.gates AND k.passed < k.passes)
            ELSE 0 END                                                         AS unmet,
       (SELECT count(*) FROM failed_check AS k
        WHERE k.instance = i.id AND k.on_failure <> 'withdraw')                AS failing,
       -- Whether one of the new spec is made and waits to write to what it writes to. Few write to anything.
       CASE WHEN i.run = 1 AND EXISTS (SELECT 1 FROM instance_mount AS m WHERE m.instance = i.id)
            THEN EXISTS (SELECT 1 FROM instance_barred AS b
                         CROSS JOIN instance AS f ON f.id = b.instance AND f.job = i.job AND f.run = 1
                                                 AND f.container = 'created' AND f.spec <> i.spec
                         WHERE b.by_instance = i.id
                           AND f.spec = (SELECT d.spec FROM deployment AS d WHERE d.job = i.job AND d.current = 1))
            ELSE 0 END                                                         AS awaited,
       -- And whether it waits so for one of another spec, which does well.
       CASE WHEN i.run = 1 AND i.container = 'created'
            THEN EXISTS (SELECT 1 FROM instance_barred AS b
                         CROSS JOIN instance AS o ON o.id = b.by_instance AND o.job = i.job AND o.run = 1
                                                 AND o.spec <> i.spec AND o.container = 'running'
                                                 AND o.healthy_at_ms IS NOT NULL
                         WHERE b.instance = i.id)
            ELSE 0 END                                                         AS awaits,
       -- Whether there is one that this machine cannot ask, before it was healthy.
       CASE WHEN i.healthy_at_ms IS NULL
            THEN EXISTS (SELECT 1 FROM check_unasked AS s WHERE s.instance = i.id)
            ELSE 0 END                                                         AS unasked
FROM instance AS i;

-- Every instance with its rank among those of its job: the best of the new spec and the best of the old come first.
-- All windows share one PARTITION BY, so that a plan for one job reads the rows of that job alone. Plain columns of
-- instance and job are left to who reads this: a window carries each of its columns along several times.
CREATE VIEW instance_rank AS
SELECT i.*,
       -- One that the proxy gives no requests yet cannot take over from anybody.
       count(*) FILTER (WHERE i.fresh AND i.matured AND i.failing = 0 AND i.unready = 0
                          AND i.proven_at_ms <= (SELECT now_ms FROM clock)) OVER whole      AS fresh_proven,
       -- Those that can take over as soon as they are started, or have been.
       count(*) FILTER (WHERE i.fresh AND i.run = 1 AND i.made) OVER whole                  AS fresh_made,
       count(*) FILTER (WHERE i.fresh AND i.run = 1 AND i.made AND NOT i.active) OVER better AS made_rank,
       count(*) FILTER (WHERE i.active) OVER whole                                          AS active_count,
       count(*) FILTER (WHERE i.matured AND i.failing = 0) OVER whole                       AS able,
       count(*) FILTER (WHERE i.matured AND i.failing > 0) OVER whole                       AS sick,
       count(*) FILTER (WHERE i.matured AND i.failing > 0) OVER better                      AS sick_rank,
       count(*) FILTER (WHERE i.matured AND i.failing = 0 AND i.awaited) OVER better        AS awaited_rank,
       count(*) FILTER (WHERE i.run = 1 AND i.fresh) OVER better                            AS fresh_rank,
       count(*) FILTER (WHERE i.run = 1 AND NOT i.fresh) OVER better                        AS stale_rank,
       count(*) FILTER (WHERE i.failed) OVER better                                         AS failed_rank
-- DISTINCT, since each column is then found once for a row, and not once for each place that names it: an ORDER BY of a
-- window with a subquery in it would have every function sort for itself.
FROM (SELECT DISTINCT
             h.id, h.job, h.run, h.has_node, h.unmet, h.failing, h.unasked, h.unready, h.unresolved,
             h.awaited, h.awaits, h.lent_until_ms, h.begun_from_ms,
             h.spec IS d.spec                                                       AS fresh,
             h.run = 0 AND h.verdict IS 'failed'                                    AS failed,
             h.run = 1 AND h.container = 'running' AND h.healthy_at_ms IS NOT NULL  AS matured,
             h.container = 'created' OR h.container = 'running' OR h.container = 'paused' AS made,
             -- A start may be under way.
             h.container = 'running' OR h.container = 'paused'
               OR (h.container = 'created' AND (h.hinted OR h.is_busy))             AS active,
             h.keeps AND h.ordinal > j.count                                        AS beyond,
             CASE WHEN h.run = 0 THEN -h.id ELSE COALESCE(h.healthy_at_ms, 9e15) END AS age,
             -- In a roll-out, time in which nobody asked its checks does not prove anything.
             max(h.proof_from_ms, CASE d.state WHEN 'running' THEN (SELECT watched_from_ms FROM clock) ELSE 0 END)
               + j.min_healthy_ms                                                   AS proven_at_ms
      FROM instance_health AS h
      LEFT JOIN job AS j ON j.name = h.job
      LEFT JOIN deployment AS d ON d.job = h.job AND d.current = 1) AS i
WINDOW whole  AS (PARTITION BY i.job),
       -- Those on a node that was deleted go anyway: they keep nobody else's place. Of those that keep volumes the
       -- highest ordinals go first; of others who does not do well, and then who is waited for.
       better AS (PARTITION BY i.job
                  ORDER BY i.has_node DESC, i.beyond, i.matured AND i.failing = 0 DESC, i.awaited, i.unready,
                           i.age, i.id
                  ROWS UNBOUNDED PRECEDING);

CREATE VIEW instance_why AS
SELECT 'instance' AS kind,
       f.name,
       i.name AS target,
       i.name || ' ' || CASE WHEN h.detail IS NOT NULL THEN h.detail
                             WHEN r.step = 'wait' THEN r.reason
                             ELSE 'needs step ' || r.step || ': ' || r.reason END AS reason,
       i.since_ms
FROM instance_fact AS f
JOIN instance AS i ON i.id = f.id
CROSS JOIN instance_case AS r ON r.hold = f.hold AND r.role = f.role AND r.state = f.state
LEFT JOIN retry AS h ON h.kind = 'instance' AND h.target = f.target AND h.step = r.step
WHERE r.step <> 'none' AND i.run = 1
UNION ALL
-- The last failure, as long as the job is not whole again.
SELECT 'instance', i.job, i.name,
       i.name || ' failed: ' || i.reason
         || CASE WHEN i.out_of_memory = 1
                 THEN '; it may have ' || json_extract(s.body, '$.memory_mb') || ' MB: raise job.'
                        || CASE (SELECT j.memory_mb FROM job AS j WHERE j.name = i.job) WHEN 0 THEN 'memory_max_mb'
                                                                                        ELSE 'memory_mb' END
                 WHEN i.log LIKE '%read-only file system%' AND json_extract(s.body, '$.read_only_root') = 1
                 THEN '; it may write to its mounts alone: INSERT INTO job_mount (job, path, type) VALUES (''' || i.job
                        || ''', FOLDER, ''tmpfs'') for the folder that it names, or set job.read_only_root to 0'
                 ELSE '' END
         || CASE WHEN i.log IS NOT NULL AND i.log <> '' THEN '; its last lines: ' || char(10) || i.log ELSE '' END,
       i.ended_at_ms
FROM instance AS i
JOIN spec AS s ON s.id = i.spec
JOIN job_tally AS t ON t.job = i.job
WHERE i.id = (SELECT max(e.id) FROM instance AS e WHERE e.job = i.job AND e.verdict = 'failed')
  AND (t.fresh_proven < t.count OR t.state = 'failed'
       OR EXISTS (SELECT 1 FROM deployment AS d WHERE d.id = t.deployment AND d.cause = 'revert'));
