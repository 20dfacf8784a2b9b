-- Who may read which secrets: policies name paths and capabilities, jobs are given policies. Denied unless a policy
-- allows it. Paths are those of secrets ("db/prod"), for values and metadata alike; a pattern is
--
--   db/prod      that path          db/*   every path that begins with "db/"
--   db/+/read    '+' is one part    db/+/* both
--
-- Of all patterns of an asker's policies that match, the most special one decides alone: the one whose first '+' or '*'
-- is furthest to the right; then one that does not end in '*'; then the one with fewer '+'; then the longer; then the
-- later in the alphabet. What several policies say about that same pattern is added up, and deny wins.

-- @desired

CREATE TABLE policy (
  name         TEXT NOT NULL
               CONSTRAINT "policy.name must be 1 to 60 of a-z, 0-9, '-', '_' and '/', and begin with a letter or digit"
               CHECK (name GLOB '[a-z0-9]*' AND name NOT GLOB '*[^a-z0-9/_-]*' AND length(name) <= 60),
  path         TEXT NOT NULL                   -- a pattern of paths, as above
               CONSTRAINT "policy.path must be like 'db/prod', 'db/*' or 'db/+/x': '*' at its end, '+' a whole part"
               CHECK (path <> '' AND path NOT GLOB '/*' AND path NOT GLOB '*//*' AND path NOT GLOB '*[*]?*'
                      AND path NOT GLOB '*+[^/]*' AND path NOT GLOB '*[^/]+*' AND length(path) <= 512),
  capabilities TEXT NOT NULL DEFAULT 'read'    -- a comma list of create, read, update, patch, delete, list, deny
               CONSTRAINT "policy.capabilities must be a comma list of create, read, update, patch, delete, list, deny"
               CHECK (capabilities <> ''
                      AND replace(replace(replace(replace(replace(replace(replace(
                            ',,' || replace(replace(capabilities, ' ', ''), ',', ',,') || ',,',
                            ',create,', ''), ',read,', ''), ',update,', ''), ',patch,', ''), ',delete,', ''),
                            ',list,', ''), ',deny,', '') = ',,'),
  PRIMARY KEY (name, path),
  CONSTRAINT "policy.path names a secret, not an address of the HTTP interface: leave 'secret/data/' out"
  CHECK (path NOT GLOB 'secret/data/*' AND path NOT GLOB 'secret/metadata/*')
);

CREATE TABLE job_policy (
  job    TEXT NOT NULL REFERENCES job (name) ON DELETE CASCADE ON UPDATE CASCADE,
  policy TEXT NOT NULL,
  PRIMARY KEY (job, policy)
);

-- @views

-- Every pattern, taken apart for matching and ranking.
CREATE VIEW policy_pattern AS
SELECT p.name AS policy,
       p.path,
       p.capabilities,
       p.path GLOB '*[*]'                                                        AS is_prefix,
       length(p.path) - length(replace(p.path, '+', ''))                         AS pluses,
       rtrim(p.path, '*')                                                        AS fixed,
       '[' || replace(json_quote(rtrim(p.path, '*')), '/', '","') || ']'         AS parts,
       length(p.path) - length(replace(p.path, '/', '')) + 1                     AS part_count,
       min(CASE WHEN p.path GLOB '*[*]' THEN length(p.path) ELSE 100000 END,
           CASE instr(p.path, '+') WHEN 0 THEN 100000 ELSE instr(p.path, '+') END) AS wild_at
FROM policy AS p;

CREATE VIEW policy_violation AS
SELECT 'job_policy' AS table_name,
       g.job || '/' || g.policy AS row_key,
       'job_policy gives ' || g.job || ' the policy ''' || g.policy || ''', which has no row: INSERT INTO policy first'
         AS message
FROM job_policy AS g
WHERE g.policy NOT IN (SELECT name FROM policy);

-- @run policy.capabilities

-- What the policies in the JSON array :policies say of :path, by the pattern that decides; no row when none matches.
SELECT p.path AS pattern, group_concat(replace(p.capabilities, ' ', ''), ',') AS capabilities
FROM policy_pattern AS p
WHERE p.policy IN (SELECT value FROM json_each(:policies))
  AND p.path = (SELECT best.path
                FROM policy_pattern AS best
                WHERE best.policy IN (SELECT value FROM json_each(:policies))
                  AND CASE WHEN best.pluses = 0 AND best.is_prefix
                           THEN substr(:path, 1, length(best.fixed)) = best.fixed
                           WHEN best.pluses = 0                    THEN :path = best.path
                           ELSE (best.part_count = length(:path) - length(replace(:path, '/', '')) + 1
                                 OR (best.is_prefix
                                     AND best.part_count < length(:path) - length(replace(:path, '/', '')) + 1))
                                AND NOT EXISTS (
                                  SELECT 1
                                  FROM json_each(best.parts) AS want
                                  JOIN json_each('[' || replace(json_quote(:path), '/', '","') || ']') AS got
                                    ON got.key = want.key
                                  WHERE want.value <> '+'
                                    AND CASE WHEN best.is_prefix AND want.key = best.part_count - 1
                                             THEN substr(got.value, 1, length(want.value)) <> want.value
                                             ELSE got.value <> want.value END) END
                ORDER BY best.wild_at DESC, best.is_prefix, best.pluses, length(best.path) DESC, best.path DESC
                LIMIT 1)
GROUP BY p.path;
