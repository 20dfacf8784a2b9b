-- What the verbs that look (controller/cli/look, controller/cli/secrets) ask of state.db. What a script selects is what
-- is shown, in this order and under these names, moments by the wall clock as it is now; -- @run cli.NAME is asked by
-- the verb that begins its name, or by several. What is asked of one kind alone stands in the kind's own file.

-- @run cli.seen_at

-- When the controller last wrote, by the wall clock.
SELECT wall_ms FROM clock;

-- @run cli.revision

-- The last accepted one; 0: none yet.
SELECT COALESCE(max(id), 0) FROM revision;

-- @run cli.status

SELECT kind, name, state, detail, since_ms + (SELECT wall_ms - now_ms FROM clock) AS since_ms
FROM status
ORDER BY kind, name;

-- @run cli.status_refused

SELECT message FROM violation ORDER BY table_name, row_key, message LIMIT 5;

-- @run cli.plan

SELECT kind, name, target, step, reason, due_at_ms + (SELECT wall_ms - now_ms FROM clock) AS due_at_ms
FROM plan
ORDER BY step = 'wait', kind, name, target;

-- @run cli.plan_count

-- Steps that only look at the world or wait change nothing in it.
SELECT count(*) FROM plan WHERE step NOT IN ('wait', 'look', 'observe');

-- @run cli.events_last

SELECT id, at_ms, kind, name, target, what, detail
FROM (SELECT id, at_ms, kind, name, target, what, detail FROM event ORDER BY id DESC LIMIT :most)
ORDER BY id;

-- @run cli.events_since

SELECT id, at_ms, kind, name, target, what, detail FROM event WHERE id > :last ORDER BY id;

-- @run cli.events_newest

SELECT COALESCE(max(id), 0) FROM event;

-- @run cli.refusals

SELECT message FROM refusal ORDER BY table_name, row_key, message;

-- @run cli.wait_names

-- Whatever there is or ever was: what was deleted can be waited for, too.
SELECT json_extract(row_key, '$[0]') AS name FROM change WHERE table_name IN (SELECT table_name FROM naming)
UNION
SELECT name FROM status
ORDER BY name;

-- @run cli.wait_status

SELECT kind, name, state, detail, since_ms + (SELECT wall_ms - now_ms FROM clock) AS since_ms
FROM status
WHERE (:name = '' OR name = :name) AND kind NOT IN ('desired', 'state')
ORDER BY kind, name;

-- @run cli.wait_moment

SELECT wall_ms, (SELECT COALESCE(max(id), 0) FROM revision) AS revision FROM clock;

-- @run cli.wait_telling

-- What tells each second how far it is.
SELECT kind || '/' || name FROM progress ORDER BY kind, name;

-- @run cli.why_names

SELECT name FROM status
UNION
SELECT name FROM planned_name
UNION
SELECT name FROM why
UNION
SELECT 'desired.db'
ORDER BY name;

-- @run cli.why_status

SELECT kind, name, state, detail, since_ms + (SELECT wall_ms - now_ms FROM clock) AS since_ms
FROM status
WHERE name = :name
ORDER BY kind;

-- @run cli.why_reasons

-- A refused edit is in the way of everything that is waited for.
SELECT kind, name, target, reason, since_ms + (SELECT wall_ms - now_ms FROM clock) AS since_ms
FROM why
WHERE name IN (:name, 'desired.db')
ORDER BY name <> :name, since_ms, target, reason;

-- @run cli.why_attempts

-- The last ones that failed.
SELECT kind, target, step, outcome, detail, finished_at_ms + (SELECT wall_ms - now_ms FROM clock) AS finished_at_ms
FROM attempt
WHERE name = :name AND finished_at_ms IS NOT NULL AND outcome <> 'done'
ORDER BY id DESC
LIMIT :most;

-- @run cli.doctor_refused

SELECT EXISTS (SELECT 1 FROM refusal);
