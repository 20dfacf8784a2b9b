-- What an instance needs to be given, whether it may have it, and what is missing; delivery.sql makes its
-- facts of it.

-- @views

-- The versions that an instance should hold and does: by its spec, or the current one where a new version needs no new
-- instance. A login at a database (database/creds/ROLE) has no version but its own number.
CREATE VIEW delivery_need AS
SELECT i.id AS instance,
       i.job,
       json_extract(n.value, '$.path')      AS path,
       json_extract(n.value, '$.key')       AS key,
       json_extract(n.value, '$.on_change') AS on_change,
       COALESCE(json_extract(n.value, '$.version'),
                (SELECT c.current_version FROM secret AS c WHERE c.path = json_extract(n.value, '$.path'))) AS wanted,
       (SELECT u.version FROM secret_use AS u
        WHERE u.instance = i.id AND u.path = json_extract(n.value, '$.path') AND u.until_ms IS NULL
        ORDER BY u.since_ms DESC, u.version DESC LIMIT 1) AS held
FROM instance AS i
JOIN spec AS s ON s.id = i.spec
JOIN json_each(s.body, '$.secrets.needs') AS n;

-- The pattern of its job's policies that decides over each of them; the same rules as policy.capabilities has.
CREATE VIEW delivery_grant AS
SELECT n.instance,
       n.job,
       n.path,
       (SELECT best.path
        FROM job_policy AS j
        JOIN policy_pattern AS best ON best.policy = j.policy
        WHERE j.job = n.job
          AND CASE WHEN best.pluses = 0 AND best.is_prefix THEN substr(n.path, 1, length(best.fixed)) = best.fixed
                   WHEN best.pluses = 0                    THEN n.path = best.path
                   ELSE (best.part_count = length(n.path) - length(replace(n.path, '/', '')) + 1
                         OR (best.is_prefix
                             AND best.part_count < length(n.path) - length(replace(n.path, '/', '')) + 1))
                        AND NOT EXISTS (
                          SELECT 1
                          FROM json_each(best.parts) AS want
                          JOIN json_each('[' || replace(json_quote(n.path), '/', '","') || ']') AS got
                            ON got.key = want.key
                          WHERE want.value <> '+'
                            AND CASE WHEN best.is_prefix AND want.key = best.part_count - 1
                                     THEN substr(got.value, 1, length(want.value)) <> want.value
                                     ELSE got.value <> want.value END) END
        ORDER BY best.wild_at DESC, best.is_prefix, best.pluses, length(best.path) DESC, best.path DESC
        LIMIT 1) AS pattern
FROM delivery_need AS n;

-- What of all that an instance needs is not there, as a sentence; no row when nothing is missing. Apart from what is
-- forbidden, since a view of both would be read as a whole for each instance.
CREATE VIEW delivery_lack AS
SELECT o.instance, o.job, o.path, o.obstacle
FROM (SELECT n.instance, n.job, n.path,
             CASE WHEN n.path GLOB 'database/creds/*'
                  THEN CASE WHEN NOT EXISTS (SELECT 1 FROM database_role AS r
                                             WHERE 'database/creds/' || r.name = n.path)
                            THEN 'there is no database_role for ' || n.path || ': INSERT INTO database_role'
                            WHEN NOT EXISTS (SELECT 1 FROM database_login AS l
                                             WHERE l.instance = n.instance AND 'database/creds/' || l.role = n.path
                                               AND l.state = 'made')
                            THEN 'its login ' || n.path || ' is not made yet' END
                  WHEN NOT EXISTS (SELECT 1 FROM secret AS c WHERE c.path = n.path)
                  THEN 'secret ' || n.path || ' does not exist: rowlock secret put ' || n.path
                  WHEN n.wanted IS NULL OR n.wanted = 0
                  THEN 'secret ' || n.path || ' has no version: rowlock secret put ' || n.path
                  WHEN NOT EXISTS (SELECT 1 FROM secret_version AS v
                                   WHERE v.path = n.path AND v.version = n.wanted AND v.destroyed = 0)
                  THEN 'version ' || n.wanted || ' of secret ' || n.path || ' is destroyed: rowlock secret put '
                       || n.path
                  WHEN (SELECT v.deleted_at_ms <= (SELECT now_ms FROM clock) FROM secret_version AS v
                        WHERE v.path = n.path AND v.version = n.wanted)
                  THEN 'version ' || n.wanted || ' of secret ' || n.path
                       || ' is deleted: rowlock secret undelete or put ' || n.path
                  WHEN n.key <> ''
                       AND NOT EXISTS (SELECT 1 FROM secret_version AS v JOIN json_each(v.keys) AS k
                                       WHERE v.path = n.path AND v.version = n.wanted AND k.value = n.key)
                  THEN 'secret ' || n.path || ' has no key ''' || n.key || ''' in version ' || n.wanted || ': it has '
                       || COALESCE((SELECT group_concat(k.value, ', ') FROM secret_version AS v
                                    JOIN json_each(v.keys) AS k
                                    WHERE v.path = n.path AND v.version = n.wanted), 'none') END AS obstacle
      FROM delivery_need AS n) AS o
WHERE o.obstacle IS NOT NULL;

-- What it needs and may not read.
CREATE VIEW delivery_ban AS
SELECT g.instance, g.job, g.path,
       CASE WHEN EXISTS (SELECT 1 FROM rights_doubt AS d WHERE d.of = 'policies')
            THEN (SELECT d.detail FROM rights_doubt AS d WHERE d.of = 'policies')
            WHEN g.pattern IS NULL
            THEN 'no policy of job ' || g.job || ' allows it to read ' || g.path
                 || ': INSERT INTO policy (name, path) VALUES (''' || g.job || ''', ''' || g.path
                 || '''); INSERT INTO job_policy (job, policy) VALUES (''' || g.job || ''', ''' || g.job || ''')'
            ELSE 'the policies of job ' || g.job || ' do not allow it to read ' || g.path || ': what they say of '
                 || g.pattern || ' decides' END AS obstacle
FROM delivery_grant AS g
WHERE g.pattern IS NULL
   OR NOT EXISTS (SELECT 1 FROM job_policy AS j JOIN policy AS p ON p.name = j.policy
                  WHERE j.job = g.job AND p.path = g.pattern
                    AND instr(',' || replace(p.capabilities, ' ', '') || ',', ',read,') > 0)
   OR EXISTS (SELECT 1 FROM job_policy AS j JOIN policy AS p ON p.name = j.policy
              WHERE j.job = g.job AND p.path = g.pattern
                AND instr(',' || replace(p.capabilities, ' ', '') || ',', ',deny,') > 0)
   OR EXISTS (SELECT 1 FROM rights_doubt AS d WHERE d.of = 'policies');

-- The addresses that an instance's templates look up, as they are now: [["job","port","ADDRESS:PORT,…"], …].
CREATE VIEW delivery_service AS
SELECT i.id AS instance,
       (SELECT json_group_array(json_array(json_extract(c.value, '$[1]'), json_extract(c.value, '$[2]'),
                 COALESCE((SELECT group_concat(a.address || ':' || a.port, ',')
                           FROM (SELECT address, port FROM service
                                 WHERE job = json_extract(c.value, '$[1]')
                                   AND port_label = json_extract(c.value, '$[2]')
                                 ORDER BY address, port) AS a), '')))
        FROM json_each(s.body, '$.secrets.services') AS c) AS services
FROM instance AS i
JOIN spec AS s ON s.id = i.spec;

-- Every address in an instance's files that is another one now. `is_settled`: the job that it is of has come to rest,
-- or nothing of what the file says answers any more, and there is something better to say. One that makes way for
-- another is told nothing more.
CREATE VIEW delivery_move AS
SELECT i.id AS instance,
       i.job,
       json_extract(t.value, '$.name')      AS file,
       json_extract(t.value, '$.on_change') AS on_change,
       json_extract(w.value, '$[2]') <> ''
         AND (EXISTS (SELECT 1 FROM job AS j
                      JOIN deployment AS o ON o.job = j.name AND o.current = 1
                      WHERE j.name = json_extract(w.value, '$[0]')
                        AND o.state <> 'running'
                        AND j.count <= (SELECT count(*) FROM instance AS e
                                        WHERE e.job = j.name AND e.run = 1 AND e.spec = o.spec
                                          AND e.container = 'running' AND e.healthy_at_ms IS NOT NULL)
                        AND NOT EXISTS (SELECT 1 FROM instance AS e
                                        WHERE e.job = j.name AND e.run = 1 AND e.spec <> o.spec)
                        AND NOT EXISTS (SELECT 1 FROM instance AS e
                                        WHERE e.job = j.name AND e.run = 0 AND e.container IN ('running', 'paused')))
              OR NOT EXISTS (SELECT 1 FROM service AS a
                             WHERE a.job = json_extract(w.value, '$[0]')
                               AND a.port_label = json_extract(w.value, '$[1]')
                               AND instr(',' || json_extract(h.value, '$[2]') || ',',
                                         ',' || a.address || ':' || a.port || ',') > 0)) AS is_settled
FROM instance AS i
JOIN spec AS s ON s.id = i.spec
JOIN delivery AS d ON d.instance = i.id
JOIN delivery_service AS v ON v.instance = i.id
JOIN json_each(s.body, '$.secrets.templates') AS t
JOIN json_each(t.value, '$.pieces') AS p
JOIN json_each(v.services) AS w ON json_extract(w.value, '$[0]') = json_extract(p.value, '$.call[1]')
                               AND json_extract(w.value, '$[1]') = json_extract(p.value, '$.call[2]')
LEFT JOIN json_each(d.services) AS h ON json_extract(h.value, '$[0]') = json_extract(w.value, '$[0]')
                                    AND json_extract(h.value, '$[1]') = json_extract(w.value, '$[1]')
WHERE json_extract(p.value, '$.call[0]') = 'service'
  AND json_extract(h.value, '$[2]') IS NOT json_extract(w.value, '$[2]')
  AND json_extract(s.body, '$.secrets.outdated') IS NULL;
