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
