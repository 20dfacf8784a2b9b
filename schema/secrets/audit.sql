-- The scripts of the audit log and of the digests of secret rows (controller/secrets/audit.h). The tables themselves
-- are in migrations/: they must never be lost.

-- @views

CREATE VIEW audit_metric AS
SELECT 'rowlock_audit_lines_total' AS name, 'Lines of the audit log.' AS help, 'counter' AS type, '' AS labels,
       COALESCE((SELECT seq FROM audit_head), 0) AS value;

-- @run audit.head

SELECT seq, hash, rows, sum, keys, rights, tokens, mac FROM audit_head;

-- @run audit.wall

-- A line is dated by people's clock.
SELECT wall_ms - now_ms FROM clock;

-- @run audit.set_head

INSERT INTO audit_head (only, seq, hash, rows, sum, keys, rights, tokens, mac)
VALUES (1, :seq, :hash, :rows, :sum, :keys, :rights, :tokens, :mac)
ON CONFLICT (only) DO UPDATE
SET seq    = excluded.seq,
    hash   = excluded.hash,
    rows   = excluded.rows,
    sum    = excluded.sum,
    keys   = excluded.keys,
    rights = excluded.rights,
    tokens = excluded.tokens,
    mac    = excluded.mac;

-- @run audit.append

INSERT INTO audit (seq, at_ms, actor, operation, path, version, outcome, detail, value, hash)
VALUES (:seq, :at_ms, :actor, :operation, :path, :version, :outcome, :detail, :value, :hash);

-- @run audit.lines

SELECT seq, at_ms, actor, operation, path, version, outcome, detail, value, hash
FROM audit
WHERE seq > :seq
ORDER BY seq
LIMIT 1000;

-- @run audit.counts

-- How many there are in all: those that no page of the above begins with must not stay unseen.
SELECT (SELECT count(*) FROM audit) AS lines,
       (SELECT count(*) FROM secret) + (SELECT count(*) FROM secret_version) + (SELECT count(*) FROM secret_config)
         AS rows;

-- @run audit.blobs

-- The same bytes as no text are another value to SQLite, with the same digest.
SELECT (SELECT count(*) FROM audit
        WHERE 'blob' IN (typeof(actor), typeof(operation), typeof(path), typeof(outcome), typeof(detail),
                         typeof(value), typeof(hash)))
         + (SELECT count(*) FROM secret WHERE 'blob' IN (typeof(path), typeof(custom_metadata), typeof(digest)))
         + (SELECT count(*) FROM secret_version
            WHERE 'blob' IN (typeof(path), typeof(version), typeof(created_by), typeof(keys), typeof(data_key),
                             typeof(sealed), typeof(digest)))
         + (SELECT count(*) FROM secret_config WHERE typeof(digest) = 'blob')
         + (SELECT count(*) FROM audit_head
            WHERE 'blob' IN (typeof(hash), typeof(sum), typeof(keys), typeof(rights), typeof(tokens), typeof(mac)))
         + (SELECT count(*) FROM token WHERE 'blob' IN (typeof(hash), typeof(mac)))
         + (SELECT count(*) FROM token_gone WHERE 'blob' IN (typeof(hash), typeof(mac)))
         + (SELECT count(*) FROM audit_segment
            WHERE 'blob' IN (typeof(hash_before), typeof(hash), typeof(mac_before), typeof(packed), typeof(mac)))
         + (SELECT count(*) FROM audit_archive WHERE typeof(mac) = 'blob')
         + (SELECT count(*) FROM keyring WHERE 'blob' IN (typeof(purpose), typeof(sealed))) AS rows;

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

-- @run cli.audit

SELECT seq, at_ms, actor, operation, path, version, outcome, detail
FROM (SELECT seq, at_ms, actor, operation, path, version, outcome, detail FROM audit ORDER BY seq DESC LIMIT :most)
ORDER BY seq;
