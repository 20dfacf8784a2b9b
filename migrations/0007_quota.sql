-- Who had an answer wrapped: its token's accessor, and the policies that it had then, a JSON array. What waits is
-- counted by them (schema/secrets/quota.sql). '' and []: the operator, or a Rowlock that did not know.
ALTER TABLE token ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN made_policies TEXT NOT NULL DEFAULT '[]';
ALTER TABLE token ADD COLUMN wrapped_bytes INTEGER NOT NULL DEFAULT 0;   -- length of `wrapped`

-- Has all that counting asks for: the rows themselves may hold a megabyte each, which would be read to get past it.
CREATE INDEX token_by_maker ON token (made_by, expires_at_ms, made_policies, wrapped_bytes, kind)
  WHERE kind = 'wrapping';
