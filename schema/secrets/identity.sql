-- What an instance's identity says of it: a signed token (JWT) in its folder of secrets, with which it logs in here or
-- anywhere else that knows this home's public keys. Who it is: SITE:JOB:INSTANCE.

-- @run identity.of_instance

SELECT i.name,
       i.job,
       COALESCE((SELECT n.site FROM node AS n WHERE n.name = i.node), 'local') AS site,
       (SELECT h.id FROM home AS h)                                            AS home,
       a.issuer,
       a.audience,
       a.identity_ttl_ms,
       -- Whoever reads the token goes by the wall clock.
       (SELECT wall_ms - now_ms FROM clock)                                    AS wall_ahead_ms
FROM instance AS i
JOIN api_setting AS a
WHERE i.id = :instance AND i.run = 1;

-- @run identity.setting

SELECT issuer, audience, (SELECT wall_ms - now_ms FROM clock) AS wall_ahead_ms FROM api_setting;
