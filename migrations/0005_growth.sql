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

-- Lines of the audit log that have become old: some thousands in one row (schema/secrets/audit_segment.sql). Written
-- together with their leaving `audit`. Each is signed with the key of the audit log, and with the segment before it.
CREATE TABLE audit_segment (
  number      INTEGER PRIMARY KEY,                  -- from 1, without a gap
  first_seq   INTEGER NOT NULL,
  last_seq    INTEGER NOT NULL,
  last_at_ms  INTEGER NOT NULL,
  hash_before TEXT NOT NULL,                        -- of the line before first_seq
  hash        TEXT NOT NULL,                        -- of the last line
  mac_before  TEXT NOT NULL,                        -- of the segment before it; '': it is the first
  -- a JSON array a line, with the columns of `audit`, compressed with zstd, as base64
  packed      TEXT NOT NULL,
  mac         TEXT NOT NULL                         -- keyed hash of the above
);
CREATE TRIGGER audit_segment_is_not_edited BEFORE UPDATE ON audit_segment BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Which segments there are: what finds that one is missing at either end. One row once there are any.
CREATE TABLE audit_archive (
  only         INTEGER PRIMARY KEY CHECK (only = 1),
  first_number INTEGER NOT NULL,
  last_number  INTEGER NOT NULL,
  mac          TEXT NOT NULL                        -- keyed hash of the above, and of the mac of the last segment
);

-- A line leaves when it stands in a segment, and not before.
DROP TRIGGER audit_is_not_cut;
CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit
WHEN OLD.seq > COALESCE((SELECT s.last_seq FROM audit_segment AS s ORDER BY s.number DESC LIMIT 1), 0) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
