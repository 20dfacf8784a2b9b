-- How an instance does, by its checks and its routes; schema/work/instance.sql makes its facts of it.

-- @views

-- Every instance with what its job's checks, as they are now, say of it.
CREATE VIEW instance_health AS
SELECT i.id,
       i.job,
       i.slot,
       i.spec,
       i.node,
       i.run,
       i.container,
       i.verdict,
       i.rejected,
       i.log,
       i.hinted,
       i.delivers,
       i.placed_at_ms, i.started_at_ms, i.healthy_at_ms,
       -- From when its proof and its deadline count: both move by every gap in which nobody looked.
       i.healthy_at_ms
         + COALESCE((SELECT sum(g.length_ms) FROM gap AS g WHERE g.until_ms > i.healthy_at_ms), 0) AS proof_from_ms,
       COALESCE(i.started_at_ms, i.placed_at_ms)
         + COALESCE((SELECT sum(g.length_ms) FROM gap AS g
                     WHERE g.until_ms > COALESCE(i.started_at_ms, i.placed_at_ms)), 0) AS begun_from_ms,
       -- In how many routes the proxy does not give it requests yet. Most jobs have none; specs are long to read.
       CASE WHEN NOT EXISTS (SELECT 1 FROM route AS r WHERE r.job = i.job OR r.next_job = i.job) THEN 0
            ELSE (SELECT count(*) FROM route_pair AS p
                  LEFT JOIN route_target AS t ON t.instance = p.instance AND t.route = p.route
                  WHERE p.instance = i.id AND (t.acknowledged IS NOT 'ready' OR t.written_at_ms IS NULL
                                               OR t.asked_at_ms < t.written_at_ms)) END AS unready,
       -- How many checks have not passed yet, and how many have failed.
       (SELECT count(*) FROM job_check AS c
        LEFT JOIN check_state AS s ON s.instance = i.id AND s.name = c.name
        WHERE c.job = i.job AND COALESCE(s.passes, 0) < c.passes)              AS unmet,
       (SELECT count(*) FROM job_check AS c
        JOIN check_state AS s ON s.instance = i.id AND s.name = c.name
        WHERE c.job = i.job AND s.failures >= c.failures)                      AS failing
FROM instance AS i;
