-- What becomes of the history of desired.db: changes stand in `revision` and `change` for some days, then those of a
-- day are packed into one row, and at last that row goes.
--
--   change, revision ──change_days──▶ change_pack, a row a day ──history_days──▶ gone
--
-- A pack is whole once its row is there, and until then nothing has left its place: the rows that it holds go in slices
-- afterwards. Whoever reads history reads `change` above the last packed revision, and below it the packs.

-- @kind history
--   of:     'history'
--   due:    pack drop
--   retry:  1 min to 1 h

-- @views

-- Up to which revision all is packed.
CREATE VIEW history_packed AS
SELECT COALESCE((SELECT p.last_revision FROM change_pack AS p ORDER BY p.first_revision DESC LIMIT 1), 0) AS revision;

-- The oldest revision that is not packed. The newest one of all stays as it is: the next one counts on from it.
CREATE VIEW history_oldest AS
SELECT r.id, r.at_ms, (SELECT max(n.id) FROM revision AS n) AS newest
FROM revision AS r
WHERE r.id = (SELECT min(o.id) FROM revision AS o WHERE o.id > (SELECT p.revision FROM history_packed AS p))
  AND r.id < (SELECT max(n.id) FROM revision AS n);

-- What is due. The age of moments that are people's is counted by the clock that nobody sets. Rows of `change` are
-- counted by their place: they come at the end and go at the beginning.
CREATE VIEW history_fact AS
SELECT 'history' AS name, 'change' AS target, NULL AS due_at_ms, 'pack' AS due
FROM history_oldest AS o
JOIN retention_setting AS s
JOIN clock AS c
WHERE (o.at_ms / 86400000 + 1 + s.change_days) * 86400000 <= c.now_ms
   OR (SELECT max(e.rowid) FROM change AS e)
        - (SELECT min(e.rowid) FROM change AS e WHERE e.revision = o.id) > s.changes_max
UNION ALL
SELECT 'history', 'change_pack', NULL, 'drop'
FROM change_pack AS p
JOIN retention_setting AS s
JOIN clock AS c
WHERE p.first_revision = (SELECT min(q.first_revision) FROM change_pack AS q)
  AND p.last_at_ms < c.now_ms - s.history_days * 86400000
  AND p.last_revision < (SELECT min(r.id) FROM revision AS r);

CREATE VIEW history_rule (due, step, reason) AS VALUES
  ('pack', 'pack', 'the changes of a day have become old, or there are too many'),
  ('drop', 'drop', 'the oldest changes are older than retention.history_days');

CREATE VIEW history_input AS
SELECT 'change' AS target, o.id AS first_revision, o.newest FROM history_oldest AS o;

CREATE VIEW history_status AS
SELECT 'history' AS kind, 'history' AS name, 'failed' AS state,
       'old changes cannot be packed: ' || h.detail AS detail, h.since_ms
FROM retry AS h
WHERE h.kind = 'history';

CREATE VIEW history_why AS
SELECT 'history' AS kind, 'history' AS name, h.target, 'old changes cannot be packed: ' || h.detail AS reason,
       h.since_ms
FROM retry AS h
WHERE h.kind = 'history';

-- @wake

-- There may be another day.
CREATE TEMP TRIGGER wake_history_packed AFTER INSERT ON change_pack BEGIN
  INSERT INTO dirty VALUES ('history');
END;

-- @run history.pack.done

-- Once, should the step be made again.
INSERT INTO change_pack (first_revision, last_revision, day, last_at_ms, changes, plain_bytes, packed)
SELECT :first_revision, :last_revision, :day, :last_at_ms, :changes, :plain_bytes, :packed
WHERE :first_revision > (SELECT revision FROM history_packed);

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'history', 'history', :day, 'packed',
        :changes || ' changes of ' || :day || ', revisions ' || :first_revision || ' to ' || :last_revision);

-- @run history.drop

DELETE FROM change_pack WHERE first_revision = (SELECT min(p.first_revision) FROM change_pack AS p);

-- @run history.changes

-- Of some revisions, in their order, as the lines of a pack.
SELECT c.revision, r.at_ms,
       json_array(c.revision, r.at_ms, c.table_name, c.row_key, c.before, c.after) AS line
FROM change AS c
JOIN revision AS r ON r.id = c.revision
WHERE c.revision BETWEEN :from AND :to
ORDER BY c.revision, c.table_name, c.row_key;

-- @run history.past

-- Of some revisions, the newest first.
SELECT c.revision, r.at_ms, c.table_name, c.row_key, c.before, c.after
FROM change AS c
JOIN revision AS r ON r.id = c.revision
WHERE c.revision BETWEEN :from AND :to
ORDER BY c.revision DESC, c.table_name DESC, c.row_key DESC;

-- @run history.reach

-- The revisions that are not packed, and the oldest one whose rows can still be told: the one before the first of which
-- the changes are known.
SELECT (SELECT revision FROM history_packed) AS packed,
       COALESCE((SELECT max(id) FROM revision), 0) AS newest,
       COALESCE((SELECT min(first_revision) FROM change_pack), (SELECT min(id) FROM revision), 1) - 1 AS oldest;

-- @run history.packs

-- The newest pack before a revision, if it goes beyond another one.
SELECT first_revision, changes, packed
FROM change_pack
WHERE first_revision < :before AND last_revision > :after
ORDER BY first_revision DESC
LIMIT 1;
