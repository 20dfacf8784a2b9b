-- Tokens: who may ask for secrets over HTTP, and how long. The table is in migrations/0002_secrets.sql: a token that
-- somebody holds must outlive a rebuilt state.db. One ends by the clock, by its uses, or with whoever it was given to:
-- the instance that is no longer kept, the row of `trust` that was deleted.

-- @views

-- Every token with what it may do now. An instance's token has the policies that its job is given at the moment of each
-- use, a trusted one those of its row of `trust`, with whose name it begins: "ci: repo:school/api:ref:refs/heads/main".
CREATE VIEW token_now AS
SELECT t.hash,
       t.accessor,
       t.name,
       t.kind,
       CASE t.kind WHEN 'instance'
                   THEN (SELECT json_group_array(g.policy)
                         FROM (SELECT o.policy FROM instance AS i JOIN job_policy AS o ON o.job = i.job
                               WHERE i.id = t.instance ORDER BY o.policy) AS g)
                   WHEN 'trusted'
                   THEN (SELECT r.policies FROM trust AS r
                         WHERE r.name = substr(t.name, 1, instr(t.name || ':', ':') - 1))
                   ELSE t.policies END                                                            AS policies,
       t.instance,
       t.created_at_ms,
       t.ttl_ms,
       t.expires_at_ms,
       t.ends_at_ms,
       t.uses_left,
       t.wrapped,
       t.wrapped_path,
       t.made_by,
       t.made_policies,
       CASE t.kind WHEN 'instance' THEN EXISTS (SELECT 1 FROM instance AS i WHERE i.id = t.instance AND i.run = 1)
                   WHEN 'trusted'  THEN EXISTS (SELECT 1 FROM trust AS r
                                                WHERE r.name = substr(t.name, 1, instr(t.name || ':', ':') - 1))
                   ELSE 1 END                                                                     AS has_holder
FROM token AS t;

-- @wake

-- A row of `trust` that comes later is another one, whatever it is called.
CREATE TEMP TRIGGER token_loses_trust AFTER DELETE ON trust BEGIN
  DELETE FROM token WHERE kind = 'trusted' AND substr(name, 1, instr(name || ':', ':') - 1) = OLD.name;
END;
CREATE TEMP TRIGGER token_changes_trust AFTER UPDATE OF issuer, audience, claims ON trust BEGIN
  DELETE FROM token WHERE kind = 'trusted' AND substr(name, 1, instr(name || ':', ':') - 1) = OLD.name;
END;

-- Until the sum of all tokens is without it (controller/secrets/rights.h).
CREATE TEMP TRIGGER token_goes AFTER DELETE ON token WHEN OLD.mac <> '' BEGIN
  INSERT OR REPLACE INTO token_gone (hash, mac) VALUES (OLD.hash, OLD.mac);
END;

-- @run token.make

INSERT INTO token (hash, accessor, name, kind, policies, instance, created_at_ms, ttl_ms, expires_at_ms, ends_at_ms,
                   uses_left, wrapped, wrapped_path, made_by, made_policies, wrapped_bytes)
VALUES (:hash, :accessor, :name, :kind, :policies, :instance, :now_ms, :ttl_ms, :expires_at_ms, :ends_at_ms,
        :uses_left, :wrapped, :wrapped_path, :made_by, :made_policies, length(:wrapped));

-- @run token.find

SELECT hash, accessor, name, kind, policies, instance, created_at_ms, ttl_ms, expires_at_ms, ends_at_ms, uses_left,
       wrapped, wrapped_path, made_by, made_policies
FROM token_now
WHERE hash = :hash AND expires_at_ms > :now_ms AND uses_left IS NOT 0 AND has_holder;

-- @run token.find_accessor

SELECT hash, accessor, name, kind, policies, instance, created_at_ms, ttl_ms, expires_at_ms, ends_at_ms, uses_left,
       wrapped, wrapped_path, made_by, made_policies
FROM token_now
WHERE accessor = :accessor AND expires_at_ms > :now_ms AND uses_left IS NOT 0 AND has_holder;

-- @run token.row

-- All that is written of one, in the order of its mac. The same bytes as no text would be another value to SQLite.
SELECT hash, accessor, name, kind, policies, instance, created_at_ms, ttl_ms, expires_at_ms, ends_at_ms, uses_left,
       wrapped, wrapped_path,
       typeof(hash) || typeof(accessor) || typeof(name) || typeof(kind) || typeof(policies) || typeof(wrapped)
         || typeof(wrapped_path)
         -- what came later, where it says something: older rows have the mac that they had
         || CASE WHEN quote(made_by) = '''''' AND quote(made_policies) = '''[]''' AND quote(wrapped_bytes) = '0' THEN ''
                 ELSE quote(made_by) || quote(made_policies) || quote(wrapped_bytes) END AS types,
       mac
FROM token
WHERE hash = :hash;

-- @run token.sign

UPDATE token SET mac = :mac WHERE hash = :hash;

-- @run token.use

UPDATE token SET uses_left = uses_left - 1 WHERE hash = :hash AND uses_left > 0;

-- @run token.renew

UPDATE token SET expires_at_ms = min(ends_at_ms, :now_ms + :ttl_ms) WHERE hash = :hash;

-- @run token.revoke

DELETE FROM token WHERE hash = :hash;

-- @run token.accessors

-- Wrapping tokens are nobody's: they are known to whoever was handed one.
SELECT accessor
FROM token_now
WHERE expires_at_ms > :now_ms AND uses_left IS NOT 0 AND has_holder AND kind <> 'wrapping'
ORDER BY accessor
LIMIT :most;

-- @run token.prune

DELETE FROM token
WHERE hash IN (SELECT hash FROM token WHERE expires_at_ms <= :now_ms ORDER BY expires_at_ms LIMIT :most);
