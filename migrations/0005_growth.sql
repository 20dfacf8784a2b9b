-- So that rows of backups that are long gone can go as well (schema/kernel/retention.sql): those whose object is
-- deleted, and those that came to nothing.
CREATE INDEX backup_over ON backup (due_at_ms)
WHERE state = 'expired' OR (state = 'failed' AND stored_at_ms IS NULL AND unsettled = 0);

-- Changes of desired.db that have become old: those of a day in one row (schema/history/history.sql). What `revision`
-- and `change` hold up to the last_revision of all is in here as well, and goes from there.
CREATE TABLE change_pack (
  first_revision INTEGER PRIMARY KEY,
  last_revision  INTEGER NOT NULL,
  day            TEXT NOT NULL,            -- YYYY-MM-DD by the wall clock, UTC
  last_at_ms     INTEGER NOT NULL,         -- when last_revision was accepted
  changes        INTEGER NOT NULL,         -- how many rows of `change` it holds
  plain_bytes    INTEGER NOT NULL,
  -- A JSON array a line, [revision, at_ms, table_name, row_key, before, after], compressed with zstd, as base64:
  -- sqlite3 state.db "SELECT packed FROM change_pack WHERE day = '2026-11-30'" | base64 -d | zstd -d
  packed         TEXT NOT NULL
);
