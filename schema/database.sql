-- PostgreSQL databases, as an administrator reaches them, and the roles that are made in them for instances. A job asks
-- for one with a row of job_secret whose path is database/creds/ROLE: each instance is then given a login of its own,
-- with the keys username, password and url, that ends with it.

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
         CONSTRAINT "database.key must name a key of the secret" CHECK (key <> '')
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
SELECT 'job_secret', s.job || '/' || s.name,
       'job ' || s.job || ' asks for ' || s.path || ', and there is no such row in database_role'
FROM job_secret AS s
WHERE s.path GLOB 'database/creds/*' AND substr(s.path, 16) NOT IN (SELECT name FROM database_role);
