-- So that rows of backups that are long gone can go as well (schema/kernel/retention.sql): those whose object is
-- deleted, and those that came to nothing.
CREATE INDEX backup_over ON backup (due_at_ms)
WHERE state = 'expired' OR (state = 'failed' AND stored_at_ms IS NULL AND unsettled = 0);
