-- Whether the secret store is open, as the plan and `status` see it; controller/secrets/seal_keeper.h opens and closes.
--
--   absent ──rowlock secret init──▶ open ──seal, or Rowlock ends──▶ sealed ──key or shares──▶ open

-- @observed

-- One row, written whenever that changes.
CREATE TABLE seal (
  only      INTEGER PRIMARY KEY CHECK (only = 1),
  state     TEXT NOT NULL CHECK (state IN ('absent', 'sealed', 'open')),
  progress  INTEGER NOT NULL DEFAULT 0,          -- shares given since it was sealed
  threshold INTEGER NOT NULL DEFAULT 0,          -- of so many; 0: not known, no share was given yet
  detail    TEXT NOT NULL DEFAULT '',            -- why it did not open by itself at the start
  since_ms  INTEGER NOT NULL
);

-- @views

CREATE VIEW seal_status AS
SELECT 'secret' AS kind,
       'secrets' AS name,
       CASE s.state WHEN 'open' THEN 'converged' ELSE 'waiting' END AS state,
       CASE WHEN s.state = 'open' THEN 'open'
            ELSE 'sealed' || CASE WHEN s.threshold > 0 THEN ', ' || s.progress || ' of ' || s.threshold || ' shares'
                                  ELSE '' END
                 || CASE s.detail WHEN '' THEN '' ELSE ': ' || s.detail END
                 || ': rowlock secret unseal' END AS detail,
       s.since_ms
FROM seal AS s
WHERE s.state <> 'absent';

CREATE VIEW seal_why AS
SELECT 'secret' AS kind,
       'secrets' AS name,
       'seal' AS target,
       'the secret store is sealed: give the key or shares with rowlock secret unseal'
         || CASE s.detail WHEN '' THEN '' ELSE '; it did not open by itself: ' || s.detail END AS reason,
       s.since_ms
FROM seal AS s
WHERE s.state = 'sealed';

CREATE VIEW seal_metric AS
SELECT 'rowlock_sealed' AS name, 'Whether the secret store is sealed: 1, or open: 0.' AS help, 'gauge' AS type,
       '' AS labels, s.state = 'sealed' AS value
FROM seal AS s
WHERE s.state <> 'absent';

-- @wake

-- Who waits for it, and who can go on without.
CREATE TEMP TRIGGER wake_seal_insert AFTER INSERT ON seal BEGIN
  INSERT INTO dirty SELECT DISTINCT job FROM instance;
END;
CREATE TEMP TRIGGER wake_seal_update AFTER UPDATE OF state ON seal WHEN NEW.state <> OLD.state BEGIN
  INSERT INTO dirty SELECT DISTINCT job FROM instance;
END;

-- @run seal.state

SELECT state FROM seal;

-- @run seal.write

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'secret', 'secrets', 'seal', :state, :detail
WHERE :state <> COALESCE((SELECT state FROM seal), 'absent');

INSERT INTO seal (only, state, progress, threshold, detail, since_ms)
VALUES (1, :state, :progress, :threshold, :detail, :now_ms)
ON CONFLICT (only) DO UPDATE
SET since_ms  = CASE state WHEN excluded.state THEN since_ms ELSE excluded.since_ms END,
    state     = excluded.state,
    progress  = excluded.progress,
    threshold = excluded.threshold,
    detail    = excluded.detail;

-- @run seal.rotated

-- Identities signed by a key that will be dropped are renewed by the new one.
UPDATE delivery SET identity_at_ms = :now_ms WHERE state = 'there' AND identity_at_ms IS NOT NULL;

-- @run keyring.all

SELECT id, purpose, created_at_ms, sealed FROM keyring ORDER BY id;

-- @run keyring.next

SELECT COALESCE(max(id), 0) + 1 AS id FROM keyring;

-- @run keyring.store

INSERT INTO keyring (id, purpose, created_at_ms, sealed) VALUES (:id, :purpose, :created_at_ms, :sealed)
ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed;

-- @run keyring.drop

DELETE FROM keyring WHERE id = :id;

-- @run keyring.used

SELECT kek AS id FROM secret_version WHERE destroyed = 0
UNION
SELECT kek FROM database_login WHERE sealed <> '';

-- @run cli.doctor_seal

-- Once there are keys.
SELECT state, detail FROM seal WHERE state <> 'absent';
