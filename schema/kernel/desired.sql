-- What is not a kind of its own in desired.db: the engineer's own rules, and the consent to a large deletion.

-- @desired

-- A rule of the engineer's own: a query that must return no row, asked of every change before it is accepted.
CREATE TABLE invariant (
  name    TEXT PRIMARY KEY NOT NULL,
  query   TEXT NOT NULL                -- one SELECT over the desired tables
          CONSTRAINT "invariant.query must be one SELECT or WITH statement that returns no row when all is well"
          CHECK (ltrim(query, ' ' || char(9, 10, 13)) LIKE 'SELECT%'
                 OR ltrim(query, ' ' || char(9, 10, 13)) LIKE 'WITH%'
                 OR ltrim(query, ' ' || char(9, 10, 13)) LIKE 'VALUES%'),
  message TEXT NOT NULL                -- what it means when it does, and what to do
          CONSTRAINT "invariant.message must say what is wrong and what to do" CHECK (message <> '')
);

-- Consent to a change that deletes many rows: it holds for the one revision that comes next.
CREATE TABLE approval (
  revision   INTEGER NOT NULL          -- the revision in force, on top of which the rows are deleted
             CONSTRAINT "approval.revision must be the number of the revision in force: see SELECT * FROM violation"
             CHECK (typeof(revision) = 'integer'),
  table_name TEXT NOT NULL,
  deletes    INTEGER NOT NULL          -- how many rows may go
             CONSTRAINT "approval.deletes must be the number of rows that may go"
             CHECK (typeof(deletes) = 'integer' AND deletes > 0),
  note       TEXT NOT NULL DEFAULT '', -- why, for those who read the history
  PRIMARY KEY (revision, table_name)
);

-- @once approval

-- @observed

-- Tables whose rows ask for something once, and may all go when it is done. Filled from the lines @once.
CREATE TABLE once (
  table_name TEXT PRIMARY KEY NOT NULL
);

-- Desired tables whose keys begin with the name of something that is planned for, its own or that of the row which it
-- belongs to. Filled from what the kinds declare, and from REFERENCES.
CREATE TABLE naming (
  table_name TEXT PRIMARY KEY NOT NULL
);

-- Why desired.db cannot be read, as long as it cannot: one row at most.
CREATE TABLE desired_hold (
  only     INTEGER PRIMARY KEY CHECK (only = 1),
  why      TEXT NOT NULL,
  since_ms INTEGER NOT NULL
);

-- @views

CREATE VIEW desired_status AS
SELECT 'desired' AS kind,
       'desired.db' AS name,
       'unknown' AS state,
       why || '; revision ' || COALESCE((SELECT max(id) FROM revision), 0) || ' stays in force' AS detail,
       since_ms
FROM desired_hold
UNION ALL
SELECT 'desired' AS kind,
       'desired.db' AS name,
       'refused' AS state,
       CASE count(*) WHEN 1 THEN min(message)
                     ELSE count(*) || ' reasons, first: ' || min(message) END
         || '; revision ' || COALESCE((SELECT max(id) FROM revision), 0) || ' stays in force' AS detail,
       min(since_ms) AS since_ms
FROM refusal
HAVING count(*) > 0 AND NOT EXISTS (SELECT 1 FROM desired_hold);

-- Every reason that is now in the way of something, as a sentence, with the row behind it.
CREATE VIEW desired_why AS
SELECT 'desired' AS kind,
       CASE WHEN r.row_key <> r.table_name AND r.table_name IN (SELECT n.table_name FROM naming AS n)
            THEN substr(r.row_key, 1, instr(r.row_key || '/', '/') - 1)
            ELSE 'desired.db' END AS name,
       r.table_name || ' ' || r.row_key AS target,
       'the last change of desired.db was refused: ' || r.message AS reason,
       r.since_ms
FROM refusal AS r
UNION ALL
SELECT 'desired', 'desired.db', 'desired.db', 'edits of desired.db cannot be read: ' || h.why, h.since_ms
FROM desired_hold AS h;

-- @begin

DELETE FROM desired_hold;

-- @run desired.held

INSERT OR REPLACE INTO desired_hold (only, why, since_ms) VALUES (1, :why, :since_ms);

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'revision', 'desired.db', 'desired.db', 'unread', :why);

-- @run desired.free

DELETE FROM desired_hold;

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'revision', 'desired.db', 'desired.db', 'read again', '');
