-- A login is a role of a bounded life in a database, made for one instance and known to nobody else. It is there before
-- the instance is given its secrets, is renewed as long as the instance runs, and goes once its folder has gone.
--
--   none ──prepare──▶ wanted ──create──▶ begun ──made──▶ made ──half of its life──▶ renew ──▶ made
--                                          ▲              │ the server has it no more
--                                          └──────────────┘        its instance ended: drop ──▶ (no row)
--
-- When Rowlock is away for too long a login ends by itself, in the server. One that is there without a row, since a
-- state.db was lost, is found by the look at its database (database.sql), which makes a row of no instance of it.

-- @kind database_login
--   of:        database_login.job instance.job(delivers)
--   want:      login nothing
--   state:     none wanted begun made aging
--   obstacle:  none sealed held barred
--   retry:     500 ms to 1 min

-- @observed

CREATE TABLE database_login (
  target            TEXT PRIMARY KEY NOT NULL,        -- INSTANCE/ROLE
  instance          INTEGER NOT NULL,                 -- 0: of none, left over from before
  role              TEXT NOT NULL,                    -- of database_role; of a left-over one its name
  job               TEXT NOT NULL,                    -- of a left-over one its database
  holder            TEXT NOT NULL,                    -- the instance's name
  database          TEXT NOT NULL,
  username          TEXT NOT NULL UNIQUE,
  sealed            TEXT NOT NULL DEFAULT '',         -- its username, password and url as JSON, sealed; base64
  kek               INTEGER NOT NULL DEFAULT 0,
  -- begun: the server may have it, its answer is not known
  state             TEXT NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'begun', 'made')),
  until_ms          INTEGER,                          -- its end
  renew_at_ms       INTEGER,
  -- as they were when it was prepared; used when their rows were deleted since
  url               TEXT NOT NULL,
  secret            TEXT NOT NULL,
  key               TEXT NOT NULL,
  ttl_ms            INTEGER NOT NULL DEFAULT 3600000,
  drop_statements   TEXT NOT NULL DEFAULT '[]',
  since_ms          INTEGER NOT NULL,
  UNIQUE (instance, role)
);
CREATE INDEX database_login_by_job ON database_login (job);

-- @views

-- Every login that is there or is to be. An instance wants its logins as long as its folder (delivery_state).
CREATE VIEW database_login_fact AS
SELECT l.job AS name,
       l.target,
       l.renew_at_ms AS due_at_ms,
       CASE WHEN i.container IN ('created', 'running', 'paused')
              OR (i.run = 1 AND i.container IN ('none', 'unpulled')) THEN 'login'
            ELSE                                                          'nothing' END AS want,
       CASE WHEN l.state = 'made' AND l.renew_at_ms <= (SELECT now_ms FROM clock) THEN 'aging'
            ELSE                                                                       l.state END AS state,
       CASE WHEN e.state IS NOT 'open' THEN 'sealed'
            WHEN EXISTS (SELECT 1 FROM delivery AS d WHERE d.instance = l.instance)
             AND NOT COALESCE(i.container IN ('created', 'running', 'paused')
                                OR (i.run = 1 AND i.container IN ('none', 'unpulled')), 0) THEN 'held'
            WHEN l.state <> 'made' AND l.instance <> 0
             AND (NOT EXISTS (SELECT 1 FROM database_role AS r WHERE r.name = l.role)
                  OR EXISTS (SELECT 1 FROM delivery_ban AS o
                             WHERE o.instance = l.instance AND o.path = 'database/creds/' || l.role)) THEN 'barred'
            ELSE 'none' END AS obstacle
FROM database_login AS l
LEFT JOIN instance AS i ON i.id = l.instance
LEFT JOIN seal AS e
UNION ALL
-- What an instance needs and no row speaks of yet.
SELECT i.job, i.id || '/' || r.name, NULL,
       'login',
       'none',
       CASE WHEN e.state IS NOT 'open' THEN 'sealed'
            WHEN EXISTS (SELECT 1 FROM delivery_ban AS o
                         WHERE o.instance = i.id AND o.path = 'database/creds/' || r.name) THEN 'barred'
            ELSE 'none' END
FROM instance AS i
JOIN spec AS s ON s.id = i.spec
CROSS JOIN database_role AS r
JOIN database AS d ON d.name = r.database
LEFT JOIN seal AS e
WHERE i.delivers = 1 AND i.run = 1 AND i.container IN ('none', 'unpulled', 'created', 'running', 'paused')
  AND NOT EXISTS (SELECT 1 FROM database_login AS l WHERE l.instance = i.id AND l.role = r.name)
  AND EXISTS (SELECT 1 FROM json_each(s.body, '$.secrets.needs') AS n
              WHERE json_extract(n.value, '$.path') = 'database/creds/' || r.name);

-- '*' stands for every value.
CREATE VIEW database_login_rule (want, state, obstacle, step, reason) AS VALUES
  ('login',   'none',   'none',   'prepare', 'its instance needs it'),
  ('login',   'none',   'held',   'prepare', 'its instance needs it'),
  ('login',   'none',   'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('login',   'none',   'barred', 'wait',    'its job may not read it'),
  ('login',   'wanted', 'none',   'create',  'it is not made yet'),
  ('login',   'wanted', 'held',   'create',  'it is not made yet'),
  ('login',   'wanted', 'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('login',   'wanted', 'barred', 'wait',    'its job may not read it, or its database_role was deleted'),
  ('login',   'begun',  'none',   'create',  'nobody knows whether the server has it'),
  ('login',   'begun',  'held',   'create',  'nobody knows whether the server has it'),
  ('login',   'begun',  'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('login',   'begun',  'barred', 'wait',    'its job may not read it, or its database_role was deleted'),
  ('login',   'made',   '*',      'wait',    'renews it in time'),
  ('login',   'aging',  'none',   'renew',   'half of its life is over'),
  ('login',   'aging',  'held',   'renew',   'half of its life is over'),
  ('login',   'aging',  'barred', 'renew',   'half of its life is over'),
  ('login',   'aging',  'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('nothing', 'none',   '*',      'none',    'there is nothing to drop'),
  ('nothing', 'wanted', '*',      'forget',  'it was never made, and its instance has ended'),
  ('nothing', 'begun',  'none',   'drop',    'its instance has ended'),
  ('nothing', 'begun',  'barred', 'drop',    'its instance has ended'),
  ('nothing', 'begun',  'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('nothing', 'begun',  'held',   'wait',    'the folder with its password is still there'),
  ('nothing', 'made',   'none',   'drop',    'its instance has ended'),
  ('nothing', 'made',   'barred', 'drop',    'its instance has ended'),
  ('nothing', 'made',   'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('nothing', 'made',   'held',   'wait',    'the folder with its password is still there'),
  ('nothing', 'aging',  'none',   'drop',    'its instance has ended'),
  ('nothing', 'aging',  'barred', 'drop',    'its instance has ended'),
  ('nothing', 'aging',  'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('nothing', 'aging',  'held',   'wait',    'the folder with its password is still there');

-- All that the loop and a worker need to make a step. Of a database the row in force, else what was last known.
CREATE VIEW database_login_input AS
SELECT l.target,
       l.username,
       l.role,
       l.holder,
       l.sealed,
       l.kek,
       COALESCE((SELECT c.url FROM database_address AS c WHERE c.name = d.name), l.url) AS url,
       COALESCE(d.secret, l.secret)                   AS secret,
       COALESCE(d.key, l.key)                         AS key,
       COALESCE(r.ttl_ms, l.ttl_ms)                   AS ttl_ms,
       COALESCE(r.create_statements, '[]')            AS create_statements,
       COALESCE(r.drop_statements, l.drop_statements) AS drop_statements
FROM database_login AS l
LEFT JOIN database AS d ON d.name = l.database
LEFT JOIN database_role AS r ON r.name = l.role AND r.database = l.database;

CREATE VIEW database_login_why AS
SELECT 'database_login' AS kind,
       f.name,
       l.username AS target,
       CASE WHEN f.want = 'nothing' THEN 'the login ' || l.username || ' is not dropped from database ' || l.database
            WHEN l.state = 'made'   THEN 'the login of ' || l.holder || ' is not renewed at database ' || l.database
            ELSE                         l.holder || ' has no login at database ' || l.database || ' yet' END
         || ': ' || COALESCE(h.detail, r.reason) AS reason,
       l.since_ms
FROM database_login_fact AS f
JOIN database_login AS l ON l.target = f.target
CROSS JOIN database_login_case AS r ON r.want = f.want AND r.state = f.state AND r.obstacle = f.obstacle
LEFT JOIN retry AS h ON h.kind = 'database_login' AND h.target = f.target AND h.step = r.step
WHERE h.detail IS NOT NULL OR (r.step = 'wait' AND f.obstacle IN ('sealed', 'barred') AND f.state <> 'made');

-- @wake

CREATE TEMP TRIGGER wake_database_role_insert AFTER INSERT ON database_role BEGIN
  INSERT INTO dirty SELECT job FROM job_secret WHERE path = 'database/creds/' || NEW.name;
  INSERT INTO dirty SELECT job FROM job_template WHERE instr(text, 'database/creds/' || NEW.name) > 0;
END;
CREATE TEMP TRIGGER wake_database_role_update AFTER UPDATE ON database_role BEGIN
  INSERT INTO dirty SELECT job FROM database_login WHERE role = NEW.name;
END;

-- The server counts the life of a login by its own wall clock: what was agreed on by another one is agreed on anew.
CREATE TEMP TRIGGER database_login_clock_set AFTER UPDATE OF wall_ms ON clock
WHEN NEW.boot = OLD.boot AND abs((NEW.wall_ms - NEW.boot_ms) - (OLD.wall_ms - OLD.boot_ms)) > 1000 BEGIN
  UPDATE database_login SET renew_at_ms = NEW.now_ms WHERE state = 'made';
END;

-- @run database_login.sealed

SELECT username, sealed, kek FROM database_login WHERE instance = :instance AND role = :role AND state = 'made';

-- @run database_login.prepare

INSERT INTO database_login
  (target, instance, role, job, holder, database, username, url, secret, key, ttl_ms, drop_statements, since_ms)
SELECT :target, i.id, r.name, i.job, i.name, d.name, 'rl_' || (SELECT id FROM home) || '_' || r.name || '_' || i.id,
       d.url, d.secret, d.key, r.ttl_ms, r.drop_statements, :now_ms
FROM instance AS i
JOIN database_role AS r ON r.name = substr(:target, instr(:target, '/') + 1)
JOIN database AS d ON d.name = r.database
WHERE i.id = CAST(:target AS INTEGER);

-- @run database_login.keep

-- What is about to be made; written before the server hears of it.
UPDATE database_login SET sealed = :sealed, kek = :kek, state = 'begun' WHERE target = :target;

-- @run database_login.create.done

UPDATE database_login
SET state = 'made', until_ms = :until_ms, renew_at_ms = :renew_at_ms, since_ms = :now_ms
WHERE target = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'database_login', job, holder, 'made', username FROM database_login WHERE target = :target;

-- @run database_login.renew.done

UPDATE database_login
SET until_ms = :until_ms, renew_at_ms = :renew_at_ms
WHERE target = :target;

-- @run database_login.renew.lost

-- Somebody has dropped it: it is made anew, with the password that its instance has.
UPDATE database_login SET state = 'begun', since_ms = :now_ms WHERE target = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'database_login', job, holder, 'lost', :detail FROM database_login WHERE target = :target;

-- @run database_login.drop.done

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'database_login', job, holder, 'dropped', username FROM database_login WHERE target = :target;
DELETE FROM database_login WHERE target = :target;

-- @run database_login.forget

DELETE FROM database_login WHERE target = :target;

-- @run database_login.failed

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'database_login', l.job, l.holder,
       :step || CASE :outcome WHEN 'transient' THEN ' failed' ELSE ' ' || :outcome END, :detail
FROM database_login AS l
JOIN retry AS h ON h.kind = 'database_login' AND h.target = l.target AND h.step = :step AND h.tries <= 3
WHERE l.target = :target;
