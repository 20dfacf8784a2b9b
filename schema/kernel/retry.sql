-- Trying again belongs to the loop, for every kind alike: a kind says in its declaration how late (`retry: 2 s to 5
-- min`), and its own file holds only what it does differently once a step has failed.
--
--   failed ──transient──▶ backs off, twice as long each time ──▶ tried again
--          ──broken────▶ backs off for the longest time ──────▶ tried again
--          ──rejected──▶ waits for an edit that concerns the name, or for `rowlock retry NAME`; and what may be
--                        mended elsewhere (a folder, a login, an image) is tried again by itself as well, slowly

-- @observed

-- What the kinds declare of themselves, for the scripts below. Filled anew whenever state.db is opened for writing.
CREATE TABLE kind (
  name          TEXT PRIMARY KEY NOT NULL,
  retry_from_ms INTEGER NOT NULL,
  retry_to_ms   INTEGER NOT NULL,
  looks         TEXT NOT NULL                -- steps that only look, each between blanks
);

-- A step that has failed, or that another kind has shown to be in vain (a job's place: instance.rejected). Goes away
-- when it succeeds, when an edit concerns its name, or when it is not planned any more. It holds up no other step.
CREATE TABLE retry (
  kind        TEXT NOT NULL,
  target      TEXT NOT NULL,
  name        TEXT NOT NULL,
  step        TEXT NOT NULL,
  tries       INTEGER NOT NULL,              -- how many have failed in a row
  retry_at_ms INTEGER,                       -- NULL: only an edit or `rowlock retry` helps
  detail      TEXT NOT NULL,                 -- what went wrong, for a person
  rejected    INTEGER NOT NULL,              -- 1: an engineer can mend it, and perhaps nobody else
  since_ms    INTEGER NOT NULL,              -- moment of the first failure
  PRIMARY KEY (kind, target, step)
) WITHOUT ROWID;
CREATE INDEX retry_by_name ON retry (name);

-- @views

-- What is held up now by a failure, and until when. The plan of each kind reads it.
CREATE VIEW retry_hold AS
SELECT t.kind,
       t.target,
       t.step,
       t.retry_at_ms,
       CASE t.rejected WHEN 1 THEN 'it was rejected: change its row, or ask for another try with rowlock retry '
                                     || t.name
                       ELSE 'the last try failed; tries again' END AS reason
FROM retry AS t
WHERE t.retry_at_ms > (SELECT now_ms FROM clock) OR t.retry_at_ms IS NULL;

-- When what was rejected is tried again, for people, to follow what went wrong.
CREATE VIEW retry_said AS
SELECT t.kind, t.target, t.step,
       CASE WHEN t.rejected = 0       THEN ''
            WHEN t.retry_at_ms IS NULL
            THEN '; tried again once its row is edited, or with: rowlock retry ' || t.name
            ELSE '; tried again at '
                   || strftime('%H:%M:%S', (t.retry_at_ms + (SELECT wall_ms - now_ms FROM clock)) / 1000, 'unixepoch')
                   || ' UTC, or at once with: rowlock retry ' || t.name END AS said
FROM retry AS t;

-- Everything that holds a step back, for people: one is under way, or the last one failed.
CREATE VIEW hold AS
SELECT a.kind, a.name, a.target, a.step, 'busy' AS hold, NULL AS retry_at_ms, a.phase AS detail
FROM attempt AS a
WHERE a.finished_at_ms IS NULL
UNION ALL
SELECT t.kind, t.name, t.target, t.step, CASE t.rejected WHEN 1 THEN 'rejected' ELSE 'backoff' END, t.retry_at_ms,
       t.detail
FROM retry AS t;

-- @fill

DELETE FROM kind;

-- @prune

-- What may be tried again and is not, is not wanted any more.
DELETE FROM retry
WHERE retry_at_ms < :now_ms - 600000
   OR (retry_at_ms IS NULL AND NOT EXISTS (SELECT 1 FROM planned_name AS p WHERE p.name = retry.name));

-- @run retry.note

-- After every step that failed, but for those that only look: they are made again anyway. The jitter, up to a fifth,
-- comes from the number of the attempt, so that many do not come back at once and a replay gives the same. :mendable:
-- whether it may be mended without an edit.
INSERT INTO retry (kind, target, name, step, tries, retry_at_ms, detail, rejected, since_ms)
SELECT k.name, :target, :name, :step, f.tries + 1,
       :now_ms + CASE :outcome WHEN 'transient' THEN min(k.retry_to_ms, k.retry_from_ms << min(f.tries, 20))
                               WHEN 'broken'    THEN k.retry_to_ms
                               WHEN 'rejected'  THEN
                                 CASE WHEN :mendable THEN min(3600000, 60000 << min(f.tries, 10)) END END
                 * (100 + (f.attempt * 7919 + f.tries * 104729) % 20) / 100,
       :detail, :outcome = 'rejected', :now_ms
FROM kind AS k
JOIN (SELECT COALESCE((SELECT max(id) FROM attempt), 0) AS attempt,
             COALESCE((SELECT tries FROM retry
                       WHERE kind = :kind AND target = :target AND step = :step), 0) AS tries) AS f
WHERE k.name = :kind AND k.retry_from_ms > 0 AND instr(k.looks, ' ' || :step || ' ') = 0
ON CONFLICT (kind, target, step) DO UPDATE
SET name        = excluded.name,
    tries       = excluded.tries,
    retry_at_ms = excluded.retry_at_ms,
    detail      = excluded.detail,
    rejected    = excluded.rejected;

-- Of an instance, its job says it.
UPDATE retry
SET detail = detail || (SELECT s.said FROM retry_said AS s
                        WHERE s.kind = :kind AND s.target = :target AND s.step = :step)
WHERE kind = :kind AND target = :target AND step = :step AND kind <> 'instance';

-- @run retry.event

-- Unless the kind tells it in words of its own. Who fails for hours is not told of for hours.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, :kind, :name, :target,
       CASE :outcome WHEN 'rejected' THEN 'rejected' WHEN 'broken' THEN :step || ' broken' ELSE :step || ' failed' END,
       :detail
FROM retry AS t
WHERE t.kind = :kind AND t.target = :target AND t.step = :step AND t.tries <= 3;

-- @run retry.over

-- After every step that succeeded.
DELETE FROM retry WHERE kind = :kind AND target = :target AND step = :step;

-- @run retry.freed

-- An accepted edit, or a changed secret, may be what was waited for: it concerns the names that it wakes.
DELETE FROM retry WHERE name IN (SELECT name FROM temp.dirty);

-- @run retry.of

-- What is waited for under a name.
SELECT kind, target, step, detail FROM retry WHERE name = :name ORDER BY kind, target, step;

-- @run retry.turn

-- Of a step that is made now: a retry comes after all first tries. KIND_input may have a column turn that is added to
-- it, 0 for what heals and 1 for what rolls out.
SELECT 2 * EXISTS (SELECT 1 FROM retry WHERE kind = :kind AND target = :target AND step = :step) AS turn;

-- @run retry.ask

-- `rowlock retry NAME`: all of it is tried again at once.
INSERT INTO dirty SELECT DISTINCT name FROM retry WHERE name = :name;
DELETE FROM retry WHERE name = :name;
