-- What the verbs that look (controller/cli/look) ask of jobs and their instances; schema/kernel/cli.sql says how.

-- @run cli.why_instances

SELECT id,
       CASE run WHEN 1 THEN container ELSE COALESCE(verdict, container) END AS state,
       node,
       exit_code,
       reason,
       since_ms + (SELECT wall_ms - now_ms FROM clock) AS since_ms
FROM instance
WHERE job = :name
ORDER BY run DESC, id DESC;

-- @run cli.why_failed

-- The last instance that failed, with its log.
SELECT name, exit_code, reason, log, ended_at_ms + (SELECT wall_ms - now_ms FROM clock) AS ended_at_ms
FROM instance
WHERE job = :name AND verdict = 'failed'
ORDER BY id DESC
LIMIT 1;

-- @run cli.why_checks

SELECT i.id AS instance,
       c.name AS "check",
       COALESCE(s.passes, 0) AS passed,
       c.passes AS needed,
       COALESCE(s.failures, 0) AS failed,
       COALESCE(s.detail, '') AS detail,
       COALESCE(s.since_ms, i.since_ms) + (SELECT wall_ms - now_ms FROM clock) AS since_ms
FROM instance AS i
JOIN job_check AS c ON c.job = i.job
LEFT JOIN check_state AS s ON s.instance = i.id AND s.name = c.name
WHERE i.job = :name AND i.run = 1
ORDER BY i.id, c.name;

-- @run cli.wait_deploying

-- Jobs whose failure is of the past: a new deployment is due.
SELECT name FROM plan WHERE kind = 'job' AND step = 'deploy' ORDER BY name;
