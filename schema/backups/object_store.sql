-- Where backups are kept: folders of this machine, and buckets of S3-compatible services.

-- @kind object_store
--   of:     object_store.name object_store_state.store
--   hold:   sealed free
--   look:   due later gone
--   retry:  2 s to 5 min

-- @desired

CREATE TABLE object_store (
  name        TEXT PRIMARY KEY NOT NULL
              CONSTRAINT "object_store.name must be 1 to 40 of a-z, 0-9 and '-', and begin with a letter or digit"
              CHECK (name GLOB '[a-z0-9]*' AND name NOT GLOB '*[^a-z0-9-]*' AND length(name) <= 40),
  url         TEXT NOT NULL
              CONSTRAINT "object_store.url must be like 'file:///srv/backups' or 's3://bucket/prefix'"
              CHECK ((url GLOB 'file:///?*' OR url GLOB 's3://[a-z0-9]*') AND url NOT GLOB '*[ "?#]*'),
  endpoint    TEXT NOT NULL DEFAULT ''           -- of S3; '': AWS's own of that region
              CONSTRAINT "object_store.endpoint must be like 'https://s3.example.org', or empty for AWS"
              CHECK (endpoint = '' OR ((endpoint GLOB 'https://?*' OR endpoint GLOB 'http://?*')
                                       AND endpoint NOT GLOB '*://*/*' AND endpoint NOT GLOB '*[ "@]*')),
  region      TEXT NOT NULL DEFAULT 'us-east-1'
              CONSTRAINT "object_store.region must be like 'us-east-1'"
              CHECK (region GLOB '[a-z0-9]*' AND region NOT GLOB '*[^a-zA-Z0-9-]*'),
  style       TEXT NOT NULL DEFAULT 'path'       -- path: HOST/BUCKET/KEY; virtual: BUCKET.HOST/KEY
              CONSTRAINT "object_store.style must be 'path' or 'virtual'" CHECK (style IN ('path', 'virtual')),
  -- of the authorities that say who the endpoint is; '': AWS_CA_BUNDLE and the like, else the system's
  ca_file     TEXT NOT NULL DEFAULT ''
              CONSTRAINT "object_store.ca_file must be the absolute path of a PEM file of authorities, or empty"
              CHECK (ca_file = '' OR ca_file GLOB '/?*'),
  secret      TEXT NOT NULL DEFAULT '',          -- path of the secret with access_key_id and secret_access_key
  recipients  TEXT NOT NULL DEFAULT '[]'         -- who can read what is kept here, where a policy does not say
              CONSTRAINT "object_store.recipients must be a JSON array of age recipients, such as '[""age1…""]'"
              CHECK (json_valid(recipients) AND json_type(recipients) = 'array'),
  -- what opens it again, for verifying: a secret, or a file of this machine
  identity_secret TEXT NOT NULL DEFAULT '',
  identity_key    TEXT NOT NULL DEFAULT 'identity',
  identity_file   TEXT NOT NULL DEFAULT ''
                  CONSTRAINT "object_store.identity_file must be the absolute path of a file of age identities"
                  CHECK (identity_file = '' OR identity_file GLOB '/?*'),
  bytes_per_s INTEGER NOT NULL DEFAULT 0         -- uploads are no faster on average; 0: as fast as can be
              CONSTRAINT "object_store.bytes_per_s must be a whole number, 0 for no limit"
              CHECK (typeof(bytes_per_s) = 'integer' AND bytes_per_s >= 0)
);

-- @observed

-- What was learned of a store when it was looked at last.
CREATE TABLE object_store_state (
  store          TEXT PRIMARY KEY NOT NULL,
  address        TEXT NOT NULL DEFAULT '',       -- the row it was looked at with, as JSON
  look_at_ms     INTEGER NOT NULL DEFAULT 0,     -- next look
  seen_at_ms     INTEGER,                        -- last look that went well
  is_versioned   INTEGER NOT NULL DEFAULT 0,     -- a delete without a version only hides
  has_conditions INTEGER NOT NULL DEFAULT 0,     -- an object is never written over
  clock_ahead_ms INTEGER NOT NULL DEFAULT 0
);

-- @views

CREATE VIEW object_store_violation AS
SELECT 'object_store' AS table_name,
       o.name AS row_key,
       'object_store ' || o.name || ' has an item in recipients that is no age recipient: write age1…, as age-keygen '
         || 'prints it' AS message
FROM object_store AS o
WHERE EXISTS (SELECT 1 FROM json_each(o.recipients) AS r WHERE r.type <> 'text' OR r.value NOT GLOB 'age1?*')
UNION ALL
SELECT 'object_store', o.name,
       'object_store ' || o.name || ' is a folder, which has no endpoint and no secret: leave both empty'
FROM object_store AS o
WHERE o.url GLOB 'file:*' AND (o.endpoint <> '' OR o.secret <> '');

CREATE VIEW object_store_address AS
SELECT o.name,
       json_array(o.url, o.endpoint, o.region, o.style, o.secret, o.ca_file) AS address
FROM object_store AS o;

-- What tells one place from another: not the keys to it.
CREATE VIEW object_store_place AS
SELECT o.name AS store, o.url || ' ' || o.endpoint AS place FROM object_store AS o;

-- What is due for each store: a look at whether it can be reached, and at uploads that nobody will finish.
CREATE VIEW object_store_fact AS
SELECT o.name,
       o.name AS target,
       s.look_at_ms AS due_at_ms,
       CASE WHEN o.secret <> '' AND (SELECT state FROM seal) IS NOT 'open' THEN 'sealed' ELSE 'free' END AS hold,
       CASE WHEN s.address IS NOT d.address                                        THEN 'due'
            WHEN s.look_at_ms > (SELECT now_ms FROM clock)
              -- A clock that was set back must not make Rowlock blind.
              AND s.look_at_ms <= (SELECT now_ms FROM clock) + 3600000             THEN 'later'
            ELSE                                                                        'due' END AS look
FROM object_store AS o
JOIN object_store_address AS d ON d.name = o.name
LEFT JOIN object_store_state AS s ON s.store = o.name
UNION ALL
SELECT s.store, s.store, NULL, 'free', 'gone'
FROM object_store_state AS s
WHERE s.store NOT IN (SELECT name FROM object_store);

-- '*' stands for every value.
CREATE VIEW object_store_rule (hold, look, step, reason) AS VALUES
  ('sealed', 'due',   'wait',   'the secret store is sealed: rowlock secret unseal'),
  ('sealed', 'later', 'wait',   'the secret store is sealed: rowlock secret unseal'),
  ('free',   'due',   'look',   'whether it can be reached is not known'),
  ('free',   'later', 'wait',   'looks at it every hour'),
  ('*',      'gone',  'forget', 'the row was deleted');

-- How a store is reached.
CREATE VIEW object_store_input AS
SELECT o.name AS target,
       o.url AS store_url,
       o.endpoint,
       o.region,
       o.style,
       o.ca_file,
       o.secret AS store_secret,
       o.bytes_per_s,
       (SELECT id FROM home) || '/' AS prefix,
       (SELECT wall_ms FROM clock) - 86400000 AS stale_before_ms
FROM object_store AS o;

CREATE VIEW object_store_status AS
SELECT 'object_store' AS kind,
       o.name,
       CASE WHEN h.detail IS NOT NULL                                              THEN 'failed'
            WHEN o.secret <> '' AND (SELECT state FROM seal) IS NOT 'open'         THEN 'waiting'
            WHEN s.seen_at_ms IS NULL                                              THEN 'converging'
            ELSE                                                                        'converged' END AS state,
       CASE WHEN h.detail IS NOT NULL                                              THEN h.detail
            WHEN o.secret <> '' AND (SELECT state FROM seal) IS 'sealed'
              THEN 'the secret store is sealed: rowlock secret unseal'
            WHEN o.secret <> '' AND (SELECT state FROM seal) IS NOT 'open'
              THEN 'there is no secret store yet: rowlock secret init'
            WHEN s.seen_at_ms IS NULL                                              THEN 'not looked at yet'
            ELSE t.backups || ' backups, ' || t.size_mb || ' MB'
                 || CASE s.is_versioned WHEN 1 THEN ', versioned' ELSE '' END END AS detail,
       COALESCE(s.seen_at_ms, (SELECT now_ms FROM clock)) AS since_ms
FROM object_store AS o
LEFT JOIN object_store_state AS s ON s.store = o.name
LEFT JOIN retry AS h ON h.kind = 'object_store' AND h.target = o.name
CROSS JOIN object_store_tally AS t ON t.store = o.name;

-- What a store holds.
CREATE VIEW object_store_tally AS
SELECT o.name AS store,
       count(b.id) AS backups,
       COALESCE(sum(b.size_bytes), 0) / 1000000 AS size_mb
FROM object_store AS o
LEFT JOIN backup_there AS b ON b.store = o.name
GROUP BY o.name;

CREATE VIEW object_store_why AS
SELECT 'object_store' AS kind, h.name, h.target, 'store ' || h.target || ' cannot be used: ' || h.detail AS reason,
       h.since_ms
FROM retry AS h
WHERE h.kind = 'object_store' AND h.target IN (SELECT name FROM object_store);

-- @wake

CREATE TEMP TRIGGER wake_object_store_insert AFTER INSERT ON object_store BEGIN
  INSERT INTO dirty SELECT policy FROM backup_target;
END;
CREATE TEMP TRIGGER wake_object_store_update AFTER UPDATE ON object_store BEGIN
  INSERT INTO dirty SELECT policy FROM backup_target WHERE store = NEW.name;
END;
CREATE TEMP TRIGGER wake_object_store_delete AFTER DELETE ON object_store BEGIN
  INSERT INTO dirty SELECT policy FROM backup_schedule;
END;
CREATE TEMP TRIGGER wake_object_store_seen AFTER UPDATE OF seen_at_ms ON object_store_state BEGIN
  INSERT INTO dirty SELECT policy FROM backup_target WHERE store = NEW.store;
END;
CREATE TEMP TRIGGER wake_object_store_seal AFTER UPDATE OF state ON seal WHEN NEW.state <> OLD.state BEGIN
  INSERT INTO dirty SELECT name FROM object_store;
END;

-- @begin

UPDATE object_store_state SET look_at_ms = 0;

-- @run object_store.look

INSERT INTO object_store_state (store, address) SELECT name, address FROM object_store_address WHERE name = :target
ON CONFLICT (store) DO UPDATE SET address = excluded.address;

-- @run object_store.look.done

UPDATE object_store_state
SET seen_at_ms     = :now_ms,
    look_at_ms     = :now_ms + 3600000,
    is_versioned   = :is_versioned,
    has_conditions = :has_conditions,
    clock_ahead_ms = :clock_ahead_ms
WHERE store = :target;

-- What is there and newer than every row: the home was lost, and recovered from an older backup. It counts again once
-- it was verified. :found has {"key", "size_bytes"} of each object, HOME/POLICY/POLICY-20261125T023000Z-17.tar.zst.age.
INSERT INTO backup (name, policy, store, kind, source, object, reason, state, due_at_ms, taken_at_ms, taken_on,
                    stored_at_ms, size_bytes)
SELECT f.name, t.policy, t.store, t.kind, t.source, f.object, 'found in its store', 'stored', f.taken_at_ms,
       f.taken_at_ms, date(f.taken_at_ms / 1000, 'unixepoch'),
       (SELECT wall_ms FROM clock), f.size_bytes
FROM backup_target AS t
JOIN (SELECT n.object, n.size_bytes, n.name, n.policy,
             unixepoch(substr(n.stamp, 1, 4) || '-' || substr(n.stamp, 5, 2) || '-' || substr(n.stamp, 7, 2) || 'T'
                       || substr(n.stamp, 10, 2) || ':' || substr(n.stamp, 12, 2) || ':' || substr(n.stamp, 14, 2))
               * 1000 AS taken_at_ms
      FROM (SELECT t.policy,
                   json_extract(o.value, '$.key') AS object,
                   json_extract(o.value, '$.size_bytes') AS size_bytes,
                   replace(substr(json_extract(o.value, '$.key'), length(h.id || '/' || t.policy || '/') + 1),
                           '.tar.zst.age', '') AS name,
                   substr(json_extract(o.value, '$.key'), length(h.id || '/' || t.policy || '/' || t.policy || '-') + 1,
                          16) AS stamp
            FROM json_each(:found) AS o
            JOIN home AS h
            JOIN backup_target AS t ON t.store = :target
            WHERE json_extract(o.value, '$.key')
                  GLOB h.id || '/' || t.policy || '/' || t.policy || '-????????T??????Z-*.tar.zst.age') AS n) AS f
  ON f.policy = t.policy
WHERE t.store = :target
  AND f.name NOT IN (SELECT name FROM backup)
  AND f.taken_at_ms / 1000 > COALESCE((SELECT max(COALESCE(b.taken_at_ms, b.due_at_ms)) FROM backup AS b
                                       WHERE b.policy = t.policy AND b.store = t.store), 0) / 1000
ORDER BY f.taken_at_ms, f.name;

UPDATE backup
SET place = (SELECT p.place FROM object_store_place AS p WHERE p.store = :target)
WHERE store = :target AND place = '' AND state IN ('stored', 'verifying', 'verified');

-- What was stored before the look and is not there, or not whole; or is there again.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'backup', c.policy, c.name, CASE c.is_lost WHEN 1 THEN 'lost' ELSE 'found again' END,
       CASE WHEN c.is_lost = 0     THEN 'in store ' || :target
            WHEN c.found_bytes IS NULL THEN 'it is not in store ' || :target || ' any more'
            ELSE 'it has ' || c.found_bytes || ' bytes in store ' || :target || ', and had ' || c.size_bytes END
FROM (SELECT b.policy, b.name, b.lost, b.size_bytes, json_extract(o.value, '$.size_bytes') AS found_bytes,
             json_extract(o.value, '$.size_bytes') IS NULL
               OR COALESCE(json_extract(o.value, '$.size_bytes') <> b.size_bytes, 0) AS is_lost
      FROM backup AS b
      JOIN object_store_place AS p ON p.store = b.store AND p.place = b.place
      LEFT JOIN json_each(:found) AS o ON json_extract(o.value, '$.key') = b.object
      -- One whose deletion has begun may have gone already.
      WHERE b.store = :target AND b.state IN ('stored', 'verifying', 'verified') AND b.expiring = 0
        AND b.stored_at_ms < :started_at_ms + (SELECT wall_ms - now_ms FROM clock)) AS c
WHERE c.is_lost <> c.lost;

INSERT INTO backup_ping (policy, what, url, since_ms)
SELECT DISTINCT p.name, 'fail', p.ping_fail, :now_ms
FROM backup_policy_now AS p
JOIN event AS e ON e.kind = 'backup' AND e.name = p.name AND e.what = 'lost' AND e.at_ms = :now_ms
WHERE p.ping_fail <> '';

UPDATE backup
SET lost = NOT EXISTS (SELECT 1 FROM json_each(:found) AS o
                       WHERE json_extract(o.value, '$.key') = backup.object
                         AND COALESCE(json_extract(o.value, '$.size_bytes') = backup.size_bytes, 1))
WHERE store = :target AND state IN ('stored', 'verifying', 'verified') AND expiring = 0
  AND place = (SELECT p.place FROM object_store_place AS p WHERE p.store = :target)
  AND stored_at_ms < :started_at_ms + (SELECT wall_ms - now_ms FROM clock);

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'object_store', :target, :target, 'backups found', count(*) || ' that no row spoke of'
FROM backup
WHERE store = :target AND reason = 'found in its store' AND stored_at_ms = (SELECT wall_ms FROM clock)
HAVING count(*) > 0;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'object_store', :target, :target, 'uploads aborted', :aborted || ' that nobody would have finished'
WHERE :aborted > 0;

-- @run object_store.look.failed

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'object_store', h.name, h.target, 'cannot be used', :detail
FROM retry AS h
WHERE h.kind = 'object_store' AND h.target = :target AND h.tries <= 2;

-- @run object_store.forget

DELETE FROM object_store_state WHERE store = :target;
