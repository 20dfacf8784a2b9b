-- What failed and when it is tried again belongs to the loop (schema/kernel/retry.sql). What stays with a backup is
-- whether its last try may have left its object in the store all the same.
ALTER TABLE backup ADD COLUMN unsettled INTEGER NOT NULL DEFAULT 0;
UPDATE backup SET unsettled = 1 WHERE state = 'failed' AND retry_at_ms > 0;
ALTER TABLE backup DROP COLUMN tries;
ALTER TABLE backup DROP COLUMN retry_at_ms;
