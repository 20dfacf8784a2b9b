-- Whether the rows that give rights are those that were accepted or made; controller/secrets/rights.h finds out, and
-- gives none while they are not. Policies come from desired.db again by themselves.

-- @observed

-- What gives no rights just now; no row when all is well.
CREATE TABLE rights_doubt (
  of       TEXT PRIMARY KEY NOT NULL CHECK (of IN ('policies', 'tokens')),
  detail   TEXT NOT NULL,                      -- what is wrong, and what mends it
  since_ms INTEGER NOT NULL
);

-- @views

CREATE VIEW rights_status AS
SELECT 'secret' AS kind, d.of AS name, 'failed' AS state, d.detail, d.since_ms FROM rights_doubt AS d;

CREATE VIEW rights_why AS
SELECT 'secret' AS kind, d.of AS name, d.of AS target, d.detail AS reason, d.since_ms FROM rights_doubt AS d;

-- @wake

-- Who may read nothing meanwhile.
CREATE TEMP TRIGGER wake_rights_doubt_insert AFTER INSERT ON rights_doubt BEGIN
  INSERT INTO dirty SELECT DISTINCT job FROM instance;
END;
CREATE TEMP TRIGGER wake_rights_doubt_delete AFTER DELETE ON rights_doubt BEGIN
  INSERT INTO dirty SELECT DISTINCT job FROM instance;
END;

-- @run rights.doubt

SELECT COALESCE((SELECT detail FROM rights_doubt WHERE of = :of), '') AS detail;

-- @run rights.doubt.set

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'secret', :of, 'rights', CASE :detail WHEN '' THEN 'given again' ELSE 'withheld' END, :detail);

DELETE FROM rights_doubt WHERE of = :of;

INSERT INTO rights_doubt (of, detail, since_ms) SELECT :of, :detail, :now_ms WHERE :detail <> '';

-- @run rights.policy

-- The same bytes as no text would be another value to SQLite.
SELECT name, path, capabilities, typeof(name) || typeof(path) || typeof(capabilities) AS types
FROM policy
ORDER BY name, path;

-- @run rights.job_policy

SELECT job, policy, typeof(job) || typeof(policy) AS types FROM job_policy ORDER BY job, policy;

-- @run rights.trust

SELECT name, issuer, audience, claims, policies, keys, ttl_ms,
       typeof(name) || typeof(issuer) || typeof(audience) || typeof(claims) || typeof(policies) || typeof(keys)
         AS types
FROM trust
ORDER BY name;

-- @run rights.api

SELECT name, listen, issuer, audience, identity_ttl_ms,
       typeof(name) || typeof(listen) || typeof(issuer) || typeof(audience) AS types
FROM api
ORDER BY name;

-- @run rights.tokens

-- One whose hash is no text is found by nobody, and would be the next of every page.
SELECT hash, mac FROM token WHERE hash > :hash AND typeof(hash) = 'text' ORDER BY hash LIMIT 1000;

-- @run rights.gone

SELECT g.hash, g.mac, EXISTS (SELECT 1 FROM token AS t WHERE t.hash = g.hash OR t.mac = g.mac) AS is_back
FROM token_gone AS g
WHERE g.hash > :hash AND typeof(g.hash) = 'text'
ORDER BY g.hash
LIMIT 1000;

-- @run rights.gone_from_sum

DELETE FROM token_gone WHERE hash = :hash;

-- @run rights.has_gone

SELECT EXISTS (SELECT 1 FROM token_gone);

-- @run rights.end_tokens

DELETE FROM token;

DELETE FROM token_gone;

-- @run rights.over

-- Tokens that are there, of which the log says that they were revoked or fetched; of its lines that are in no segment.
SELECT DISTINCT t.accessor
FROM audit AS a
JOIN token AS t ON t.accessor = substr(CASE WHEN a.detail LIKE 'token %' THEN a.detail ELSE a.actor END, 7, 22)
WHERE a.operation IN ('revoke', 'unwrap') AND a.outcome = 'allowed'
ORDER BY t.accessor
LIMIT 20;
