-- What was backed up, and where it is: without these rows nobody knows which object is the one to restore.

-- One backup in one store: an object, from the moment at which it is due until long after it was deleted.
--
--   due ──run──▶ running ──whole──▶ stored ──verify──▶ verifying ──equal──▶ verified ──no rule keeps it──▶ expired
--    └──────────── failed: tried again, until the next one is due ◀──┴── it does not hold what it should
CREATE TABLE backup (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  name          TEXT NOT NULL UNIQUE,               -- POLICY-20261125T023000Z-ID: unlike any other home's too
  policy        TEXT NOT NULL,
  store         TEXT NOT NULL,
  kind          TEXT NOT NULL CHECK (kind IN ('postgres', 'home')),
  source        TEXT NOT NULL,                      -- the row of database; '' for a home
  object        TEXT NOT NULL,                      -- its key in the store
  reason        TEXT NOT NULL,                      -- why it was made
  state         TEXT NOT NULL DEFAULT 'due'
                CHECK (state IN ('due', 'running', 'stored', 'verifying', 'verified', 'failed', 'expired')),
  due_at_ms     INTEGER NOT NULL,
  started_at_ms INTEGER,                            -- of the last try
  taken_at_ms   INTEGER,                            -- what it holds was so at this moment
  taken_on      TEXT,                               -- that day in the zone of its policy, YYYY-MM-DD
  stored_at_ms  INTEGER,
  size_bytes    INTEGER,                            -- of the object
  dump_bytes    INTEGER,                            -- before compression
  sha256        TEXT,                               -- of the object; NULL when its upload was found, not seen to end
  content       TEXT NOT NULL DEFAULT '{}',         -- what the source said of it: versions, tables, counts, hashes
  verified_at_ms INTEGER,                           -- the last time it was restored and compared
  restore_ms    INTEGER,                            -- how long that took
  verify_detail TEXT NOT NULL DEFAULT '',           -- why it could not be verified yet
  expired_at_ms INTEGER,
  expiring      INTEGER NOT NULL DEFAULT 0 CHECK (expiring IN (0, 1)),   -- its deletion has begun
  tries         INTEGER NOT NULL DEFAULT 0,
  retry_at_ms   INTEGER NOT NULL DEFAULT 0,         -- over 0 with 'failed': whether its object is there is not known
  detail        TEXT NOT NULL DEFAULT ''            -- what went wrong in the last try
);
CREATE INDEX backup_by_policy ON backup (policy, store, id);
