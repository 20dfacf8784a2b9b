-- Where each backup was put: its store's address at that moment, as the view object_store_place has it; '' until that
-- is known. And whether it was missing there, or of another size, when its store was looked at last.
ALTER TABLE backup ADD COLUMN place TEXT NOT NULL DEFAULT '';
ALTER TABLE backup ADD COLUMN lost INTEGER NOT NULL DEFAULT 0 CHECK (lost IN (0, 1));
