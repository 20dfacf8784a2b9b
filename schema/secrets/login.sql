-- What a login with a signed token (JWT) is checked against: the instance that an identity of ours names, or the rows
-- of `trust` that believe another issuer.

-- @run login.instance

-- The instance that an identity names, if Rowlock still keeps it, and what it may do.
SELECT i.id, i.job
FROM instance AS i
WHERE i.name = :name AND i.job = :job AND i.run = 1;

-- @run login.trust

-- The rows of `trust` that a login may mean: the one that its role names, or those of the issuer. Keys that were read
-- from elsewhere than the row now says are not its keys.
SELECT t.name,
       t.issuer,
       t.audience,
       t.claims,
       t.policies,
       t.ttl_ms,
       CASE WHEN k.source = t.keys THEN k.keys ELSE '' END AS keys,
       -- Whoever signed the token went by the wall clock.
       (SELECT wall_ms - now_ms FROM clock) AS wall_ahead_ms,
       COALESCE((SELECT h.detail FROM retry AS h WHERE h.kind = 'trust' AND h.target = t.name), '') AS detail
FROM trust AS t
LEFT JOIN trust_keys AS k ON k.trust = t.name
WHERE CASE :role WHEN '' THEN t.issuer = :issuer ELSE t.name = :role END
ORDER BY t.name;
