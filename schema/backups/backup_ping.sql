-- What a watcher elsewhere is told of backups: a GET to the URL that a policy has for it. The watcher raises the alarm
-- when it hears nothing in time, so one that cannot be reached is given up after a few tries.

-- @kind backup_ping
--   of:     backup_ping.policy
--   state:  spent new
--   retry:  5 s to 5 min

-- @observed

-- A ping that is yet to be sent.
CREATE TABLE backup_ping (
  id          INTEGER PRIMARY KEY,
  policy      TEXT NOT NULL,
  what        TEXT NOT NULL CHECK (what IN ('start', 'success', 'fail')),
  url         TEXT NOT NULL,
  since_ms    INTEGER NOT NULL
);
CREATE INDEX backup_ping_by_policy ON backup_ping (policy);

-- @views

-- What the watcher of each backup's policy can be told.
CREATE VIEW backup_watcher AS
SELECT b.id, b.policy, COALESCE(h.tries, 0) AS tries, w.verify_schedule, w.what, w.url
FROM backup AS b
LEFT JOIN retry AS h ON h.kind = 'backup' AND h.target = CAST(b.id AS TEXT) AND h.step = 'run'
JOIN (SELECT name, verify_schedule, 'start' AS what, ping_start AS url FROM backup_policy_now
      UNION ALL
      SELECT name, verify_schedule, 'success', ping_success FROM backup_policy_now
      UNION ALL
      SELECT name, verify_schedule, 'fail', ping_fail FROM backup_policy_now) AS w ON w.name = b.policy
WHERE w.url <> '';

CREATE VIEW backup_ping_fact AS
SELECT g.policy AS name,
       CAST(g.id AS TEXT) AS target,
       NULL AS due_at_ms,
       CASE WHEN h.tries >= 8 THEN 'spent' ELSE 'new' END AS state
FROM backup_ping AS g
LEFT JOIN retry AS h ON h.kind = 'backup_ping' AND h.target = CAST(g.id AS TEXT) AND h.step = 'send';

CREATE VIEW backup_ping_rule (state, step, reason) AS VALUES
  ('spent', 'forget', 'the watcher cannot be reached'),
  ('new',   'send',   'the watcher is yet to hear of it');

CREATE VIEW backup_ping_input AS
SELECT g.id AS target, g.url FROM backup_ping AS g;

-- @run backup_ping.send.done

DELETE FROM backup_ping WHERE id = :target;

-- @run backup_ping.send.failed

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'backup', g.policy, g.what, 'ping failed', :detail
FROM backup_ping AS g
JOIN retry AS h ON h.kind = 'backup_ping' AND h.target = :target AND h.tries = 1
WHERE g.id = :target;

-- @run backup_ping.forget

DELETE FROM backup_ping WHERE id = :target;
