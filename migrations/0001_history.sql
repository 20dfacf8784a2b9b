-- What must never be lost: whose home this is, and every change that was ever accepted. All else in
-- state.db can be read again from desired.db and the world. A migration is never edited once
-- released; a later one goes beside it.

CREATE TABLE home (
  only          INTEGER PRIMARY KEY CHECK (only = 1),
  id            TEXT NOT NULL,     -- the label rowlock.home of everything this home makes
  created_at_ms INTEGER NOT NULL
);

-- One accepted change of desired.db. Written by Rowlock, kept for good.
CREATE TABLE revision (
  id      INTEGER PRIMARY KEY,     -- counts from 1
  at_ms   INTEGER NOT NULL,        -- when it was accepted
  changes INTEGER NOT NULL         -- how many rows it inserted, updated or deleted
);

-- One row of desired.db as a revision changed it.
CREATE TABLE change (
  revision   INTEGER NOT NULL,
  table_name TEXT NOT NULL,
  row_key    TEXT NOT NULL,        -- the primary key as a JSON array
  before     TEXT,                 -- the row as a JSON object; NULL: it was inserted
  after      TEXT,                 -- the row as a JSON object; NULL: it was deleted
  PRIMARY KEY (revision, table_name, row_key)
);
CREATE INDEX change_by_row ON change (table_name, row_key, revision);
