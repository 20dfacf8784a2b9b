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
       i.spared_at_ms,
       EXISTS (SELECT 1 FROM attempt AS a
               WHERE a.kind = 'instance' AND a.target = CAST(i.id AS TEXT) AND a.finished_at_ms IS NULL) AS is_busy,
       i.delivers,
       i.placed_at_ms, i.started_at_ms, i.healthy_at_ms,
       -- Whether all its routes have it: 2 for each in which the proxy does not give it requests, 1 for one in which it
       -- did when it was asked last, before the file was written. Most jobs have no route; specs are long to read.
       CASE WHEN NOT EXISTS (SELECT 1 FROM route AS r WHERE r.job = i.job OR r.next_job = i.job) THEN 0
            ELSE (SELECT COALESCE(sum(CASE WHEN t.acknowledged IS 'ready' THEN 1 ELSE 2 END), 0) FROM route_pair AS p
                  LEFT JOIN route_target AS t ON t.instance = p.instance AND t.route = p.route
                  WHERE p.instance = i.id AND (t.acknowledged IS NOT 'ready' OR t.written_at_ms IS NULL
                                               OR t.asked_at_ms < t.written_at_ms)) END AS unready,
       -- Until when a route keeps it that leads elsewhere (route_target_stand); NULL: none does, 9e15: no end is known yet.
       (SELECT max(COALESCE(s.lent_until_ms, 9e15)) FROM route_target AS t
        JOIN route_target_stand AS s ON s.target = t.target AND s.role IN ('parting', 'lent')
        WHERE t.instance = i.id AND t.ended_at_ms IS NULL AND t.wanted = 'ready'
          AND NOT EXISTS (SELECT 1 FROM route_pair AS p WHERE p.instance = i.id AND p.route = t.route)) AS lent_until_ms,
       -- How many checks have not passed yet, and how many have failed.
       (SELECT count(*) FROM job_check AS c
        LEFT JOIN check_state AS s ON s.instance = i.id AND s.name = c.name
        WHERE c.job = i.job AND COALESCE(s.passes, 0) < c.passes)              AS unmet,
       (SELECT count(*) FROM job_check AS c
        JOIN check_state AS s ON s.instance = i.id AND s.name = c.name
        WHERE c.job = i.job AND s.failures >= c.failures AND c.on_failure <> 'withdraw') AS failing
FROM instance AS i;
