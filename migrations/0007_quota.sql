-- Who had an answer wrapped: its token's accessor, and the policies that it had then, a JSON array. What waits is
-- counted by them (schema/secrets/quota.sql). '' and []: the operator, or a Rowlock that did not know.
ALTER TABLE token ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN made_policies TEXT NOT NULL DEFAULT '[]';
