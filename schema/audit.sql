-- The scripts of the audit log and of the digests of secret rows (controller/secrets/audit.h). The tables themselves
-- are in migrations/: they must never be lost.

-- @run audit.head

SELECT seq, hash, rows, sum, mac FROM audit_head;

-- @run audit.set_head

INSERT INTO audit_head (only, seq, hash, rows, sum, mac) VALUES (1, :seq, :hash, :rows, :sum, :mac)
ON CONFLICT (only) DO UPDATE
SET seq = excluded.seq, hash = excluded.hash, rows = excluded.rows, sum = excluded.sum, mac = excluded.mac;

-- @run audit.append

INSERT INTO audit (seq, at_ms, actor, operation, path, version, outcome, detail, value, hash)
VALUES (:seq, :at_ms, :actor, :operation, :path, :version, :outcome, :detail, :value, :hash);

-- @run audit.lines

SELECT seq, at_ms, actor, operation, path, version, outcome, detail, value, hash
FROM audit
WHERE seq > :seq
ORDER BY seq
LIMIT 1000;

-- @run digest.secret

SELECT path, current_version, oldest_version, max_versions, cas_required, delete_after_ms, custom_metadata,
       created_at_ms, updated_at_ms, digest
FROM secret
WHERE path = :path;

-- @run digest.secret.set

UPDATE secret SET digest = :digest WHERE path = :path;

-- @run digest.secret.next

SELECT path, current_version, oldest_version, max_versions, cas_required, delete_after_ms, custom_metadata,
       created_at_ms, updated_at_ms, digest
FROM secret
WHERE path > :path
ORDER BY path
LIMIT 100;

-- @run digest.secret_version

SELECT path, version, created_at_ms, created_by, deleted_at_ms, destroyed, keys, kek, data_key, sealed, digest
FROM secret_version
WHERE path = :path AND version = :version;

-- @run digest.secret_version.set

UPDATE secret_version SET digest = :digest WHERE path = :path AND version = :version;

-- @run digest.secret_version.next

SELECT path, version, created_at_ms, created_by, deleted_at_ms, destroyed, keys, kek, data_key, sealed, digest
FROM secret_version
WHERE (path, version) > (:path, :version)
ORDER BY path, version
LIMIT 100;

-- @run digest.secret_config

SELECT only AS path, max_versions, cas_required, delete_after_ms, digest FROM secret_config WHERE only = 1;

-- @run digest.secret_config.set

UPDATE secret_config SET digest = :digest WHERE only = 1;

-- @run digest.secret_config.next

SELECT only AS path, max_versions, cas_required, delete_after_ms, digest FROM secret_config WHERE :path = '';
