-- Which secrets a job is given, and how: as files in /run/secrets, as environment, or inside configuration files made
-- from templates. All of it is part of the job's spec; with on_change 'restart' the version is too, so that a new
-- version is rolled out like any other change, under the job's update policy.

-- @desired

CREATE TABLE job_secret (
  job       TEXT NOT NULL REFERENCES job (name) ON DELETE CASCADE ON UPDATE CASCADE,
  path      TEXT NOT NULL                          -- of the secret; database/creds/ROLE: a login made for each instance
            CONSTRAINT "job_secret.path must be a secret's path, such as 'db/prod', without a slash at either end"
            CHECK (path <> '' AND path NOT GLOB '/*' AND path NOT GLOB '*/' AND path NOT GLOB '*//*'),
  key       TEXT NOT NULL DEFAULT '',              -- which value; '': the whole map, as JSON
  "as"      TEXT NOT NULL DEFAULT 'file'
            CONSTRAINT "job_secret.as must be 'file' or 'env'" CHECK ("as" IN ('file', 'env')),
  name      TEXT NOT NULL                          -- of the file in /run/secrets, or of the variable
            CONSTRAINT "job_secret.name must be letters, digits, '.', '_' and '-', and not begin with '.'"
            CHECK (name GLOB '[A-Za-z0-9_]*' AND name NOT GLOB '*[^A-Za-z0-9._-]*' AND length(name) <= 100
                   AND name <> 'rowlock.jwt'),
  mode      TEXT NOT NULL DEFAULT '0444'           -- of the file; nobody but the instance can reach it
            CONSTRAINT "job_secret.mode must be octal digits that let somebody read it, such as '0400' or '444'"
            CHECK ((mode GLOB '0[0-7][0-7][0-7]' OR mode GLOB '[0-7][0-7][0-7]') AND mode GLOB '*[4-7]*'),
  owner     TEXT NOT NULL DEFAULT '0:0'            -- of the file
            CONSTRAINT "job_secret.owner must be numbers, uid:gid, as the container knows them, such as '1000:1000'"
            CHECK (owner GLOB '[0-9]*:*[0-9]' AND owner NOT GLOB '*[^0-9:]*' AND owner NOT GLOB '*:*:*'
                   AND length(owner) <= 21 AND CAST(owner AS INTEGER) < 2147483648
                   AND CAST(substr(owner, instr(owner, ':') + 1) AS INTEGER) < 2147483648),
  -- a new version comes by new instances, by another file and a signal, or by another file alone
  on_change TEXT NOT NULL DEFAULT 'restart'
            CONSTRAINT "job_secret.on_change must be 'restart', 'signal' or 'replace'"
            CHECK (on_change IN ('restart', 'signal', 'replace')),
  signal    TEXT NOT NULL DEFAULT 'SIGHUP'
            CONSTRAINT "job_secret.signal must be SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT, SIGTERM or SIGWINCH"
            CHECK (signal IN ('SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGWINCH')),
  PRIMARY KEY (job, "as", name),
  CONSTRAINT "job_secret with as 'env' needs a key, on_change 'restart', and a name of letters, digits and '_'"
  CHECK ("as" = 'file' OR (key <> '' AND on_change = 'restart' AND name GLOB '[A-Za-z_]*'
                           AND name NOT GLOB '*[^A-Za-z0-9_]*'))
);

-- A configuration file with secrets in it, made anew for every instance. In its text stand
--   {{ secret "path" "key" }}   the value
--   {{ service "job" "port" }}  the healthy addresses of a job's port, as ADDRESS:PORT, with commas between
CREATE TABLE job_template (
  job       TEXT NOT NULL REFERENCES job (name) ON DELETE CASCADE ON UPDATE CASCADE,
  name      TEXT NOT NULL                          -- of the file in /run/secrets
            CONSTRAINT "job_template.name must be letters, digits, '.', '_' and '-', and not begin with '.'"
            CHECK (name GLOB '[A-Za-z0-9_]*' AND name NOT GLOB '*[^A-Za-z0-9._-]*' AND length(name) <= 100
                   AND name <> 'rowlock.jwt'),
  text      TEXT NOT NULL,
  -- what is put in place of {{…}} is escaped so: not at all, for inside a JSON or YAML string in double quotes, for
  -- inside a shell word in single quotes
  escaping  TEXT NOT NULL DEFAULT 'none'
            CONSTRAINT "job_template.escaping must be 'none', 'json' or 'shell'"
            CHECK (escaping IN ('none', 'json', 'shell')),
  mode      TEXT NOT NULL DEFAULT '0444'
            CONSTRAINT "job_template.mode must be octal digits that let somebody read it, such as '0400' or '444'"
            CHECK ((mode GLOB '0[0-7][0-7][0-7]' OR mode GLOB '[0-7][0-7][0-7]') AND mode GLOB '*[4-7]*'),
  owner     TEXT NOT NULL DEFAULT '0:0'
            CONSTRAINT "job_template.owner must be numbers, uid:gid, as the container knows them, such as '1000:1000'"
            CHECK (owner GLOB '[0-9]*:*[0-9]' AND owner NOT GLOB '*[^0-9:]*' AND owner NOT GLOB '*:*:*'
                   AND length(owner) <= 21 AND CAST(owner AS INTEGER) < 2147483648
                   AND CAST(substr(owner, instr(owner, ':') + 1) AS INTEGER) < 2147483648),
  on_change TEXT NOT NULL DEFAULT 'restart'
            CONSTRAINT "job_template.on_change must be 'restart', 'signal' or 'replace'"
            CHECK (on_change IN ('restart', 'signal', 'replace')),
  signal    TEXT NOT NULL DEFAULT 'SIGHUP'
            CONSTRAINT "job_template.signal must be SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT, SIGTERM or SIGWINCH"
            CHECK (signal IN ('SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGWINCH')),
  PRIMARY KEY (job, name)
);

-- @views

-- A template in pieces: what stands before the first {{ (number 0), then each call with the text that follows it.
CREATE VIEW job_template_piece AS
SELECT t.job,
       t.name,
       t.on_change,
       p.key AS number,
       CASE WHEN p.key = 0             THEN NULL
            WHEN instr(p.value, '}}') = 0 THEN '[]'
            WHEN json_valid('["' || replace(replace(trim(substr(p.value, 1, instr(p.value, '}}') - 1)), ' "', '","'),
                                            '""', '"') || ']')
            THEN '["' || replace(replace(trim(substr(p.value, 1, instr(p.value, '}}') - 1)), ' "', '","'), '""', '"')
                 || ']'
            ELSE '[]' END AS call,             -- ["secret","db/prod","password"]; [] when it is none
       CASE WHEN p.key = 0 OR instr(p.value, '}}') = 0 THEN p.value
            ELSE substr(p.value, instr(p.value, '}}') + 2) END AS text
FROM job_template AS t
JOIN json_each('[' || replace(json_quote(t.text), '{{', '","') || ']') AS p;

CREATE VIEW job_template_secret AS
SELECT p.job, p.name, p.on_change, json_extract(p.call, '$[1]') AS path, json_extract(p.call, '$[2]') AS key
FROM job_template_piece AS p
WHERE p.number > 0 AND json_extract(p.call, '$[0]') = 'secret';

-- Which job restarts when the addresses of which other one change.
CREATE VIEW job_template_lookup AS
SELECT DISTINCT p.job, p.name, json_extract(p.call, '$[1]') AS other
FROM job_template_piece AS p
WHERE p.number > 0 AND p.on_change = 'restart' AND json_extract(p.call, '$[0]') = 'service'
  AND json_type(p.call, '$[1]') = 'text';

-- What a job's instances are given, for its spec: `needs` are the versions, `files` how they are shown, `services` what
-- the templates look up.
CREATE VIEW job_secret_spec AS
SELECT j.name AS job,
       (SELECT json_group_array(json_object('path', n.path, 'key', n.key, 'on_change', n.on_change,
                                            'version', n.version))
        FROM (SELECT s.path, s.key, s.on_change,
                     CASE s.on_change WHEN 'restart' THEN (SELECT c.current_version FROM secret AS c
                                                           WHERE c.path = s.path) END AS version
              FROM job_secret AS s WHERE s.job = j.name
              UNION
              SELECT t.path, t.key, t.on_change,
                     CASE t.on_change WHEN 'restart' THEN (SELECT c.current_version FROM secret AS c
                                                           WHERE c.path = t.path) END
              FROM job_template_secret AS t WHERE t.job = j.name
              ORDER BY 1, 2, 3) AS n) AS needs,
       (SELECT json_group_array(json_object('as', s."as", 'name', s.name, 'path', s.path, 'key', s.key, 'mode', s.mode,
                                            'owner', s.owner, 'on_change', s.on_change, 'signal', s.signal))
        FROM (SELECT "as", name, path, key, mode, owner, on_change, signal
              FROM job_secret WHERE job = j.name ORDER BY "as", name) AS s) AS files,
       (SELECT json_group_array(json_object('name', t.name, 'mode', t.mode, 'owner', t.owner, 'escape', t.escaping,
                                            'on_change', t.on_change, 'signal', t.signal, 'pieces',
                  (SELECT json_group_array(json_object('call', json(p.call), 'text', p.text))
                   FROM (SELECT call, text FROM job_template_piece
                         WHERE job = j.name AND name = t.name ORDER BY number) AS p)))
        FROM (SELECT name, mode, owner, escaping, on_change, signal
              FROM job_template WHERE job = j.name ORDER BY name) AS t) AS templates,
       (SELECT json_group_array(json(p.call))
        FROM (SELECT DISTINCT call FROM job_template_piece
              WHERE job = j.name AND number > 0 AND json_extract(call, '$[0]') = 'service'
              ORDER BY call) AS p) AS services
FROM job AS j;

CREATE VIEW job_secret_violation AS
SELECT 'job_secret' AS table_name,
       s.job || '/' || s.name AS row_key,
       'job ' || s.job || ' sets ' || s.name || ' in job_env and in job_secret: delete one of the two rows' AS message
FROM job_secret AS s
JOIN job_env AS e ON e.job = s.job AND e.name = s.name
WHERE s."as" = 'env'
UNION ALL
SELECT 'job_template', t.job || '/' || t.name,
       'job ' || t.job || ' has a file ' || t.name || ' in job_secret and in job_template: give one another name'
FROM job_template AS t
JOIN job_secret AS s ON s.job = t.job AND s."as" = 'file' AND s.name = t.name
UNION ALL
SELECT 'job_template', p.job || '/' || p.name,
       'the template ' || p.name || ' of job ' || p.job || ' has {{' || substr(p.text, 1, 40)
         || ' which is not understood: write {{ secret "path" "key" }} or {{ service "job" "port" }}'
FROM job_template_piece AS p
WHERE p.number > 0
  AND NOT (json_array_length(p.call) = 3 AND json_extract(p.call, '$[0]') IN ('secret', 'service')
           AND json_type(p.call, '$[1]') = 'text' AND json_type(p.call, '$[2]') = 'text')
UNION ALL
SELECT 'job_template', p.job || '/' || p.name,
       'the template ' || p.name || ' of job ' || p.job || ' asks for port ''' || json_extract(p.call, '$[2]')
         || ''' of job ''' || json_extract(p.call, '$[1]') || ''', which has no row in job_port'
FROM job_template_piece AS p
WHERE p.number > 0 AND json_array_length(p.call) = 3 AND json_extract(p.call, '$[0]') = 'service'
  AND NOT EXISTS (SELECT 1 FROM job_port AS o
                  WHERE o.job = json_extract(p.call, '$[1]') AND o.label = json_extract(p.call, '$[2]'))
UNION ALL
-- Each restart gives new addresses, so that a circle of them would never end.
SELECT 'job_template', l.job || '/' || l.name,
       'the template ' || l.name || ' of job ' || l.job || ' looks up job ' || l.other || ', which in the end looks up '
         || l.job || ': with on_change ''restart'' they would restart each other for ever; set it to ''signal'' or '
         || '''replace'' in one of them'
FROM job_template_lookup AS l
WHERE l.job IN (WITH RECURSIVE reached (job) AS (
                  SELECT l.other
                  UNION
                  SELECT n.other FROM reached AS r JOIN job_template_lookup AS n ON n.job = r.job)
                SELECT job FROM reached)
UNION ALL
SELECT 'job_secret', n.job || '/' || n.path,
       'job ' || n.job || ' needs secrets on node ' || d.name || ', which is not this machine (' || d.endpoint
         || '): secrets are given to nodes of this machine alone; add a job_constraint'
FROM (SELECT DISTINCT job, path FROM job_need) AS n
JOIN node AS d ON d.endpoint NOT GLOB 'unix:*' AND d.endpoint <> ''
WHERE NOT EXISTS (SELECT 1 FROM job_constraint AS c
                  WHERE c.job = n.job
                    AND ((c.attribute = 'node' AND (c.value = d.name) = (c.operator = '!='))
                         OR (c.attribute = 'site' AND (c.value = d.site) = (c.operator = '!='))
                         OR (c.attribute = 'arch' AND (c.value = d.arch) = (c.operator = '!='))));

-- @wake

CREATE TEMP TRIGGER wake_policy_insert AFTER INSERT ON policy BEGIN
  INSERT INTO dirty SELECT job FROM job_policy WHERE policy = NEW.name;
END;
CREATE TEMP TRIGGER wake_policy_update AFTER UPDATE ON policy BEGIN
  INSERT INTO dirty SELECT job FROM job_policy WHERE policy = NEW.name;
END;
CREATE TEMP TRIGGER wake_policy_delete AFTER DELETE ON policy BEGIN
  INSERT INTO dirty SELECT job FROM job_policy WHERE policy = OLD.name;
END;
