-- Whoever reads state.db in one transaction that does not end keeps its -wal from being begun anew: it grows with every
-- row that is written, until the disk is full. The controller looks at its size (controller/service/wal_watch.h).

-- @observed

-- The -wal of state.db while it is larger than it should be: one row at most.
CREATE TABLE wal_held (
  only     INTEGER PRIMARY KEY CHECK (only = 1),
  bytes    INTEGER NOT NULL,                   -- when it was looked at last
  reader   TEXT NOT NULL,                      -- in words: whoever reads it, as far as that can be found
  since_ms INTEGER NOT NULL
);

-- @views

CREATE VIEW wal_status AS
SELECT 'state' AS kind,
       'state.db' AS name,
       'waiting' AS state,
       'its -wal has grown to ' || (w.bytes / 1000000) || ' MB and cannot be begun anew while ' || w.reader
         || ' reads it in one transaction: end that' AS detail,
       w.since_ms
FROM wal_held AS w;

CREATE VIEW wal_why AS
SELECT s.kind, s.name, s.name AS target, 'state.db: ' || s.detail AS reason, s.since_ms FROM wal_status AS s;

CREATE VIEW wal_metric AS
SELECT 'rowlock_state_wal_held_bytes' AS name,
       'Size of the -wal of state.db while a reader keeps it from being begun anew, otherwise 0.' AS help,
       'gauge' AS type, '' AS labels, COALESCE((SELECT w.bytes FROM wal_held AS w), 0) AS value;

-- @begin

DELETE FROM wal_held;

-- @run wal.held

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'state', 'state.db', 'state.db', 'wal held',
       'its -wal has grown to ' || (:bytes / 1000000) || ' MB while ' || :reader || ' reads it in one transaction'
WHERE NOT EXISTS (SELECT 1 FROM wal_held);

INSERT INTO wal_held (only, bytes, reader, since_ms) VALUES (1, :bytes, :reader, :since_ms)
ON CONFLICT (only) DO UPDATE SET bytes = excluded.bytes, reader = excluded.reader;

-- @run wal.free

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'state', 'state.db', 'state.db', 'wal free', 'its -wal was begun anew'
WHERE EXISTS (SELECT 1 FROM wal_held);

DELETE FROM wal_held;
