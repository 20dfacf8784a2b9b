-- A backup made into a database again: an INSERT asks for it. It goes into a database of another name first, is
-- compared with what was dumped, and only then takes the name that was asked for, so that one that fails harms nothing.
--
--   (row) ──choose──▶ chosen ──restore──▶ restored ──rename──▶ done
--              │          │                   └─ the server refuses: discarding ──discard──▶ failed, for good
--              │          └─ it is no backup, or the server refuses: failed
--              └─ there is no such backup: failed
--
-- A row that is deleted half-way: what was made for it is discarded, and then the run is forgotten.

-- @kind restore
--   of:     restore.name restore_run.restore
--   hold:   sealed free
--   state:  new barred chosen restored discarding done failed left gone
--   retry:  2 s to 1 min

-- @desired

CREATE TABLE restore (
  name     TEXT PRIMARY KEY NOT NULL                -- any, never used before
           CONSTRAINT "restore.name must be 1 to 40 of a-z, 0-9 and '-', and begin with a letter or digit"
           CHECK (name GLOB '[a-z0-9]*' AND name NOT GLOB '*[^a-z0-9-]*' AND length(name) <= 40),
  policy   TEXT NOT NULL,
  backup   TEXT NOT NULL DEFAULT 'latest'           -- 'latest': the last verified; else its name, or a moment in UTC
           CONSTRAINT "restore.backup must be 'latest', the name of a backup, or a moment such as '2026-11-25 14:00'"
           CHECK (backup <> ''),
  into_url TEXT NOT NULL                            -- the database that it becomes, as in database.url
           CONSTRAINT "restore.into_url must be like 'postgresql://admin@127.0.0.1:5432/app', without a password"
           CHECK (into_url GLOB 'postgres*://?*/?*' AND into_url NOT GLOB '*://*:*@*'
                  AND into_url NOT GLOB '*[?&]password=*' AND into_url NOT GLOB '*[ "]*'),
  secret   TEXT NOT NULL DEFAULT '',                -- the path of the secret with its password; '': none is needed
  key      TEXT NOT NULL DEFAULT 'password',
  "into"   TEXT NOT NULL DEFAULT 'new'              -- new: there is none of that name; existing: it is put aside
           CONSTRAINT "restore.into must be 'new' or 'existing'" CHECK ("into" IN ('new', 'existing')),
  confirm  TEXT NOT NULL DEFAULT '',                -- for 'existing': 'replace NAME', the name of the database
  roles    INTEGER NOT NULL DEFAULT 0               -- 1: roles that are missing are made, and owners and grants kept
           CONSTRAINT "restore.roles must be 1 or 0" CHECK (roles IN (0, 1)),
  sections TEXT NOT NULL DEFAULT '["before","data","after"]'  -- what is made; rows; indexes, keys and triggers
           CONSTRAINT "restore.sections must be a JSON array of ""before"", ""data"" and ""after"", with ""before"""
           CHECK (sections IN ('["before","data","after"]', '["before","data"]', '["before","after"]', '["before"]')),
  search_path TEXT NOT NULL DEFAULT ''              -- public, app: where names without a schema are looked for
           CONSTRAINT "restore.search_path must be names of schemas with commas between, such as 'public, app'"
           CHECK (search_path NOT GLOB '*['';\]*'),
  -- Objects as `pg_restore --list` has them: SCHEMA.NAME, or "TABLE DATA public.pupil" for a part of what is called so.
  without  TEXT NOT NULL DEFAULT '[]'               -- these and what needs them are left out
           CONSTRAINT "restore.without must be a JSON array of names, such as '[""public.pupil""]'"
           CHECK (json_valid(without) AND json_type(without) = 'array'),
  "only"   TEXT NOT NULL DEFAULT '[]'               -- these and what they need; '[]': everything
           CONSTRAINT "restore.only must be a JSON array of names, such as '[""public.pupil""]'"
           CHECK (json_valid("only") AND json_type("only") = 'array'),
  single_transaction INTEGER NOT NULL DEFAULT 0     -- 1: it is loaded in one, if one job has dumped it
           CONSTRAINT "restore.single_transaction must be 1 or 0" CHECK (single_transaction IN (0, 1)),
  keep_going INTEGER NOT NULL DEFAULT 0             -- 1: what the server refuses is left out, and named
           CONSTRAINT "restore.keep_going must be 1 or 0" CHECK (keep_going IN (0, 1)),
  CONSTRAINT "restore.keep_going and single_transaction cannot both be 1: one transaction ends with its first error"
  CHECK (keep_going + single_transaction < 2)
);

-- @once restore

-- @observed

CREATE TABLE restore_run (
  restore        TEXT PRIMARY KEY NOT NULL,
  backup         INTEGER,                           -- the row of backup that was chosen
  state          TEXT NOT NULL CHECK (state IN ('chosen', 'restored', 'discarding', 'done', 'failed')),
  started_at_ms  INTEGER NOT NULL,
  finished_at_ms INTEGER,
  restore_ms     INTEGER,
  asked          TEXT NOT NULL DEFAULT '',          -- as restore_asked had it when it was chosen; '': not known
  -- Where a database of its own may lie since the last try, for when the row is deleted; '': none was ever begun.
  server_url     TEXT NOT NULL DEFAULT '',
  server_secret  TEXT NOT NULL DEFAULT '',
  server_key     TEXT NOT NULL DEFAULT '',
  scratch        TEXT NOT NULL DEFAULT '',          -- and what it is called there
  detail         TEXT NOT NULL DEFAULT ''
);

-- What one has not restored: since it was to be left out, since it needs that, or since the server refuses it.
CREATE TABLE restore_left_out (
  restore TEXT NOT NULL,
  object  TEXT NOT NULL,                            -- TABLE DATA public.pupil
  reason  TEXT NOT NULL,
  PRIMARY KEY (restore, object)
);

-- @views

-- The name of the database that each is to become, as its server writes it, and the name that one which is there
-- already gets: no longer than a server keeps, with its end cut off where need be.
CREATE VIEW restore_place AS
SELECT n.restore,
       n.catalog,
       (WITH RECURSIVE cut (text) AS (
          SELECT n.catalog
          UNION ALL
          SELECT substr(text, 1, length(text) - 1) FROM cut WHERE length(CAST(text AS BLOB)) > 63 - length(n.tail))
        SELECT text FROM cut ORDER BY length(text) LIMIT 1) || n.tail AS aside
FROM (SELECT u.name AS restore,
             '_before_' || replace(u.name, '-', '_') AS tail,
             CASE instr(u.encoded, '%') WHEN 0 THEN u.encoded ELSE
               (WITH RECURSIVE decoded (text, rest) AS (
                  SELECT '', u.encoded
                  UNION ALL
                  SELECT d.text || COALESCE(b.byte, substr(d.rest, 1, 1)),
                         substr(d.rest, CASE WHEN b.byte IS NULL THEN 2 ELSE 4 END)
                  FROM decoded AS d
                  LEFT JOIN percent_byte AS b ON b.code = upper(substr(d.rest, 1, 3))
                  WHERE d.rest <> '')
                SELECT text FROM decoded WHERE rest = '') END AS catalog
      FROM (SELECT name, substr(plain, instr(plain, '/') + 1) AS encoded
            FROM (SELECT name,
                         substr(into_url, instr(into_url, '://') + 3,
                                CASE instr(into_url, '?') WHEN 0 THEN length(into_url)
                                     ELSE instr(into_url, '?') - instr(into_url, '://') - 3 END) AS plain
                  FROM restore)) AS u) AS n;

-- What each row says that a run goes by.
CREATE VIEW restore_asked AS
SELECT name AS restore,
       json_array(policy, backup, into_url, secret, key, "into", confirm, roles)
         -- As it always was, where all is restored: runs that are there were chosen by that.
         || CASE WHEN keep_going + single_transaction = 0 AND search_path || without || "only" = '[][]'
                   AND sections = '["before","data","after"]' THEN ''
                 ELSE json_array(sections, search_path, without, "only", single_transaction, keep_going) END AS asked
FROM restore;

-- How much one has left out, for people.
CREATE VIEW restore_left_out_said AS
SELECT restore,
       ', with ' || count(*) || CASE count(*) WHEN 1 THEN ' object' ELSE ' objects' END || ' left out' AS said
FROM restore_left_out
GROUP BY restore;

CREATE VIEW restore_violation AS
SELECT 'restore' AS table_name,
       r.name AS row_key,
       'restore ' || r.name || ' is of backup_policy ''' || r.policy || ''', of which there is no backup of a database'
         AS message
FROM restore AS r
WHERE r.policy NOT IN (SELECT name FROM backup_policy WHERE kind = 'postgres')
  AND r.policy NOT IN (SELECT policy FROM backup WHERE kind = 'postgres')
UNION ALL
SELECT 'restore', r.name,
       'restore ' || r.name || ' puts an existing database aside: if that is meant, set confirm = ''replace '
         || p.catalog || ''''
FROM restore AS r
JOIN restore_place AS p ON p.restore = r.name
WHERE r."into" = 'existing' AND r.confirm <> 'replace ' || p.catalog
UNION ALL
SELECT 'restore', r.name,
       'restore ' || r.name || ' puts the database postgres aside, by which its server is reached: restore into '
         || 'another name'
FROM restore AS r
JOIN restore_place AS p ON p.restore = r.name
WHERE r."into" = 'existing' AND p.catalog = 'postgres'
UNION ALL
SELECT 'restore', p.restore,
       'restore ' || p.restore || ' is into a database whose name is over 63 bytes, which no server keeps: shorten it'
FROM restore_place AS p
WHERE length(CAST(p.catalog AS BLOB)) > 63
UNION ALL
SELECT 'restore', a.restore,
       'restore ' || a.restore || ' has begun, and what it says cannot be changed any more: leave it, and ask in a row '
         || 'of another name'
FROM restore_asked AS a
JOIN restore_run AS s ON s.restore = a.restore
WHERE s.asked NOT IN ('', a.asked);

-- The backup that each asks for: its last verified one, the one of that name, or the last one before that moment.
CREATE VIEW restore_choice AS
SELECT r.name AS restore,
       (SELECT b.id FROM backup_there AS b
        WHERE b.policy = r.policy AND b.kind = 'postgres' AND b.expiring = 0
          AND CASE WHEN r.backup = 'latest' THEN b.state = 'verified'
                   WHEN b.name = r.backup   THEN 1
                   ELSE b.taken_at_ms <= unixepoch(r.backup) * 1000 END
        ORDER BY b.taken_at_ms DESC, b.id DESC LIMIT 1) AS backup
FROM restore AS r;

CREATE VIEW restore_fact AS
SELECT r.name,
       r.name AS target,
       NULL AS due_at_ms,
       CASE WHEN r.secret || COALESCE(o.secret, '') || COALESCE(o.identity_secret, '') <> ''
              AND (SELECT state FROM seal) IS NOT 'open' THEN 'sealed'
            ELSE                                              'free' END AS hold,
       CASE WHEN s.restore IS NULL THEN 'new'
            WHEN s.state = 'chosen' AND EXISTS (SELECT 1 FROM scratch_dropping AS l WHERE l.restore = r.name)
              THEN 'barred'
            ELSE s.state END AS state
FROM restore AS r
LEFT JOIN restore_run AS s ON s.restore = r.name
LEFT JOIN backup AS b ON b.id = s.backup
LEFT JOIN object_store AS o ON o.name = b.store
UNION ALL
SELECT s.restore, s.restore, NULL,
       CASE WHEN s.server_secret <> '' AND (SELECT state FROM seal) IS NOT 'open' THEN 'sealed' ELSE 'free' END,
       -- A server that does not come back within so many tries, which take an hour, is not waited for.
       CASE WHEN s.state IN ('chosen', 'restored') AND s.server_url <> ''          THEN 'left'
            WHEN s.state = 'discarding' AND COALESCE(h.tries, 0) < 60              THEN 'left'
            ELSE                                                                        'gone' END
FROM restore_run AS s
LEFT JOIN retry AS h ON h.kind = 'restore' AND h.target = s.restore AND h.step = 'discard'
WHERE s.restore NOT IN (SELECT name FROM restore);

-- '*' stands for every value.
CREATE VIEW restore_rule (hold, state, step, reason) AS VALUES
  ('*',      'new',        'choose',  'somebody asks for it'),
  ('*',      'barred',     'wait',    'what an earlier one of its name left behind is being dropped'),
  ('sealed', 'chosen',     'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('sealed', 'restored',   'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('sealed', 'discarding', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('sealed', 'left',       'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('free',   'chosen',     'restore', 'the backup is chosen'),
  ('free',   'restored',   'rename',  'it is equal to what was dumped'),
  ('free',   'discarding', 'discard', 'it cannot take the name that was asked for'),
  ('free',   'left',       'discard', 'the row was deleted half-way'),
  ('*',      'done',       'none',    ''),
  ('*',      'failed',     'none',    ''),
  ('*',      'gone',       'forget',  'the row was deleted');

-- What the database of each run is called until it takes the name that was asked for.
CREATE VIEW restore_scratch AS
SELECT s.restore,
       CASE s.scratch WHEN '' THEN 'rowlock_' || (SELECT id FROM home) || '_restore_' || replace(s.restore, '-', '_')
                      ELSE s.scratch END AS scratch
FROM restore_run AS s;

-- What was made for a row that is gone can be discarded, and nothing else.
CREATE VIEW restore_input AS
SELECT r.name AS target,
       r.into_url AS server_url,
       r.secret AS server_secret,
       r.key AS server_key,
       r."into",
       r.roles,
       r.sections,
       r.search_path,
       r.without,
       r."only",
       r.single_transaction,
       r.keep_going,
       p.catalog AS database,
       (SELECT c.scratch FROM restore_scratch AS c WHERE c.restore = r.name) AS scratch,
       p.aside,
       b.name AS backup,
       b.object,
       b.sha256,
       (SELECT id FROM home) AS home,
       o.url AS store_url,
       o.endpoint,
       o.region,
       o.style,
       o.ca_file,
       o.secret AS store_secret,
       0 AS bytes_per_s,
       o.identity_secret,
       o.identity_key,
       o.identity_file
FROM restore AS r
JOIN restore_place AS p ON p.restore = r.name
LEFT JOIN restore_run AS s ON s.restore = r.name
LEFT JOIN backup AS b ON b.id = s.backup
LEFT JOIN object_store AS o ON o.name = b.store
UNION ALL
SELECT s.restore, s.server_url, s.server_secret, s.server_key, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       (SELECT c.scratch FROM restore_scratch AS c WHERE c.restore = s.restore), NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM restore_run AS s
WHERE s.restore NOT IN (SELECT name FROM restore);

CREATE VIEW restore_status AS
SELECT 'restore' AS kind,
       r.name,
       CASE WHEN s.state = 'done'   THEN 'converged'
            WHEN s.state = 'failed' THEN 'failed'
            ELSE                         'converging' END AS state,
       CASE WHEN s.state = 'done'   THEN b.name || ' was restored in ' || s.restore_ms || ' ms'
                                           || CASE r."into" WHEN 'existing'
                                                THEN '; one that was there is now called ' || p.aside ELSE '' END
              || COALESCE((SELECT l.said FROM restore_left_out_said AS l WHERE l.restore = r.name), '')
            WHEN s.state = 'failed' THEN s.detail
            ELSE COALESCE((SELECT g.detail FROM progress AS g WHERE g.kind = 'restore' AND g.target = r.name),
                          CASE WHEN s.detail <> ''    THEN s.detail
                               WHEN s.restore IS NULL THEN 'not begun'
                               ELSE s.state || ': ' || b.name END) END AS detail,
       COALESCE(s.finished_at_ms, s.started_at_ms, (SELECT now_ms FROM clock)) AS since_ms
FROM restore AS r
JOIN restore_place AS p ON p.restore = r.name
LEFT JOIN restore_run AS s ON s.restore = r.name
LEFT JOIN backup AS b ON b.id = s.backup
UNION ALL
SELECT 'restore', s.restore, 'converging',
       'the row was deleted half-way: what was made for it is dropped once no step is under way',
       s.started_at_ms
FROM restore_run AS s
WHERE s.restore NOT IN (SELECT name FROM restore);

CREATE VIEW restore_why AS
SELECT 'restore' AS kind, s.restore AS name, s.restore AS target,
       'restore ' || s.restore || ': ' || s.detail AS reason, s.started_at_ms AS since_ms
FROM restore_run AS s
WHERE s.detail <> '' AND s.restore IN (SELECT name FROM restore)
UNION ALL
SELECT 'restore', l.restore, l.restore, 'restore ' || l.restore || ' left out ' || l.object || ': ' || l.reason,
       COALESCE(s.finished_at_ms, s.started_at_ms)
FROM restore_left_out AS l
JOIN restore_run AS s ON s.restore = l.restore
WHERE l.restore IN (SELECT name FROM restore);

-- @wake

CREATE TEMP TRIGGER wake_restore_seal AFTER UPDATE OF state ON seal WHEN NEW.state <> OLD.state BEGIN
  INSERT INTO dirty SELECT name FROM restore UNION SELECT restore FROM restore_run;
END;

-- @begin

-- Begun by an older Rowlock, which had no name of the home's own for it.
UPDATE restore_run
SET scratch = 'rowlock_restore_' || replace(restore, '-', '_')
WHERE scratch = '' AND server_url <> '';

-- @run restore.choose

INSERT INTO restore_run (restore, backup, state, started_at_ms, asked, finished_at_ms, detail)
SELECT c.restore, c.backup, CASE WHEN c.backup IS NULL THEN 'failed' ELSE 'chosen' END, :now_ms,
       (SELECT a.asked FROM restore_asked AS a WHERE a.restore = c.restore),
       CASE WHEN c.backup IS NULL THEN :now_ms END,
       CASE WHEN c.backup IS NULL AND r.backup IN (SELECT m.name FROM backup_missing AS m)
              THEN 'backup ' || r.backup || ' is not in its store: rowlock why ' || r.policy
            WHEN c.backup IS NULL AND r.backup = 'latest'
              THEN 'policy ' || r.policy || ' has no verified backup: name another one, see SELECT * FROM backup'
            WHEN c.backup IS NULL AND unixepoch(r.backup) IS NULL
              THEN '''' || r.backup || ''' is neither a backup of policy ' || r.policy || ' nor a moment such as '
                   || '''2026-11-25 14:00'': rowlock backup lists them'
            WHEN c.backup IS NULL
              THEN 'policy ' || r.policy || ' has no backup ''' || r.backup || ''', nor one before that moment: see '
                   || 'SELECT name, state, taken_at_ms FROM backup'
            ELSE '' END
FROM restore_choice AS c
JOIN restore AS r ON r.name = c.restore
WHERE c.restore = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'restore', restore, restore, state, detail FROM restore_run WHERE restore = :target;

-- @run restore.restore

UPDATE restore_run
SET (server_url, server_secret, server_key) = (SELECT r.into_url, r.secret, r.key FROM restore AS r
                                               WHERE r.name = :target),
    scratch = (SELECT c.scratch FROM restore_scratch AS c WHERE c.restore = :target)
WHERE restore = :target;

-- @run restore.restore.done

UPDATE restore_run
SET state = 'restored', restore_ms = :restore_ms, detail = ''
WHERE restore = :target;

DELETE FROM restore_left_out WHERE restore = :target;

INSERT OR REPLACE INTO restore_left_out (restore, object, reason)
SELECT :target, value ->> 'object', value ->> 'reason' FROM json_each(:left_out);

-- @run restore.rename.done

UPDATE restore_run
SET state = 'done', finished_at_ms = :now_ms, detail = ''
WHERE restore = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'restore', s.restore, s.restore, 'done', b.name || ' in ' || s.restore_ms || ' ms'
         || COALESCE((SELECT l.said FROM restore_left_out_said AS l WHERE l.restore = s.restore), '')
FROM restore_run AS s
JOIN backup AS b ON b.id = s.backup
WHERE s.restore = :target;

-- @run restore.rename.rejected

-- What was restored is of no use to anybody under its own name.
UPDATE restore_run SET state = 'discarding', detail = :detail WHERE restore = :target;

-- @run restore.discard

-- Of a row that was deleted: its own tries are over.
UPDATE restore_run
SET state = 'discarding', detail = 'the row was deleted half-way'
WHERE restore = :target AND state <> 'discarding';

-- @run restore.discard.done

UPDATE restore_run SET state = 'failed', finished_at_ms = :now_ms WHERE restore = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'restore', restore, restore, 'failed', detail FROM restore_run WHERE restore = :target;

-- @run restore.discard.failed

-- The reason that matters is why it was refused; what is rejected here is asked again all the same.
UPDATE retry
SET retry_at_ms = COALESCE(min(retry_at_ms, :now_ms + 60000), :now_ms + 60000), rejected = 0
WHERE kind = 'restore' AND target = :target AND step = 'discard';

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'restore', h.name, h.target, 'discard failed', :detail
FROM retry AS h
WHERE h.kind = 'restore' AND h.target = :target AND h.step = 'discard' AND h.tries <= 3;

-- @run restore.failed

UPDATE restore_run SET detail = :detail WHERE restore = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'restore', h.name, h.target, :step || ' failed', :detail
FROM retry AS h
WHERE h.kind = 'restore' AND h.target = :target AND h.step = :step AND h.tries <= 3;

-- @run restore.rejected

-- Nobody repeats what was asked for once and refused: another row asks again.
DELETE FROM retry WHERE kind = 'restore' AND target = :target;

UPDATE restore_run SET state = 'failed', finished_at_ms = :now_ms, detail = :detail WHERE restore = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'restore', :target, :target, 'failed', :detail);

-- @run restore.forget

-- What could not be discarded in its time.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'restore', restore, restore, 'left behind',
       'DROP DATABASE ' || scratch || ' on the server of ' || server_url
FROM restore_run
WHERE restore = :target AND state = 'discarding';

DELETE FROM restore_left_out WHERE restore = :target;

DELETE FROM restore_run WHERE restore = :target;
