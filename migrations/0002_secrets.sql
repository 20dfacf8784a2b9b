-- The secret store: what must never be lost, and what nobody but Rowlock may change. Everything that is a value is
-- sealed (XChaCha20-Poly1305, base64). Each row carries a keyed digest of all its columns, and audit_head one of all
-- rows together, so that an edit, a deletion, a swap or a truncation by other hands is found (rowlock audit verify).

-- The keys, each sealed by the unseal key, which is nowhere in this file.
--   kek        wraps the data keys of versions; the newest one wraps new ones, older ones stay while they are needed
--   audit      chains the audit log, digests rows
--   token      hashes tokens
--   identity   signs the identities of instances (an Ed25519 seed); older ones stay until what they signed has ended
CREATE TABLE keyring (
  id            INTEGER PRIMARY KEY,
  purpose       TEXT NOT NULL CHECK (purpose IN ('kek', 'audit', 'token', 'identity')),
  created_at_ms INTEGER NOT NULL,
  sealed        TEXT NOT NULL              -- the key, sealed by the unseal key, bound to its other columns
);

-- One secret: a path with versions. Its versions are in secret_version.
CREATE TABLE secret (
  path            TEXT PRIMARY KEY NOT NULL,
  current_version INTEGER NOT NULL DEFAULT 0,       -- 0: it has metadata only
  oldest_version  INTEGER NOT NULL DEFAULT 0,
  max_versions    INTEGER NOT NULL DEFAULT 0,       -- 0: as secret_config says
  cas_required    INTEGER NOT NULL DEFAULT 0 CHECK (cas_required IN (0, 1)),
  delete_after_ms INTEGER NOT NULL DEFAULT 0,       -- a version is deleted so long after it was written; 0: never
  custom_metadata TEXT NOT NULL DEFAULT '{}',       -- a JSON object of strings
  created_at_ms   INTEGER NOT NULL,
  updated_at_ms   INTEGER NOT NULL,
  digest          TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- One version of a secret: a map of keys to values, sealed by a data key of its own.
CREATE TABLE secret_version (
  path          TEXT NOT NULL,
  version       INTEGER NOT NULL,                   -- counts from 1
  created_at_ms INTEGER NOT NULL,
  created_by    TEXT NOT NULL,
  deleted_at_ms INTEGER,                            -- from then on it is deleted, and can be undeleted; may be to come
  destroyed     INTEGER NOT NULL DEFAULT 0 CHECK (destroyed IN (0, 1)),
  keys          TEXT NOT NULL,                      -- the names in the map, as a JSON array; not their values
  kek           INTEGER NOT NULL,                   -- the key of keyring that wraps the data key
  data_key      TEXT NOT NULL,                      -- the wrapped data key; '' once destroyed
  sealed        TEXT NOT NULL,                      -- the map as JSON, sealed; '' once destroyed
  digest        TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (path, version)
) WITHOUT ROWID;

-- How secrets are kept where their own row says nothing. One row.
CREATE TABLE secret_config (
  only            INTEGER PRIMARY KEY CHECK (only = 1),
  max_versions    INTEGER NOT NULL DEFAULT 10,
  cas_required    INTEGER NOT NULL DEFAULT 0 CHECK (cas_required IN (0, 1)),
  delete_after_ms INTEGER NOT NULL DEFAULT 0,
  digest          TEXT NOT NULL DEFAULT ''
);
INSERT INTO secret_config (only) VALUES (1);

-- Who may ask over the socket: a token is known by its keyed hash alone.
CREATE TABLE token (
  hash           TEXT PRIMARY KEY NOT NULL,
  accessor       TEXT NOT NULL UNIQUE,              -- names it without giving it away
  name           TEXT NOT NULL,                     -- whose it is, for the audit log
  kind           TEXT NOT NULL CHECK (kind IN ('person', 'instance', 'trusted', 'wrapping')),
  policies       TEXT NOT NULL,                     -- a JSON array of names
  instance       INTEGER,                           -- of kind 'instance': it ends with it
  created_at_ms  INTEGER NOT NULL,
  ttl_ms         INTEGER NOT NULL,                  -- a renewal makes it live so long again,
  expires_at_ms  INTEGER NOT NULL,
  ends_at_ms     INTEGER NOT NULL,                  -- but never beyond this
  uses_left      INTEGER,                           -- NULL: any number
  wrapped        TEXT NOT NULL DEFAULT '',          -- of kind 'wrapping': the answer, sealed
  wrapped_path   TEXT NOT NULL DEFAULT '',          -- and what it was the answer to
  mac            TEXT NOT NULL DEFAULT ''           -- keyed hash of the above: a row of other hands gives no rights
) WITHOUT ROWID;
CREATE INDEX token_by_end ON token (expires_at_ms);

-- Every access to a secret, allowed or denied: written and synced before the value is released. Append-only; each line
-- is chained to the one before by a keyed hash. Values appear as keyed hashes alone.
CREATE TABLE audit (
  seq       INTEGER PRIMARY KEY,                    -- from 1, without a gap
  at_ms     INTEGER NOT NULL,
  actor     TEXT NOT NULL,                          -- instance web-3 · token ACCESSOR (NAME) · user 0 · rowlock
  operation TEXT NOT NULL,                          -- read · create · update · delete · login · unseal …
  path      TEXT NOT NULL,
  version   INTEGER,
  outcome   TEXT NOT NULL CHECK (outcome IN ('allowed', 'denied', 'failed')),
  detail    TEXT NOT NULL DEFAULT '',
  value     TEXT NOT NULL DEFAULT '',               -- the keyed hash of what was released or written
  hash      TEXT NOT NULL
);
CREATE TRIGGER audit_is_not_edited BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Where the audit log ends, and the sum of the digests of all secret rows: what finds a truncation. One row once
-- there are keys.
CREATE TABLE audit_head (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  seq  INTEGER NOT NULL,
  hash TEXT NOT NULL,                               -- of the last line
  rows INTEGER NOT NULL,                            -- how many rows secret, secret_version and secret_config have
  sum  TEXT NOT NULL,                               -- exclusive or of their digests
  keys TEXT NOT NULL,                               -- keyed hash of all rows of keyring
  mac  TEXT NOT NULL                                -- keyed hash of the above
);
