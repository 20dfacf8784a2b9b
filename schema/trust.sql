-- Whose tokens are believed beside Rowlock's own: a CI system, say, whose jobs show a signed token (OIDC) and are given
-- a short one of ours for it. The issuer's public keys come from a file or are fetched.

-- @desired

CREATE TABLE trust (
  name           TEXT PRIMARY KEY NOT NULL               -- what a login calls it: its role
                 CONSTRAINT "trust.name must be 1 to 60 of a-z, 0-9 and '-', and begin with a letter or digit"
                 CHECK (name GLOB '[a-z0-9]*' AND name NOT GLOB '*[^a-z0-9-]*' AND length(name) <= 60),
  issuer         TEXT NOT NULL                           -- the claim iss, to the letter
                 CONSTRAINT "trust.issuer must be what the issuer's tokens say in the claim iss" CHECK (issuer <> ''),
  audience       TEXT NOT NULL                           -- one of the claim aud
                 CONSTRAINT "trust.audience must be what tokens for you say in the claim aud" CHECK (audience <> ''),
  -- what else must be so: {"claim": "value", "/json/pointer": ["this", "or that"]}; '*' in a value stands for anything
  claims         TEXT NOT NULL DEFAULT '{}'
                 CONSTRAINT "trust.claims must be a JSON object such as '{""sub"": ""repo:school/*""}'"
                 CHECK (json_valid(claims) AND json_type(claims) = 'object'),
  policies       TEXT NOT NULL DEFAULT '[]'              -- what the token may do
                 CONSTRAINT "trust.policies must be a JSON array of names of policies, such as '[""deploy""]'"
                 CHECK (json_valid(policies) AND json_type(policies) = 'array'),
  keys           TEXT NOT NULL                           -- the issuer's key set (JWKS)
                 CONSTRAINT "trust.keys must be the absolute path of a file with the key set, or its https URL"
                 CHECK (keys GLOB '/?*' OR keys GLOB 'https://?*' OR keys GLOB 'http://127.0.0.1:*'),
  ttl_ms         INTEGER NOT NULL DEFAULT 600000         -- how long the token lives
                 CONSTRAINT "trust.ttl_ms must be a whole number of milliseconds, one second to one day"
                 CHECK (typeof(ttl_ms) = 'integer' AND ttl_ms BETWEEN 1000 AND 86400000)
);

-- @observed

-- The key set of an issuer as it was last read.
CREATE TABLE trust_keys (
  trust         TEXT PRIMARY KEY NOT NULL,
  source        TEXT NOT NULL,                 -- trust.keys as it was then
  keys          TEXT NOT NULL DEFAULT '',      -- '': not read yet
  read_at_ms    INTEGER NOT NULL DEFAULT 0,
  detail        TEXT NOT NULL DEFAULT '',      -- what went wrong the last time
  tries         INTEGER NOT NULL DEFAULT 0,
  retry_at_ms   INTEGER NOT NULL DEFAULT 0
);

-- @views

CREATE VIEW trust_violation AS
SELECT 'trust' AS table_name,
       t.name AS row_key,
       'trust ' || t.name || ' gives the policy ''' || p.value || ''', which has no row: INSERT INTO policy first'
         AS message
FROM trust AS t
JOIN json_each(t.policies) AS p
WHERE p.value NOT IN (SELECT name FROM policy)
UNION ALL
SELECT 'trust', t.name, 'trust ' || t.name || ' has the name of a job: a login could mean either, give it another'
FROM trust AS t
WHERE t.name IN (SELECT name FROM job);
