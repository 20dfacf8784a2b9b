-- Secrets as rows: what the store's scripts read and write (controller/secrets/secret_store.h), which instance holds
-- which version, and what depends on a secret. The tables of the store are in migrations/: they must never be lost.

-- @observed

-- The ledger: which instance holds which version of a secret, since when. Written before the version is released;
-- an entry ends when another version took its place or the instance's folder is gone. Old ones are pruned.
CREATE TABLE secret_use (
  instance INTEGER NOT NULL,
  holder   TEXT NOT NULL,              -- the instance's name
  job      TEXT NOT NULL,
  path     TEXT NOT NULL,
  version  INTEGER NOT NULL,
  since_ms INTEGER NOT NULL,
  until_ms INTEGER,                    -- NULL: holds it
  PRIMARY KEY (instance, path, version)
);
CREATE INDEX secret_use_held ON secret_use (path, version) WHERE until_ms IS NULL;
CREATE INDEX secret_use_past ON secret_use (until_ms) WHERE until_ms IS NOT NULL;

-- @views

-- Which secrets a job needs, by its rows as they are now.
CREATE VIEW job_need AS
SELECT s.job, s.path, s.key FROM job_secret AS s
UNION
SELECT t.job, t.path, t.key FROM job_template_secret AS t;

-- What is hit when a secret leaks or breaks: the jobs that need it, their routes, and how many instances hold it.
CREATE VIEW blast_radius AS
SELECT n.path,
       n.job,
       r.name AS route,
       r.host AS host,
       (SELECT count(DISTINCT u.instance) FROM secret_use AS u
        WHERE u.path = n.path AND u.job = n.job AND u.until_ms IS NULL) AS holders
FROM (SELECT DISTINCT path, job FROM job_need) AS n
LEFT JOIN route AS r ON r.job = n.job OR r.next_job = n.job;

CREATE VIEW secret_metric AS
SELECT 'rowlock_secrets' AS name, 'Secrets in the store.' AS help, 'gauge' AS type, '' AS labels,
       (SELECT count(*) FROM secret) AS value;

-- @wake

CREATE TEMP TRIGGER wake_secret_insert AFTER INSERT ON secret BEGIN
  INSERT INTO dirty SELECT job FROM job_secret WHERE path = NEW.path;
  INSERT INTO dirty SELECT job FROM job_template WHERE instr(text, NEW.path) > 0;
END;
CREATE TEMP TRIGGER wake_secret_update AFTER UPDATE OF updated_at_ms, current_version ON secret BEGIN
  INSERT INTO dirty SELECT job FROM job_secret WHERE path = NEW.path;
  INSERT INTO dirty SELECT job FROM job_template WHERE instr(text, NEW.path) > 0;
END;
CREATE TEMP TRIGGER wake_secret_delete AFTER DELETE ON secret BEGIN
  INSERT INTO dirty SELECT job FROM job_secret WHERE path = OLD.path;
  INSERT INTO dirty SELECT job FROM job_template WHERE instr(text, OLD.path) > 0;
END;

-- @run secret.row

SELECT path, current_version, oldest_version, max_versions, cas_required, delete_after_ms, custom_metadata,
       created_at_ms, updated_at_ms
FROM secret
WHERE path = :path;

-- @run secret.version

SELECT path, version, created_at_ms, created_by, deleted_at_ms, destroyed, kek, data_key, sealed
FROM secret_version
WHERE path = :path AND version = :version;

-- @run secret.versions

SELECT version, created_at_ms, created_by, deleted_at_ms, destroyed
FROM secret_version
WHERE path = :path
ORDER BY version;

-- @run secret.make

INSERT OR IGNORE INTO secret (path, created_at_ms, updated_at_ms) VALUES (:path, :now_ms, :now_ms);

-- @run secret.next_version

-- The version that comes next, and when it is to be deleted by itself: the sooner of what the secret and what the
-- settings say; negative is never.
SELECT s.current_version + 1 AS version,
       CASE WHEN c.delete_after_ms < 0 OR s.delete_after_ms < 0        THEN NULL
            WHEN c.delete_after_ms > 0 AND s.delete_after_ms > 0
                 THEN :now_ms + min(c.delete_after_ms, s.delete_after_ms)
            WHEN c.delete_after_ms + s.delete_after_ms > 0
                 THEN :now_ms + c.delete_after_ms + s.delete_after_ms END AS deleted_at_ms
FROM secret AS s
CROSS JOIN secret_config AS c
WHERE s.path = :path;

-- @run secret.add_version

INSERT INTO secret_version (path, version, created_at_ms, created_by, deleted_at_ms, keys, kek, data_key, sealed)
VALUES (:path, :version, :now_ms, :created_by, :deleted_at_ms, :keys, :kek, :data_key, :sealed);

UPDATE secret
SET current_version = :version,
    oldest_version  = CASE oldest_version WHEN 0 THEN :version ELSE oldest_version END,
    updated_at_ms   = :now_ms
WHERE path = :path;

-- @run secret.surplus

-- The versions beyond the number that is kept; one that an instance holds stays until it is let go of.
SELECT v.version
FROM secret_version AS v
JOIN secret AS s ON s.path = v.path
CROSS JOIN secret_config AS c
WHERE v.path = :path
  AND v.version <= s.current_version - CASE WHEN s.max_versions > 0 THEN s.max_versions
                                            WHEN c.max_versions > 0 THEN c.max_versions ELSE 10 END
  AND NOT EXISTS (SELECT 1 FROM secret_use AS u
                  WHERE u.path = v.path AND u.version = v.version AND u.until_ms IS NULL)
ORDER BY v.version;

-- @run secret.drop_version

DELETE FROM secret_version WHERE path = :path AND version = :version;

UPDATE secret
SET oldest_version = COALESCE((SELECT min(version) FROM secret_version WHERE path = :path), 0)
WHERE path = :path;

-- @run secret.delete

UPDATE secret_version
SET deleted_at_ms = :now_ms
WHERE path = :path AND version = :version AND destroyed = 0 AND (deleted_at_ms IS NULL OR deleted_at_ms > :now_ms);

-- @run secret.undelete

UPDATE secret_version SET deleted_at_ms = NULL WHERE path = :path AND version = :version AND destroyed = 0;

-- @run secret.destroy

UPDATE secret_version SET destroyed = 1, data_key = '', sealed = '' WHERE path = :path AND version = :version;

-- @run secret.touch

UPDATE secret SET updated_at_ms = :now_ms WHERE path = :path;

-- @run secret.remove

DELETE FROM secret WHERE path = :path;

-- @run secret.holders

-- Who holds one of the versions in the JSON array :versions; NULL: any version.
SELECT u.holder, u.version
FROM secret_use AS u
WHERE u.path = :path AND u.until_ms IS NULL
  AND (:versions IS NULL OR u.version IN (SELECT value FROM json_each(:versions)))
ORDER BY u.version, u.holder
LIMIT 20;

-- @run secret.set_metadata

UPDATE secret
SET max_versions    = COALESCE(:max_versions, max_versions),
    cas_required    = COALESCE(:cas_required, cas_required),
    delete_after_ms = COALESCE(:delete_after_ms, delete_after_ms),
    custom_metadata = COALESCE(:custom_metadata, custom_metadata),
    updated_at_ms   = :now_ms
WHERE path = :path;

-- @run secret.list

-- What lies directly under :folder, which is '' or ends in a slash.
SELECT DISTINCT CASE WHEN instr(substr(s.path, length(:folder) + 1), '/') = 0 THEN substr(s.path, length(:folder) + 1)
                     ELSE substr(s.path, length(:folder) + 1, instr(substr(s.path, length(:folder) + 1), '/')) END
         AS name
FROM secret AS s
WHERE substr(s.path, 1, length(:folder)) = :folder
ORDER BY name;

-- @run secret.config

SELECT max_versions, cas_required, delete_after_ms FROM secret_config;

-- @run secret.set_config

UPDATE secret_config
SET max_versions    = COALESCE(:max_versions, max_versions),
    cas_required    = COALESCE(:cas_required, cas_required),
    delete_after_ms = COALESCE(:delete_after_ms, delete_after_ms);

-- @run secret.wrapped_by_older

SELECT path, version, kek, data_key FROM secret_version WHERE destroyed = 0 AND kek <> :kek ORDER BY path, version;

-- @run secret.rewrap

UPDATE secret_version SET kek = :kek, data_key = :data_key WHERE path = :path AND version = :version;

-- @run cli.secret_counts

SELECT (SELECT count(*) FROM secret) AS secrets,
       (SELECT count(*) FROM secret_version WHERE destroyed = 0) AS versions,
       (SELECT count(*) FROM token WHERE expires_at_ms > :now) AS tokens;
