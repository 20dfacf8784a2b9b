-- Which instances should stand in which routes, and which share of a route each of them has. schema/route_target.sql
-- makes its facts of it.

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
SELECT r.name AS route,
       r.job,
       (100.0 - r.next_percent)
         / max(1, (SELECT count(*) FROM route_target AS t
                   WHERE t.route = r.name AND t.job = r.job AND t.ended_at_ms IS NULL
                     AND t.wanted = 'ready')) AS share,
       1.0 * r.next_percent
         / max(1, (SELECT count(*) FROM route_target AS t
                   WHERE t.route = r.name AND t.job = r.next_job AND t.ended_at_ms IS NULL
                     AND t.wanted = 'ready')) AS next_share
FROM route AS r
WHERE r.next_job IS NOT NULL;
