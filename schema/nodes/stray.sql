-- A stray is a container that carries this home's id and is no instance that has a row. One that this state.db once had
-- and let go is removed; any other may be somebody's: it is shown, and a person decides.

-- @kind stray
--   of:      stray.job
--   hold:    blind free
--   past:    ours unknown
--   needed:  no perhaps
--   retry:   5 s to 5 min

-- @observed

-- Made by a call whose answer came too late, or by another state.db than this one, be it older, newer or a copy.
CREATE TABLE stray (
  node     TEXT NOT NULL,
  name     TEXT NOT NULL,
  job      TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  instance INTEGER NOT NULL DEFAULT 0,        -- as its labels say
  nonce    TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (node, name)
);

-- An instance that was forgotten. A container that turns up later with its nonce was let go.
CREATE TABLE let_go (
  instance INTEGER PRIMARY KEY,
  nonce    TEXT NOT NULL
);

-- @views

-- One that was let go is removed once the job it was made for stands without it, has failed, or is gone.
CREATE VIEW stray_fact AS
SELECT s.job AS name,
       s.node || '/' || s.name AS target,
       NULL AS due_at_ms,
       CASE WHEN n.reach IS NOT 'reached' THEN 'blind' ELSE 'free' END AS hold,
       CASE WHEN s.nonce <> '' AND s.nonce IS (SELECT g.nonce FROM let_go AS g WHERE g.instance = s.instance)
            THEN 'ours' ELSE 'unknown' END AS past,
       CASE WHEN j.name IS NULL                       THEN 'no'
            WHEN d.state = 'failed'                   THEN 'no'
            WHEN j.count <= (SELECT count(*) FROM instance_health AS i
                             WHERE i.job = s.job AND i.run = 1 AND i.container = 'running'
                               AND i.healthy_at_ms IS NOT NULL AND i.failing = 0) THEN 'no'
            ELSE                                           'perhaps' END AS needed
FROM stray AS s
LEFT JOIN node_state AS n ON n.node = s.node
LEFT JOIN job AS j ON j.name = s.job
LEFT JOIN deployment AS d ON d.job = s.job AND d.current = 1;

CREATE VIEW stray_rule (hold, past, needed, step, reason) AS VALUES
  ('blind', '*',       '*',       'wait',   'its node cannot be reached'),
  ('free',  'ours',    'no',      'remove', 'a container of this home without a row, which no job needs'),
  ('free',  'ours',    'perhaps', 'wait',   'a container of this home without a row; its job needs it still'),
  ('free',  'unknown', '*',       'none',   'this state.db never had it: a person decides');

CREATE VIEW stray_input AS
SELECT s.node || '/' || s.name AS target, s.node, n.driver, n.endpoint, s.name AS container, s.nonce
FROM stray AS s
JOIN node_state AS n ON n.node = s.node;

CREATE VIEW stray_why AS
SELECT 'stray' AS kind,
       s.job AS name,
       s.node || '/' || s.name AS target,
       'container ' || s.name || ' on node ' || s.node || ' has this home''s id, but this state.db never had it: was '
         || 'an older state.db put back, or does a copy of this home run? Rowlock leaves it alone; when nobody needs '
         || 'it, docker rm -f ' || s.name AS reason,
       s.since_ms
FROM stray AS s
JOIN stray_fact AS f ON f.name = s.job AND f.target = s.node || '/' || s.name
WHERE f.past = 'unknown' AND f.hold = 'free';

CREATE VIEW stray_unknown AS
SELECT s.node, count(*) AS containers, min(s.job) AS job
FROM stray AS s
WHERE s.nonce = '' OR s.nonce IS NOT (SELECT g.nonce FROM let_go AS g WHERE g.instance = s.instance)
GROUP BY s.node;

-- @prune

DELETE FROM let_go WHERE instance <= (SELECT max(instance) FROM let_go) - 100000;

-- @run stray.remove.done

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'stray', job, name, 'removed', 'a container of this home without a row'
FROM stray
WHERE node || '/' || name = :target;

DELETE FROM stray WHERE node || '/' || name = :target;
