-- The images that Rowlock has fetched to a node. One that nothing needs any more goes after a while, or as soon as the
-- disk is nearly full: not what a job runs or is to run, nor what it would go back to. What others have fetched or
-- built is theirs, and stays.

-- @kind image
--   of:      node_image.node node_disk.node
--   hold:    blind free
--   image:   needed young old pressed gone due measured
--   retry:   1 min to 1 h

-- @observed

-- An image that Rowlock has fetched, until it is removed.
CREATE TABLE node_image (
  node         TEXT NOT NULL,
  image        TEXT NOT NULL,                  -- NAME@sha256:…
  pulled_at_ms INTEGER NOT NULL,
  needed_at_ms INTEGER NOT NULL,               -- last seen to be needed, to some minutes
  PRIMARY KEY (node, image)
);

-- How full the disk is on which a node keeps its images, where Rowlock has fetched any.
CREATE TABLE node_disk (
  node          TEXT PRIMARY KEY NOT NULL,
  total_bytes   INTEGER NOT NULL DEFAULT 0,    -- 0: it cannot be known, as of another machine's
  free_bytes    INTEGER NOT NULL DEFAULT 0,
  measure_at_ms INTEGER NOT NULL DEFAULT 0     -- the next time
);

-- @views

-- The images that a job runs, is to run, or would go back to.
CREATE VIEW image_wanted AS
SELECT s.image, s.job
FROM spec AS s
WHERE s.id IN (SELECT d.asked FROM deployment AS d WHERE d.job = s.job AND d.current = 1
               UNION ALL
               SELECT d.spec FROM deployment AS d WHERE d.job = s.job AND d.current = 1)
   OR s.id = (SELECT e.spec FROM deployment AS e
              WHERE e.job = s.job AND e.state = 'succeeded' AND e.proven = 1
                AND e.spec <> (SELECT d.spec FROM deployment AS d WHERE d.job = s.job AND d.current = 1)
              ORDER BY e.id DESC
              LIMIT 1)
   OR EXISTS (SELECT 1 FROM instance AS i WHERE i.job = s.job AND i.spec = s.id AND i.container <> 'gone');

CREATE VIEW image_fact AS
SELECT m.node AS name,
       m.node || '/' || m.image AS target,
       m.hold,
       CASE WHEN n.name IS NULL                                                                   THEN 'gone'
            WHEN EXISTS (SELECT 1 FROM image_wanted AS w WHERE w.image = m.image)                  THEN 'needed'
            WHEN m.needed_at_ms + n.image_keep_ms <= (SELECT now_ms FROM clock)                    THEN 'old'
            -- The one that was not needed for longest goes first, and then the disk is looked at again.
            WHEN m.is_longest
                 AND EXISTS (SELECT 1 FROM node_disk AS d
                             WHERE d.node = m.node AND d.total_bytes > 0
                               AND 100 * (d.total_bytes - d.free_bytes) >= n.image_disk_percent * d.total_bytes)
                                                                                                  THEN 'pressed'
            ELSE                                                                                       'young' END
         AS image,
       m.needed_at_ms + n.image_keep_ms AS due_at_ms
FROM (SELECT i.node,
             i.image,
             i.needed_at_ms,
             CASE WHEN s.reach IS 'reached' THEN 'free' ELSE 'blind' END AS hold,
             row_number() OVER (PARTITION BY i.node
                                ORDER BY EXISTS (SELECT 1 FROM image_wanted AS w WHERE w.image = i.image),
                                         i.needed_at_ms, i.image) = 1 AS is_longest
      FROM node_image AS i
      LEFT JOIN node_state AS s ON s.node = i.node) AS m
LEFT JOIN node AS n ON n.name = m.node
UNION ALL
SELECT d.node,
       d.node,
       CASE WHEN s.reach IS 'reached' THEN 'free' ELSE 'blind' END,
       CASE WHEN d.node NOT IN (SELECT name FROM node)                    THEN 'gone'
            WHEN d.measure_at_ms <= (SELECT now_ms FROM clock)            THEN 'due'
            WHEN d.measure_at_ms > (SELECT now_ms FROM clock) + 600000    THEN 'due'
            ELSE                                                               'measured' END,
       d.measure_at_ms
FROM node_disk AS d
LEFT JOIN node_state AS s ON s.node = d.node;

-- '*' stands for every value.
CREATE VIEW image_rule (hold, image, step, reason) AS VALUES
  ('*',     'gone',     'forget',  'the node was deleted'),
  ('*',     'needed',   'none',    ''),
  ('*',     'young',    'wait',    'nothing needs it; it goes after image_keep_ms'),
  ('free',  'old',      'remove',  'nothing has needed it for image_keep_ms'),
  ('free',  'pressed',  'remove',  'nothing needs it, and the disk is nearly full'),
  ('free',  'due',      'measure', 'how full the disk is'),
  ('free',  'measured', 'wait',    'looks at the disk every five minutes'),
  ('blind', 'old',      'wait',    'its node cannot be reached'),
  ('blind', 'pressed',  'wait',    'its node cannot be reached'),
  ('blind', 'due',      'wait',    'its node cannot be reached'),
  ('blind', 'measured', 'wait',    'its node cannot be reached');

CREATE VIEW image_input AS
SELECT i.node || '/' || i.image AS target, i.node, i.image, s.driver, s.endpoint,
       COALESCE((SELECT g.mirror FROM spec_image AS g WHERE g.image = i.image AND g.mirror <> '' LIMIT 1), '') AS mirror
FROM node_image AS i
JOIN node_state AS s ON s.node = i.node
UNION ALL
SELECT d.node, d.node, '', s.driver, s.endpoint, ''
FROM node_disk AS d
JOIN node_state AS s ON s.node = d.node;

CREATE VIEW image_metric AS
SELECT 'rowlock_node_images' AS name,
       'Images that Rowlock has fetched to a node.' AS help,
       'gauge' AS type,
       json_object('node', i.node) AS labels,
       count(*) AS value
FROM node_image AS i
GROUP BY i.node;

-- @prune

UPDATE node_image
SET needed_at_ms = :now_ms
WHERE needed_at_ms < :now_ms - 300000
  AND EXISTS (SELECT 1 FROM image_wanted AS w WHERE w.image = node_image.image);

-- @run image.measure.done

UPDATE node_disk
SET total_bytes = :total_bytes, free_bytes = :free_bytes, measure_at_ms = :now_ms + 300000
WHERE node = :target;

-- @run image.remove.done

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'image', i.node, i.image, 'removed', 'nothing needed it any more'
FROM node_image AS i
WHERE i.node || '/' || i.image = :target;

DELETE FROM node_image WHERE node || '/' || image = :target;

-- How much room that made.
UPDATE node_disk SET measure_at_ms = 0 WHERE node = :name;

-- @run image.remove.used

-- Somebody has made a container from it.
UPDATE node_image SET needed_at_ms = :now_ms WHERE node || '/' || image = :target;

-- @run image.forget

DELETE FROM node_image WHERE node = :name;
DELETE FROM node_disk WHERE node = :name;
