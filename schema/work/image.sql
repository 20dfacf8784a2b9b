-- What runs is named so that it can be nothing else: a tag is looked up once, when the first instance of a spec is
-- made, and what it stood for is written beside the spec (spec.image). Every instance of it is made from that, on every
-- node and however late; a revert goes back to it. Then the tag is looked up now and then: one that was moved is said,
-- and rolled out where job.on_tag_moved asks for it.
--
--   pull      the registry is asked                      and when it does not answer well
--   missing   unless the image was built on the node     what the node has, or else it is asked again
--   always    yes                                        it is asked again
--   never     no: what the node has                      rejected

-- @kind tag
--   of:     job.name image_tag.job deployment.job
--   hold:   blind free
--   tag:    fixed new later due moved gone
--   retry:  1 min to 1 h
--   looks:  look

-- @desired

-- How a registry is asked. Without a row, as the docker command line would on this machine.
CREATE TABLE registry (
  host   TEXT PRIMARY KEY NOT NULL      -- as names of images begin; docker.io for those that name none
         CONSTRAINT "registry.host must be like 'registry.example.org', 'registry.example.org:5000' or 'docker.io'"
         CHECK (host GLOB '[a-zA-Z0-9]*' AND host NOT GLOB '*[^a-zA-Z0-9.:-]*'),
  -- asked before it, and the registry itself when the mirror does not answer well; '': none
  mirror TEXT NOT NULL DEFAULT ''
         CONSTRAINT "registry.mirror must be like 'mirror.example.org:5000/hub', without https://, or empty"
         CHECK (mirror = '' OR (mirror GLOB '[a-zA-Z0-9]*' AND mirror NOT GLOB '*[^a-zA-Z0-9._:/-]*'
                                AND mirror NOT GLOB '*://*' AND mirror NOT GLOB '*/')),
  secret TEXT NOT NULL DEFAULT ''       -- path of the secret with username and password
);

-- @observed

-- What a job's tag stood for when it was looked up last. Goes away with the job.
CREATE TABLE image_tag (
  job          TEXT PRIMARY KEY NOT NULL,
  reference    TEXT NOT NULL,               -- job.image as it was rolled out last
  image        TEXT NOT NULL DEFAULT '',    -- what it stood for; '': not looked up yet
  looked_at_ms INTEGER,                     -- the last time it could be looked up
  look_at_ms   INTEGER NOT NULL,            -- the next time
  detail       TEXT NOT NULL DEFAULT ''     -- why it could not be looked up the last time
);

-- @views

-- What each spec is made from, and how its registry is asked.
CREATE VIEW spec_image AS
SELECT h.spec, h.job, h.reference, h.image,
       COALESCE((SELECT r.mirror FROM registry AS r WHERE r.host = h.host), '') AS mirror,
       COALESCE((SELECT r.secret FROM registry AS r WHERE r.host = h.host), '') AS registry_secret
FROM (SELECT s.spec, s.job, s.reference, s.image,
             CASE WHEN s.first = 'index.docker.io' THEN 'docker.io'
                  WHEN s.first GLOB '*[.:]*' OR s.first = 'localhost' THEN s.first
                  ELSE 'docker.io' END AS host
      FROM (SELECT id AS spec,
                   job,
                   image,
                   json_extract(body, '$.image') AS reference,
                   -- What stands before the first slash, if it looks like a host.
                   rtrim(substr(json_extract(body, '$.image'), 1, instr(json_extract(body, '$.image'), '/')), '/')
                     AS first
            FROM spec) AS s) AS h;

-- What each job runs, and what its tag stands for.
CREATE VIEW job_image AS
SELECT d.job,
       a.reference,
       r.image AS runs,
       a.image AS asked,                    -- another one than it runs after a revert
       CASE t.reference WHEN a.reference THEN t.image ELSE '' END AS tag,
       t.reference = a.reference AND t.image <> '' AND a.image <> '' AND t.image <> a.image AS moved,
       d.state = 'running' AS is_rolling,
       t.reference IS a.reference AS is_known,
       t.looked_at_ms,
       t.look_at_ms,
       t.detail
FROM deployment AS d
JOIN spec_image AS a ON a.spec = d.asked
JOIN spec_image AS r ON r.spec = d.spec
LEFT JOIN image_tag AS t ON t.job = d.job
WHERE d.current = 1;

CREATE VIEW tag_fact AS
SELECT g.job AS name,
       g.job AS target,
       CASE WHEN EXISTS (SELECT 1 FROM node_state AS n WHERE n.reach = 'reached') THEN 'free' ELSE 'blind' END AS hold,
       CASE WHEN g.asked = '' OR instr(g.reference, '@')                          THEN 'fixed'
            WHEN NOT g.is_known                                                   THEN 'new'
            -- One roll-out after the other.
            WHEN g.moved AND j.on_tag_moved = 'deploy' AND NOT g.is_rolling       THEN 'moved'
            WHEN g.look_at_ms <= (SELECT now_ms FROM clock)                       THEN 'due'
            -- It was asked for more often since.
            WHEN g.look_at_ms > (SELECT now_ms FROM clock) + 2 * j.tag_look_ms    THEN 'due'
            ELSE                                                                       'later' END AS tag,
       g.look_at_ms AS due_at_ms
FROM job_image AS g
JOIN job AS j ON j.name = g.job
UNION ALL
SELECT t.job, t.job, 'free', 'gone', NULL
FROM image_tag AS t
WHERE t.job NOT IN (SELECT name FROM job);

-- '*' stands for every value.
CREATE VIEW tag_rule (hold, tag, step, reason) AS VALUES
  ('*',     'fixed', 'none',   ''),
  ('*',     'new',   'begin',  'its tag was not looked up since it is rolled out'),
  ('*',     'gone',  'forget', 'the job was deleted'),
  ('blind', 'later', 'wait',   'no node can be reached'),
  ('blind', 'due',   'wait',   'no node can be reached'),
  ('blind', 'moved', 'wait',   'no node can be reached'),
  ('free',  'later', 'wait',   'looks its tag up every tag_look_ms'),
  ('free',  'due',   'look',   'its tag may have been moved'),
  ('free',  'moved', 'deploy', 'its tag was moved');

-- By a node that runs it, if there is one. What never came from a registry is looked up where it is.
CREATE VIEW tag_input AS
SELECT t.job AS target,
       n.node, n.driver, n.endpoint,
       t.reference,
       CASE WHEN j.pull = 'never' OR NOT instr(a.image, '@') THEN 'node' ELSE 'registry' END AS source,
       a.mirror,
       a.registry_secret
FROM image_tag AS t
JOIN job AS j ON j.name = t.job
JOIN deployment AS d ON d.job = t.job AND d.current = 1
JOIN spec_image AS a ON a.spec = d.asked
JOIN node_state AS n ON n.node = COALESCE((SELECT min(i.node) FROM instance AS i
                                           JOIN node_state AS s ON s.node = i.node AND s.reach = 'reached'
                                           WHERE i.job = t.job AND i.run = 1),
                                          (SELECT min(s.node) FROM node_state AS s WHERE s.reach = 'reached'));

CREATE VIEW tag_why AS
SELECT 'tag' AS kind,
       g.job AS name,
       g.reference AS target,
       g.reference || ' was moved: it stands for ' || g.tag || ' now, and ' || g.runs || ' runs. '
         || CASE WHEN j.on_tag_moved = 'deploy' THEN 'It is rolled out when the roll-out of now has ended'
                 ELSE 'To roll it out: UPDATE job SET restart = restart + 1 WHERE name = ''' || g.job
                      || '''; to have that done by itself, set job.on_tag_moved to ''deploy''' END AS reason,
       g.looked_at_ms AS since_ms
FROM job_image AS g
JOIN job AS j ON j.name = g.job
WHERE g.moved
UNION ALL
SELECT 'tag', g.job, g.reference,
       'what ' || g.reference || ' stands for could not be looked up: ' || g.detail || '; what runs goes on',
       COALESCE(g.looked_at_ms, (SELECT now_ms FROM clock))
FROM job_image AS g
WHERE g.detail <> '';

CREATE VIEW tag_metric AS
SELECT 'rowlock_job_tag_moved' AS name,
       '1 where the tag of a job''s image stands for another image than was rolled out.' AS help,
       'gauge' AS type,
       json_object('job', g.job) AS labels,
       g.moved IS 1 AS value
FROM job_image AS g;

-- @wake

CREATE TEMP TRIGGER wake_spec_image AFTER UPDATE OF image ON spec BEGIN INSERT INTO dirty VALUES (NEW.job); END;

-- @run instance.resolve.done

-- Others of the spec may have asked at the same time, on other nodes: the first answer counts.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'deployment', i.job, i.job, 'resolved', json_extract(s.body, '$.image') || ' is ' || :image || :note
FROM instance AS i
JOIN spec AS s ON s.id = i.spec
WHERE i.id = :target AND s.image = '';

UPDATE spec SET image = :image WHERE id = (SELECT spec FROM instance WHERE id = :target) AND image = '';

-- @run instance.pull.done

UPDATE instance SET container = 'none', since_ms = :now_ms WHERE id = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', job, name, 'pulled', :image FROM instance WHERE id = :target;

INSERT INTO node_image (node, image, pulled_at_ms, needed_at_ms)
SELECT node, :image, :now_ms, :now_ms FROM instance WHERE id = :target
ON CONFLICT (node, image) DO UPDATE SET needed_at_ms = excluded.needed_at_ms;

INSERT OR IGNORE INTO node_disk (node) SELECT node FROM instance WHERE id = :target;

-- @run tag.begin

-- Soon after, since a node may have known less than the registry; not all at the same moment.
INSERT INTO image_tag (job, reference, look_at_ms)
SELECT g.job, g.reference, :now_ms + min(60000, j.tag_look_ms) * (50 + d.id * 37 % 50) / 100
FROM job_image AS g
JOIN job AS j ON j.name = g.job
JOIN deployment AS d ON d.job = g.job AND d.current = 1
WHERE g.job = :target
ON CONFLICT (job) DO UPDATE
SET reference = excluded.reference, image = '', looked_at_ms = NULL, look_at_ms = excluded.look_at_ms, detail = '';

-- @run tag.look.done

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'job', g.job, g.reference, 'tag moved', 'from ' || g.asked || ' to ' || :image
FROM job_image AS g
WHERE g.job = :target AND g.reference = :reference AND :image NOT IN ('', g.asked, g.tag);

UPDATE image_tag
SET image        = :image,
    looked_at_ms = :now_ms,
    look_at_ms   = :now_ms + (SELECT j.tag_look_ms FROM job AS j WHERE j.name = :target),
    detail       = ''
WHERE job = :target AND reference = :reference AND EXISTS (SELECT 1 FROM job AS j WHERE j.name = :target);

-- @run tag.look.failed

-- A registry that does not answer changes nothing of what runs.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'job', job, reference, 'tag not looked up', :detail FROM image_tag WHERE job = :target AND detail = '';

UPDATE image_tag
SET look_at_ms = :now_ms + COALESCE((SELECT j.tag_look_ms FROM job AS j WHERE j.name = :target), 900000),
    detail     = :detail
WHERE job = :target;

-- @run tag.deploy

INSERT OR IGNORE INTO spec (job, body, image)
SELECT s.job, s.body, t.image
FROM deployment AS d
JOIN spec AS s ON s.id = d.asked
JOIN image_tag AS t ON t.job = d.job
WHERE d.job = :target AND d.current = 1;

DELETE FROM retry WHERE kind = 'job' AND target = :target;

UPDATE deployment SET current = 0 WHERE job = :target AND current = 1;

INSERT INTO deployment (job, asked, spec, cause, started_at_ms)
SELECT d.job, n.id, n.id, 'tag', :now_ms
FROM deployment AS d
JOIN spec AS s ON s.id = d.asked
JOIN image_tag AS t ON t.job = d.job
JOIN spec AS n ON n.job = s.job AND n.body = s.body AND n.image = t.image
WHERE d.id = (SELECT max(l.id) FROM deployment AS l WHERE l.job = :target);

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'deployment', job, id, 'started', :reason FROM deployment WHERE job = :target AND current = 1;

-- @run tag.forget

DELETE FROM image_tag WHERE job = :target;
