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

-- What is due for the keys of each issuer.
CREATE VIEW trust_fact AS
SELECT t.name,
       COALESCE(k.retry_at_ms, 0) AS retry_at_ms,
       k.read_at_ms + 300000 AS due_at_ms,
       CASE WHEN EXISTS (SELECT 1 FROM attempt AS a
                         WHERE a.kind = 'trust' AND a.target = t.name AND a.finished_at_ms IS NULL) THEN 'busy'
            WHEN k.retry_at_ms > (SELECT now_ms FROM clock) AND k.source = t.keys              THEN 'backoff'
            ELSE                                                                                    'free' END AS hold,
       CASE WHEN k.trust IS NULL OR k.source <> t.keys OR k.keys = ''      THEN 'unread'
            WHEN k.read_at_ms + 300000 <= (SELECT now_ms FROM clock)       THEN 'old'
            ELSE                                                                'fresh' END AS state
FROM trust AS t
LEFT JOIN trust_keys AS k ON k.trust = t.name
UNION ALL
SELECT k.trust, 0, NULL,
       CASE WHEN EXISTS (SELECT 1 FROM attempt AS a
                         WHERE a.kind = 'trust' AND a.target = k.trust AND a.finished_at_ms IS NULL) THEN 'busy'
            ELSE                                                                                     'free' END,
       'gone'
FROM trust_keys AS k
WHERE k.trust NOT IN (SELECT name FROM trust);

-- '*' stands for every value.
CREATE VIEW trust_rule (hold, state, step, reason) AS VALUES
  ('busy',    '*',      'none',   'a step is under way'),
  ('backoff', '*',      'wait',   'its keys could not be read; tries again'),
  ('free',    'unread', 'read',   'its keys are not known yet'),
  ('free',    'old',    'read',   'its keys may have changed'),
  ('free',    'fresh',  'wait',   'reads its keys anew every five minutes'),
  ('free',    'gone',   'forget', 'the row was deleted');

CREATE VIEW trust_plan AS
SELECT 'trust' AS kind,
       f.name,
       f.name AS target,
       r.step,
       r.reason,
       CASE WHEN f.hold = 'backoff' THEN f.retry_at_ms
            WHEN f.state = 'fresh'  THEN f.due_at_ms END AS due_at_ms
FROM trust_fact AS f
CROSS JOIN trust_rule AS r ON r.hold = f.hold AND (r.state = '*' OR r.state = f.state)
WHERE r.step <> 'none';

CREATE VIEW trust_input AS
SELECT k.trust AS target, k.source FROM trust_keys AS k;

CREATE VIEW trust_status AS
SELECT 'trust' AS kind,
       t.name,
       CASE WHEN k.detail <> ''             THEN 'failed'
            WHEN COALESCE(k.keys, '') = ''  THEN 'converging'
            ELSE                                 'converged' END AS state,
       CASE WHEN k.detail <> ''             THEN k.detail
            WHEN COALESCE(k.keys, '') = ''  THEN 'its keys are not read yet'
            ELSE json_array_length(k.keys, '$.keys') || ' keys of ' || t.issuer END AS detail,
       COALESCE(k.read_at_ms, (SELECT now_ms FROM clock)) AS since_ms
FROM trust AS t
LEFT JOIN trust_keys AS k ON k.trust = t.name;

CREATE VIEW trust_why AS
SELECT 'trust' AS kind, k.trust AS name, k.trust AS target,
       'the keys of ' || k.trust || ' could not be read: ' || k.detail AS reason, k.read_at_ms AS since_ms
FROM trust_keys AS k
WHERE k.detail <> '';

CREATE VIEW trust_name AS
SELECT name FROM trust
UNION
SELECT trust FROM trust_keys;

-- @wake

CREATE TEMP TRIGGER wake_trust_insert AFTER INSERT ON trust BEGIN INSERT INTO dirty VALUES (NEW.name); END;
CREATE TEMP TRIGGER wake_trust_update AFTER UPDATE ON trust BEGIN INSERT INTO dirty VALUES (NEW.name); END;
CREATE TEMP TRIGGER wake_trust_delete AFTER DELETE ON trust BEGIN INSERT INTO dirty VALUES (OLD.name); END;

-- @run trust.read

-- Keys from another source are none of its.
INSERT INTO trust_keys (trust, source) SELECT name, keys FROM trust WHERE name = :target
ON CONFLICT (trust) DO UPDATE
SET keys   = CASE source WHEN excluded.source THEN keys ELSE '' END,
    source = excluded.source;

-- @run trust.read.done

UPDATE trust_keys SET keys = :keys, read_at_ms = :now_ms, detail = '', tries = 0 WHERE trust = :target;

-- @run trust.read.failed

-- The last good ones stay in use.
UPDATE trust_keys
SET detail = :detail, tries = tries + 1, retry_at_ms = :now_ms + min(300000, 2000 << min(tries, 10))
WHERE trust = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'trust', trust, trust, 'keys not read', :detail FROM trust_keys WHERE trust = :target AND tries <= 2;

-- @run trust.forget

DELETE FROM trust_keys WHERE trust = :target;
