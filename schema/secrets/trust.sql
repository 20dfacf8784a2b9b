-- Whose tokens are believed beside Rowlock's own: a CI system, say, whose jobs show a signed token (OIDC) and are given
-- a short one of ours for it. The issuer's public keys come from a file or are fetched.

-- @kind trust
--   of:     trust.name trust_keys.trust
--   state:  unread old fresh gone
--   retry:  2 s to 5 min

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
  claims         TEXT NOT NULL DEFAULT ''                -- to be given; {"sub": "*"}: anybody of that issuer
                 CONSTRAINT "trust.claims must say whose tokens, such as '{""sub"": ""repo:school/*""}'; '*' is anybody"
                 CHECK (json_valid(claims) AND json_type(claims) = 'object' AND json(claims) <> '{}'),
  policies       TEXT NOT NULL DEFAULT '[]'              -- what the token may do
                 CONSTRAINT "trust.policies must be a JSON array of names of policies, such as '[""deploy""]'"
                 CHECK (json_valid(policies) AND json_type(policies) = 'array'),
  keys           TEXT NOT NULL                           -- the issuer's key set (JWKS)
                 CONSTRAINT "trust.keys must be the absolute path of a file with the key set, or its https URL"
                 CHECK (keys GLOB '/?*'
                        OR ((keys GLOB 'https://[A-Za-z0-9[]*' OR keys GLOB 'http://127.0.0.1:[1-9]*')
                            AND keys NOT GLOB '*[^!-~]*' AND keys NOT GLOB '*[@\"<>^`{|}]*')),
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
  read_at_ms    INTEGER NOT NULL DEFAULT 0
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

-- What is due for the keys of each issuer.
CREATE VIEW trust_fact AS
SELECT t.name,
       t.name AS target,
       CASE WHEN k.trust IS NULL OR k.source <> t.keys OR k.keys = ''      THEN 'unread'
            WHEN k.read_at_ms + 300000 <= (SELECT now_ms FROM clock)       THEN 'old'
            ELSE                                                                'fresh' END AS state,
       k.read_at_ms + 300000 AS due_at_ms
FROM trust AS t
LEFT JOIN trust_keys AS k ON k.trust = t.name
UNION ALL
SELECT k.trust, k.trust, 'gone', NULL
FROM trust_keys AS k
WHERE k.trust NOT IN (SELECT name FROM trust);

CREATE VIEW trust_rule (state, step, reason) AS VALUES
  ('unread', 'read',   'its keys are not known yet'),
  ('old',    'read',   'its keys may have changed'),
  ('fresh',  'wait',   'reads its keys anew every five minutes'),
  ('gone',   'forget', 'the row was deleted');

CREATE VIEW trust_input AS
SELECT k.trust AS target, k.source FROM trust_keys AS k;

CREATE VIEW trust_status AS
SELECT 'trust' AS kind,
       t.name,
       CASE WHEN h.detail IS NOT NULL       THEN 'failed'
            WHEN COALESCE(k.keys, '') = ''  THEN 'converging'
            ELSE                                 'converged' END AS state,
       CASE WHEN h.detail IS NOT NULL       THEN h.detail
            WHEN COALESCE(k.keys, '') = ''  THEN 'its keys are not read yet'
            ELSE json_array_length(k.keys, '$.keys') || ' keys of ' || t.issuer END AS detail,
       COALESCE(k.read_at_ms, (SELECT now_ms FROM clock)) AS since_ms
FROM trust AS t
LEFT JOIN trust_keys AS k ON k.trust = t.name
LEFT JOIN retry AS h ON h.kind = 'trust' AND h.target = t.name;

CREATE VIEW trust_why AS
SELECT 'trust' AS kind, h.name, h.target,
       'the keys of ' || h.target || ' could not be read: ' || h.detail AS reason, h.since_ms
FROM retry AS h
WHERE h.kind = 'trust';

-- @run trust.read

-- Keys from another source are none of its.
INSERT INTO trust_keys (trust, source) SELECT name, keys FROM trust WHERE name = :target
ON CONFLICT (trust) DO UPDATE
SET keys   = CASE source WHEN excluded.source THEN keys ELSE '' END,
    source = excluded.source;

-- @run trust.read.done

UPDATE trust_keys SET keys = :keys, read_at_ms = :now_ms WHERE trust = :target;

-- @run trust.read.failed

-- The last good ones stay in use.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'trust', h.name, h.target, 'keys not read', :detail
FROM retry AS h
WHERE h.kind = 'trust' AND h.target = :target AND h.tries <= 2;

-- @run trust.forget

DELETE FROM trust_keys WHERE trust = :target;
