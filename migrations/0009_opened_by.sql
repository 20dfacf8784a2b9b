-- Whom each backup was encrypted for, as JSON: known when it is made, or once it was opened; '' until then. And the
-- database in which an older Rowlock verified it, under a name without the home's id, where that may be there yet; ''
-- says that it is not.
ALTER TABLE backup ADD COLUMN recipients TEXT NOT NULL DEFAULT '';
ALTER TABLE backup ADD COLUMN scratch TEXT NOT NULL DEFAULT '';
UPDATE backup
SET scratch = 'rowlock_verify_' || id
WHERE kind = 'postgres' AND (state = 'verifying' OR (state = 'stored' AND verify_detail <> ''));
