-- Which instances should stand in which routes, with which share, and how each that does stands now.
-- schema/routes/route_target.sql makes its facts of it.

-- @views

-- Every instance that should stand in a route, and where its port answers. One whose spec has no such port cannot.
CREATE VIEW route_pair AS
SELECT r.name AS route,
       i.job,
       i.id AS instance,
       i.name,
       i.container,
       i.address,
       json_extract(p.value, '$.port') AS port
FROM instance AS i
JOIN route AS r ON r.job = i.job OR r.next_job = i.job   -- an OR and no union: a plan for one job reads its rows alone
JOIN spec AS s ON s.id = i.spec
JOIN json_each(s.body, '$.ports') AS p
WHERE i.run = 1
  AND r.redirect_host IS NULL
  AND (json_extract(p.value, '$.label') = CASE WHEN i.job = r.job THEN r.port ELSE COALESCE(r.next_port, r.port) END
       OR CAST(json_extract(p.value, '$.port') AS TEXT)
          = CASE WHEN i.job = r.job THEN r.port ELSE COALESCE(r.next_port, r.port) END);

-- A route that sends to two jobs, with how much of it goes to one ready instance of each.
CREATE VIEW route_share AS
SELECT c.route,
       c.job,
       -- A job of which nothing is ready leaves its part to the other one.
       CASE WHEN c.next_ready = 0 THEN 1.0 ELSE (100.0 - c.next_percent) / max(1, c.ready) END AS share,
       CASE WHEN c.ready = 0 THEN 1.0 ELSE 1.0 * c.next_percent / max(1, c.next_ready) END     AS next_share
FROM (SELECT r.name AS route,
             r.job,
             r.next_percent,
             (SELECT count(*) FROM route_target AS t
              WHERE t.route = r.name AND t.job = r.job AND t.ended_at_ms IS NULL AND t.wanted = 'ready') AS ready,
             (SELECT count(*) FROM route_target AS t
              WHERE t.route = r.name AND t.job = r.next_job AND t.ended_at_ms IS NULL
                AND t.wanted = 'ready')                                                              AS next_ready
      FROM route AS r
      WHERE r.next_job IS NOT NULL) AS c;

-- Every live row with what its instance, its route and the proxy say now.
CREATE VIEW route_target_now AS
SELECT t.target,
       t.instance,
       t.job,
       t.route,
       t.wanted,
       t.acknowledged,
       t.sessions,
       t.lingers,
       t.proven_at_ms,
       t.drained_at_ms,
       t.let_go_at_ms,
       t.drain_timeout_ms,
       (SELECT release_delay_ms FROM proxy_setting) AS release_delay_ms,
       t.look_at_ms,
       t.content,
       t.written_at_ms,
       t.asked_at_ms,
       i.run,
       i.container,
       i.healthy_at_ms,
       i.address,
       t.port AS told_port,
       -- NULL: it is not to stand in the route any more.
       (SELECT p.port FROM route_pair AS p WHERE p.instance = t.instance AND p.route = t.route) AS pair_port,
       -- A route that leads elsewhere now keeps what it has until something of that is ready. Who writes to what
       -- another one waits for is not kept.
       t.wanted = 'ready'
         AND EXISTS (SELECT 1 FROM route AS r WHERE r.name = t.route AND r.redirect_host IS NULL)
         AND NOT EXISTS (SELECT 1 FROM instance_barred AS b WHERE b.by_instance = t.instance)
         AND NOT EXISTS (SELECT 1 FROM route_target AS o
                         WHERE o.route = t.route AND o.ended_at_ms IS NULL AND o.acknowledged = 'ready'
                           AND o.instance IN (SELECT p.instance FROM route_pair AS p WHERE p.route = t.route))
                                                                                AS is_last,
       t.lent_at_ms,
       -- So long it has for that.
       t.lent_at_ms + COALESCE((SELECT sum(g.length_ms) FROM gap AS g WHERE g.until_ms > t.lent_at_ms), 0)
                    + COALESCE((SELECT max(j.progress_deadline_ms) FROM route AS r
                                JOIN job AS j ON j.name IN (r.job, r.next_job)
                                WHERE r.name = t.route), 0)                     AS lent_until_ms,
       -- As the proxy takes it: the larger share is 256, and 0 is none at all. A route to one job needs no shares.
       COALESCE((SELECT CASE WHEN t.job = v.job AND v.share > 0
                             THEN max(1, CAST(round(256 * v.share / max(v.share, v.next_share)) AS INTEGER))
                             WHEN t.job <> v.job AND v.next_share > 0
                             THEN max(1, CAST(round(256 * v.next_share / max(v.share, v.next_share)) AS INTEGER))
                             ELSE 0 END
                 FROM route_share AS v WHERE v.route = t.route), 1)            AS weight,
       t.acknowledged_address, t.acknowledged_port, t.acknowledged_weight,
       -- How many checks have not passed in a row yet, and how many have failed.
       (SELECT count(*) FROM instance_check AS k WHERE k.instance = t.instance AND k.gates AND k.passed < k.passes)
         + (SELECT count(*) FROM route_check AS c
            LEFT JOIN check_state AS s ON s.instance = t.instance AND s.name = c.name
            WHERE c.job = t.job AND COALESCE(s.passes, 0) < c.passes)          AS unmet,
       (SELECT count(*) FROM failed_check AS k WHERE k.instance = t.instance AND k.on_failure <> 'restart')
         + (SELECT count(*) FROM route_check AS c
            JOIN check_state AS s ON s.instance = t.instance AND s.name = c.name
            WHERE c.job = t.job AND s.failures >= c.failures)                  AS failing
FROM route_target AS t
LEFT JOIN instance AS i ON i.id = t.instance
WHERE t.ended_at_ms IS NULL;

-- Those that the proxy gives requests, and that no check which would take them out of the route fails.
CREATE VIEW route_well AS
SELECT t.route, t.target
FROM route_target AS t
JOIN instance AS i ON i.id = t.instance AND i.run = 1 AND i.container = 'running'
WHERE t.ended_at_ms IS NULL AND t.wanted = 'ready' AND t.acknowledged = 'ready'
  AND NOT EXISTS (SELECT 1 FROM failed_check AS k WHERE k.instance = t.instance AND k.on_failure <> 'restart')
  AND NOT EXISTS (SELECT 1 FROM route_check AS c
                  JOIN check_state AS s ON s.instance = t.instance AND s.name = c.name
                  WHERE c.job = t.job AND s.failures >= c.failures);

CREATE VIEW route_target_stand AS
SELECT n.target,
       n.instance,
       n.job,
       n.look_at_ms,
       n.lent_until_ms,
       n.drained_at_ms + max(n.drain_timeout_ms, n.release_delay_ms)        AS let_go_by_ms,
       n.address, COALESCE(n.pair_port, n.told_port) AS port, n.weight,
       CASE WHEN x.reach IS NOT 'reached'                                   THEN 'blind'
            WHEN EXISTS (SELECT 1 FROM proxy_reloading)                     THEN 'reloading'
            ELSE                                                                 'free' END AS hold,
       CASE WHEN n.container IS NULL OR n.container IN ('exited', 'gone')   THEN 'over'
            WHEN n.run = 0 AND n.container NOT IN ('running', 'paused')     THEN 'over'
            WHEN n.run = 0                                                  THEN 'leaving'
            WHEN n.pair_port IS NULL
                 AND (NOT n.is_last OR n.lent_until_ms <= (SELECT now_ms FROM clock)) THEN 'dropped'
            WHEN n.pair_port IS NULL AND n.lent_at_ms IS NULL               THEN 'parting'
            WHEN n.pair_port IS NOT NULL AND n.lent_at_ms IS NOT NULL       THEN 'returned'
            -- A check that was added to an instance in service does not take it out; one that fails does.
            -- One that fails when no other one does well is kept: what fails everywhere at once is no fault of one.
            WHEN n.container = 'running' AND n.address <> '' AND n.healthy_at_ms IS NOT NULL
                 AND (n.failing = 0 OR (n.wanted = 'ready' AND NOT EXISTS (SELECT 1 FROM route_well AS w
                                                                           WHERE w.route = n.route
                                                                             AND w.target <> n.target)))
                 AND (n.unmet = 0 OR n.wanted = 'ready')                    THEN
                 CASE WHEN n.pair_port IS NULL THEN 'lent' ELSE 'proven' END
            ELSE                                                                 'waiting' END AS role,
       CASE WHEN n.wanted = 'ready' AND n.acknowledged = 'absent'           THEN 'unplaced'
            WHEN n.wanted = 'ready' AND n.acknowledged = 'ready'
                 AND n.acknowledged_address = n.address
                 AND n.acknowledged_port = COALESCE(n.pair_port, n.told_port)
                 AND n.acknowledged_weight = n.weight                       THEN
                 -- Somebody may have had the proxy read the file before it stood there.
                 CASE WHEN n.asked_at_ms < n.written_at_ms THEN 'unsure' ELSE 'serving' END
            WHEN n.wanted = 'ready'                                         THEN 'due'
            WHEN n.acknowledged = 'ready'                                   THEN 'open'
            WHEN n.let_go_at_ms IS NOT NULL                                 THEN 'released'
            -- It was never given requests.
            WHEN n.proven_at_ms IS NULL                                     THEN 'idle'
            -- Whoever starts or reloads the proxy now must not find it in the file.
            WHEN x.saved_content < n.content                                THEN 'written'
            -- Whoever did so before that may have had it found: what the proxy said until then proves nothing.
            WHEN n.asked_at_ms IS NULL OR n.asked_at_ms < n.written_at_ms   THEN 'unseen'
            WHEN n.container IS NOT 'running'                               THEN 'idle'
            WHEN n.drained_at_ms + n.release_delay_ms <= (SELECT now_ms FROM clock)
             AND (n.sessions = 0 AND n.lingers = 0
                  OR n.drained_at_ms + n.drain_timeout_ms <= (SELECT now_ms FROM clock)) THEN 'idle'
            WHEN n.look_at_ms <= (SELECT now_ms FROM clock)                 THEN 'unseen'
            ELSE                                                                 'draining' END AS state
FROM route_target_now AS n
LEFT JOIN proxy_state AS x ON x.only = 1;
