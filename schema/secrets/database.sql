-- PostgreSQL databases, as an administrator reaches them, and the roles that are made in them for instances. A job asks
-- for one with a row of job_secret whose path is database/creds/ROLE: each instance is then given a login of its own,
-- with the keys username, password and url, that ends with it. What else is on their servers is looked at as well:
-- what no policy backs up is in the view uncovered (backup_status.sql).

-- @kind database
--   of:     database.name database_state.database
--   hold:   sealed away free
--   look:   due later gone
--   retry:  1 s to 1 min

-- @desired

CREATE TABLE database (
  name   TEXT PRIMARY KEY NOT NULL
         CONSTRAINT "database.name must be 1 to 40 of a-z, 0-9 and '-', and begin with a letter or digit"
         CHECK (name GLOB '[a-z0-9]*' AND name NOT GLOB '*[^a-z0-9-]*' AND length(name) <= 40),
  url    TEXT NOT NULL                    -- postgresql://USER@HOST:PORT/DATABASE
         CONSTRAINT "database.url must be like 'postgresql://admin@127.0.0.1:5432/app', without a password"
         CHECK (url GLOB 'postgres*://?*' AND url NOT GLOB '*://*:*@*' AND url NOT GLOB '*[?&]password=*'
                AND url NOT GLOB '*[ "]*'),
  secret TEXT NOT NULL DEFAULT '',        -- the path of the secret with its password; '': none is needed
  key    TEXT NOT NULL DEFAULT 'password' -- the key in that secret
         CONSTRAINT "database.key must name a key of the secret" CHECK (key <> ''),
  job    TEXT NOT NULL DEFAULT '',        -- it runs in this job, whose address stands for HOST:PORT; '': as url says
  port   TEXT NOT NULL DEFAULT ''         -- the label of the job's port; '': any
);

-- How a login for one instance is made and ended. In the statements {{name}}, {{password}} and {{expiration}} are
-- filled in; the password as a SCRAM verifier, so that no log of the server ever shows it.
CREATE TABLE database_role (
  name              TEXT PRIMARY KEY NOT NULL
                    CONSTRAINT "database_role.name must be 1 to 20 of a-z, 0-9 and '_', and begin with a letter"
                    CHECK (name GLOB '[a-z]*' AND name NOT GLOB '*[^a-z0-9_]*' AND length(name) <= 20),
  database          TEXT NOT NULL,
  -- a JSON array
  create_statements TEXT NOT NULL
       DEFAULT '["CREATE ROLE \"{{name}}\" LOGIN PASSWORD ''{{password}}'' VALID UNTIL ''{{expiration}}''"]'
                    CONSTRAINT "database_role.create_statements must be a JSON array of SQL statements"
                    CHECK (json_valid(create_statements) AND json_type(create_statements) = 'array'
                           AND json_array_length(create_statements) > 0),
  drop_statements   TEXT NOT NULL DEFAULT '[]'
                    CONSTRAINT "database_role.drop_statements must be a JSON array of SQL statements"
                    CHECK (json_valid(drop_statements) AND json_type(drop_statements) = 'array'),
  ttl_ms            INTEGER NOT NULL DEFAULT 3600000   -- renewed after half of it, as long as its instance runs
                    CONSTRAINT "database_role.ttl_ms must be a whole number of milliseconds, one minute to 32 days"
                    CHECK (typeof(ttl_ms) = 'integer' AND ttl_ms BETWEEN 60000 AND 2764800000)
);

-- @observed

-- What is known of a database: when it was last looked for logins that nobody wants any more.
CREATE TABLE database_state (
  database    TEXT PRIMARY KEY NOT NULL,
  look_at_ms  INTEGER NOT NULL DEFAULT 0,   -- next look
  seen_at_ms  INTEGER                       -- last look that went well
);

-- The databases of the server that a row names, as it was looked at last.
CREATE TABLE database_seen (
  database   TEXT NOT NULL,      -- the row of database
  name       TEXT NOT NULL,      -- what the server calls it
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY (database, name)
);

-- @views

CREATE VIEW database_violation AS
SELECT 'database_role' AS table_name,
       r.name AS row_key,
       'database_role ' || r.name || ' is for database ''' || r.database || ''', which has no row: INSERT INTO database'
         AS message
FROM database_role AS r
WHERE r.database NOT IN (SELECT name FROM database)
UNION ALL
SELECT 'database_role', r.name, 'the statements of database_role ' || r.name || ' must be strings'
FROM database_role AS r
WHERE EXISTS (SELECT 1 FROM json_each(r.create_statements) AS c WHERE c.type <> 'text')
   OR EXISTS (SELECT 1 FROM json_each(r.drop_statements) AS c WHERE c.type <> 'text')
UNION ALL
SELECT 'database', d.name,
       'database ' || d.name || ' runs in job ''' || d.job || ''', which has no such row or port: see job and job_port'
FROM database AS d
WHERE d.job <> '' AND NOT EXISTS (SELECT 1 FROM job_port AS p
                                  WHERE p.job = d.job AND (d.port = '' OR p.label = d.port))
UNION ALL
SELECT 'job_secret', s.job || '/' || s.name,
       'job ' || s.job || ' asks for ' || s.path || ', and there is no such row in database_role'
FROM job_secret AS s
WHERE s.path GLOB 'database/creds/*' AND substr(s.path, 16) NOT IN (SELECT name FROM database_role);

-- Where each database is reached now. NULL: it runs in a job, of which nothing is healthy.
CREATE VIEW database_address AS
SELECT d.name,
       CASE d.job WHEN '' THEN d.url
                  ELSE substr(d.url, 1, d.head) || (SELECT v.address || ':' || v.port
                                                    FROM service AS v
                                                    WHERE v.job = d.job AND (d.port = '' OR v.port_label = d.port)
                                                    ORDER BY v.instance, v.port_label
                                                    LIMIT 1)
                       || substr(substr(d.url, d.head + 1), instr(substr(d.url, d.head + 1) || '/', '/')) END AS url
FROM (SELECT name, url, job, port, max(instr(url, '://') + 2, instr(url, '@')) AS head FROM database) AS d;

-- What is due for each database: a look at the roles there.
CREATE VIEW database_fact AS
SELECT d.name,
       d.name AS target,
       s.look_at_ms AS due_at_ms,
       CASE WHEN d.secret <> '' AND e.state IS NOT 'open'                                THEN 'sealed'
            WHEN (SELECT c.url FROM database_address AS c WHERE c.name = d.name) IS NULL THEN 'away'
            ELSE                                                                              'free' END AS hold,
       CASE WHEN s.look_at_ms > (SELECT now_ms FROM clock)
              -- A clock that was set back must not make Rowlock blind.
              AND s.look_at_ms <= (SELECT now_ms FROM clock) + 300000 THEN 'later'
            ELSE                                                           'due' END AS look
FROM database AS d
LEFT JOIN database_state AS s ON s.database = d.name
LEFT JOIN seal AS e
UNION ALL
SELECT s.database, s.database, NULL, 'free', 'gone'
FROM database_state AS s
WHERE s.database NOT IN (SELECT name FROM database);

-- '*' stands for every value.
CREATE VIEW database_rule (hold, look, step, reason) AS VALUES
  ('sealed', 'due',   'wait',   'the secret store is sealed: rowlock secret unseal'),
  ('sealed', 'later', 'wait',   'the secret store is sealed: rowlock secret unseal'),
  ('away',   'due',   'wait',   'no instance of its job is healthy'),
  ('away',   'later', 'wait',   'no instance of its job is healthy'),
  ('free',   'due',   'sweep',  'it may hold logins that nobody wants any more'),
  ('free',   'later', 'wait',   'looks for logins that nobody wants every five minutes'),
  ('*',      'gone',  'forget', 'the row was deleted');

CREATE VIEW database_input AS
SELECT d.name AS target,
       (SELECT c.url FROM database_address AS c WHERE c.name = d.name) AS url,
       d.secret,
       d.key,
       'rl_' || (SELECT id FROM home) || '_' AS prefix
FROM database AS d;

CREATE VIEW database_status AS
SELECT 'database' AS kind,
       d.name,
       CASE WHEN d.secret <> '' AND e.state IS NOT 'open' THEN 'waiting'
            WHEN h.detail IS NOT NULL    THEN 'failed'
            WHEN s.seen_at_ms IS NULL    THEN 'converging'
            ELSE                              'converged' END AS state,
       CASE WHEN d.secret <> '' AND e.state IS 'sealed' THEN 'the secret store is sealed: rowlock secret unseal'
            WHEN d.secret <> '' AND e.state IS NOT 'open' THEN 'there is no secret store yet: rowlock secret init'
            WHEN h.detail IS NOT NULL    THEN h.detail
            WHEN s.seen_at_ms IS NULL    THEN 'not looked at yet'
            ELSE (SELECT count(*) FROM database_login AS l WHERE l.database = d.name AND l.state = 'made')
                 || ' logins of instances' END AS detail,
       COALESCE(s.seen_at_ms, (SELECT now_ms FROM clock)) AS since_ms
FROM database AS d
LEFT JOIN database_state AS s ON s.database = d.name
LEFT JOIN retry AS h ON h.kind = 'database' AND h.target = d.name
LEFT JOIN seal AS e;

CREATE VIEW database_why AS
SELECT 'database' AS kind, h.name, h.target,
       'the logins at database ' || h.target || ' cannot be looked after: ' || h.detail AS reason,
       h.since_ms
FROM retry AS h
WHERE h.kind = 'database' AND h.target IN (SELECT name FROM database);

-- @wake

CREATE TEMP TRIGGER wake_database_update AFTER UPDATE ON database BEGIN
  INSERT INTO dirty SELECT job FROM database_login WHERE database = NEW.name;
  INSERT INTO dirty SELECT name FROM backup_policy WHERE NEW.name IN (database, verify_database);
END;
-- With another password, what was rejected may go well.
CREATE TEMP TRIGGER wake_database_secret_insert AFTER INSERT ON secret BEGIN
  INSERT INTO dirty SELECT name FROM database WHERE secret = NEW.path;
  INSERT INTO dirty SELECT l.job FROM database_login AS l JOIN database AS d ON d.name = l.database
  WHERE d.secret = NEW.path;
END;
CREATE TEMP TRIGGER wake_database_secret_update AFTER UPDATE OF current_version ON secret BEGIN
  INSERT INTO dirty SELECT name FROM database WHERE secret = NEW.path;
  INSERT INTO dirty SELECT l.job FROM database_login AS l JOIN database AS d ON d.name = l.database
  WHERE d.secret = NEW.path;
END;
CREATE TEMP TRIGGER wake_database_seal AFTER UPDATE OF state ON seal WHEN NEW.state <> OLD.state BEGIN
  INSERT INTO dirty SELECT name FROM database;
  INSERT INTO dirty SELECT job FROM database_login;
END;
CREATE TEMP TRIGGER wake_database_opened AFTER INSERT ON seal BEGIN INSERT INTO dirty SELECT name FROM database; END;

-- @begin

UPDATE database_state SET look_at_ms = 0;

-- @run database.sweep

INSERT OR IGNORE INTO database_state (database) VALUES (:target);

-- @run database.sweep.done

-- A role that no row speaks of becomes a login of no instance: nobody wants it, so it is dropped. A row is there before
-- its role is made, so none that is being made is among them.
INSERT INTO database_login (target, instance, role, job, holder, database, username, state, url, secret, key, since_ms)
SELECT '0/' || n.value, 0, n.value, d.name, '', d.name, n.value, 'begun', d.url, d.secret, d.key, :now_ms
FROM json_each(:names) AS n
JOIN database AS d ON d.name = :target
WHERE n.value NOT IN (SELECT username FROM database_login);

-- What a run of this home was restored into, and no run that is under way: of a row that is gone, or of a home that
-- was recovered as it was before. An older Rowlock's are known by the rows that say so: others may have the same names.
INSERT OR IGNORE INTO scratch_database (target, database, name, backup, restore)
SELECT :target || '/' || n.name, :target, n.name, n.backup, n.restore
FROM (SELECT d.name,
             CASE WHEN d.name = h.verify || CAST(substr(d.name, length(h.verify) + 1) AS INTEGER)
                    THEN CAST(substr(d.name, length(h.verify) + 1) AS INTEGER)
                  ELSE (SELECT b.id FROM backup AS b
                        WHERE b.id = CAST(substr(d.name, length('rowlock_verify_') + 1) AS INTEGER)
                          AND b.scratch = d.name) END AS backup,
             CASE WHEN d.name GLOB h.restore || '[a-z0-9]*'
                    THEN replace(substr(d.name, length(h.restore) + 1), '_', '-')
                  ELSE (SELECT u.restore FROM restore_run AS u
                        WHERE u.restore = replace(substr(d.name, length('rowlock_restore_') + 1), '_', '-')
                          AND u.scratch = d.name) END AS restore
      FROM (SELECT json_extract(value, '$.name') AS name FROM json_each(:databases)) AS d
      JOIN (SELECT 'rowlock_' || id || '_verify_' AS verify, 'rowlock_' || id || '_restore_' AS restore
            FROM home) AS h) AS n
WHERE COALESCE(n.backup, n.restore) NOT NULL
  AND NOT EXISTS (SELECT 1 FROM backup AS b WHERE b.id = n.backup AND b.state = 'verifying')
  AND NOT EXISTS (SELECT 1 FROM restore_run AS u
                  WHERE u.restore = n.restore AND u.scratch = n.name
                    AND u.state IN ('chosen', 'restored', 'discarding'));

DELETE FROM database_seen WHERE database = :target;
INSERT INTO database_seen (database, name, size_bytes)
SELECT :target, json_extract(value, '$.name'), json_extract(value, '$.size_bytes') FROM json_each(:databases);

UPDATE database_state
SET seen_at_ms = :now_ms, look_at_ms = :now_ms + 300000
WHERE database = :target;

-- @run database.forget

DELETE FROM scratch_database WHERE database = :target;
DELETE FROM database_seen WHERE database = :target;
DELETE FROM database_state WHERE database = :target;
