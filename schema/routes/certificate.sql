-- A certificate for https. Its file is somebody else's work: Rowlock looks at it again and again, and has the proxy
-- take a new one without a reload.

-- @kind certificate
--   of:          'proxy'
--   hold:        blind free
--   file_state:  stale used
--   retry:       1 s to 1 min

-- @desired

-- Which one is used is chosen by the name that the client asks for.
CREATE TABLE certificate (
  name TEXT PRIMARY KEY NOT NULL
       CONSTRAINT "certificate.name must be 1 to 63 of a-z, 0-9, '-', '_' and '.'"
       CHECK (name <> '' AND name NOT GLOB '*[^a-z0-9._-]*' AND length(name) <= 63),
  path TEXT NOT NULL      -- a PEM file with the chain and the key, or a folder of such files that end in .pem
       CONSTRAINT "certificate.path must be an absolute path without blanks, to a PEM file or a folder of them"
       CHECK (path GLOB '/?*' AND path NOT GLOB '*[ "''\#' || char(9, 10, 13) || ']*')
);

-- @observed

-- A certificate file that the proxy uses, as it was last seen.
CREATE TABLE certificate_state (
  file         TEXT PRIMARY KEY NOT NULL,
  stale        INTEGER NOT NULL,              -- 1: the file holds another one than the proxy uses
  not_after_ms INTEGER NOT NULL,              -- end of the one in use
  names        TEXT NOT NULL,
  error        TEXT NOT NULL DEFAULT ''       -- why the file cannot be used
);

-- @views

-- What the proxy uses for https.
CREATE VIEW certificate_fact AS
SELECT 'proxy' AS name,
       c.file AS target,
       NULL AS due_at_ms,
       CASE WHEN p.reach <> 'reached' THEN 'blind' ELSE 'free' END AS hold,
       CASE WHEN c.stale THEN 'stale' ELSE 'used' END AS file_state
FROM certificate_state AS c
JOIN proxy_state AS p;

CREATE VIEW certificate_rule (hold, file_state, step, reason) AS VALUES
  ('blind', 'stale', 'none', 'the proxy takes it when it starts'),
  ('free',  'stale', 'load', 'the file holds another certificate than the proxy uses'),
  ('*',     'used',  'none', '');

CREATE VIEW certificate_input AS
SELECT c.file AS target, c.file, s.socket FROM certificate_state AS c JOIN proxy_setting AS s;

CREATE VIEW certificate_status AS
SELECT 'certificate' AS kind,
       c.file AS name,
       CASE WHEN c.error <> ''                                             THEN 'failed'
            WHEN c.not_after_ms < (SELECT wall_ms FROM clock)               THEN 'failed'
            WHEN c.stale                                                   THEN 'converging'
            ELSE                                                                'converged' END AS state,
       CASE WHEN c.error <> '' THEN c.error
            ELSE c.names || ', until ' || strftime('%Y-%m-%d', c.not_after_ms / 1000, 'unixepoch')
                   || CASE WHEN c.not_after_ms < (SELECT wall_ms FROM clock) THEN ': it has expired'
                           WHEN c.not_after_ms < (SELECT wall_ms FROM clock) + 14 * 86400000
                           THEN ': put a new one in its file soon' ELSE '' END END AS detail,
       (SELECT observed_at_ms FROM proxy_state) AS since_ms
FROM certificate_state AS c;

-- @wake

CREATE TEMP TRIGGER wake_certificate_insert AFTER INSERT ON certificate BEGIN INSERT INTO dirty VALUES ('proxy'); END;
CREATE TEMP TRIGGER wake_certificate_update AFTER UPDATE ON certificate BEGIN INSERT INTO dirty VALUES ('proxy'); END;
CREATE TEMP TRIGGER wake_certificate_delete AFTER DELETE ON certificate BEGIN INSERT INTO dirty VALUES ('proxy'); END;

-- @run certificate.load.done

UPDATE certificate_state SET stale = 0, error = '' WHERE file = :target;
UPDATE proxy_state SET look_at_ms = 0;

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'certificate', 'proxy', :target, 'loaded', '');

-- @run certificate.load.failed

UPDATE certificate_state SET error = :detail WHERE file = :target;
