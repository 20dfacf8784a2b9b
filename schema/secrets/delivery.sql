-- A delivery is what one instance is given: a folder in memory (tmpfs) with its secrets as files, its identity, and the
-- environment for its launcher, mounted into it at /run/secrets. It is there before the instance is made, and gone once
-- the instance has ended.
--
--   none ──deliver──▶ there ──newer version, its turn: deliver, signal──▶ there ──instance ended──▶ remove
--     └─ sealed, missing or forbidden: waits    └─ identity half spent: renew
--
-- The values themselves are in no row: the loop opens their seals, and writes the audit log, in the transaction that
-- marks the step, so that nothing is handed to a worker that is not written down and synced.

-- @kind delivery
--   of:        delivery.job instance.job(delivers)
--   want:      folder nothing
--   state:     none begun unseen lost there stale unsignalled queued aging whole
--   obstacle:  none sealed barred
--   retry:     500 ms to 1 min

-- @observed

CREATE TABLE delivery (
  instance          INTEGER PRIMARY KEY,
  job               TEXT NOT NULL,
  folder            TEXT NOT NULL,                -- its name; the instance's
  -- what is on this machine; begun: a write was begun and its end is not known; unseen: not looked at since the start
  state             TEXT NOT NULL DEFAULT 'begun' CHECK (state IN ('begun', 'unseen', 'lost', 'there')),
  identity_until_ms INTEGER,                      -- when the identity in it ends; NULL: there is none
  identity_at_ms    INTEGER,                      -- when it is to be renewed
  services          TEXT NOT NULL DEFAULT '[]',   -- the addresses in its files, as delivery_service gives them
  signals           TEXT NOT NULL DEFAULT '[]',   -- that the instance is yet to be sent, as a JSON array
  changed_at_ms     INTEGER NOT NULL DEFAULT 0    -- moment at which its files were written last; 0: not yet
);
CREATE INDEX delivery_by_job ON delivery (job);

-- @views

-- Every instance that has a folder or is to have one. `behind`: a version or an address in it is not what it should be;
-- `moving`: how many instances of the job have just been given something new, or are not healthy; no more than
-- max_parallel may be.
CREATE VIEW delivery_state AS
SELECT i.id AS instance,
       i.job,
       (i.container = 'created' OR i.container = 'running' OR i.container = 'paused')
         OR (i.run = 1 AND i.container IN ('none', 'unpulled')) AS is_wanted,
       i.container,
       COALESCE(d.state, 'none') AS state,
       d.instance IS NOT NULL AS has_row,
       COALESCE(d.signals, '[]') <> '[]' AS is_unsignalled,
       d.identity_at_ms,
       COALESCE(json_array_length(s.body, '$.secrets.needs'), 0) > 0 AS has_needs,
       i.run,
       -- One on its way out keeps what it has.
       CASE WHEN d.state IS NOT 'there' OR i.run = 0 OR json_type(s.body, '$.secrets') IS NULL THEN 0
            ELSE EXISTS (SELECT 1 FROM delivery_need AS n
                         WHERE n.instance = i.id AND n.on_change <> 'restart' AND n.held IS NOT n.wanted
                           AND n.path NOT GLOB 'database/creds/*')
                 OR (json_array_length(s.body, '$.secrets.services') > 0
                     AND EXISTS (SELECT 1 FROM delivery_move AS m
                                 WHERE m.instance = i.id AND (m.on_change <> 'restart' OR m.is_settled))) END
         AS is_behind
FROM instance AS i
JOIN spec AS s ON s.id = i.spec
LEFT JOIN delivery AS d ON d.instance = i.id
WHERE i.delivers = 1;

CREATE VIEW delivery_fact AS
SELECT t.job AS name,
       CAST(t.instance AS TEXT) AS target,
       t.instance,
       -- Its turn, or the end of half of its identity's life.
       COALESCE(t.turn_at_ms, t.identity_at_ms) AS due_at_ms,
       CASE WHEN t.is_wanted THEN 'folder' ELSE 'nothing' END AS want,
       -- A newer version that cannot be had keeps nothing else from being done.
       CASE WHEN NOT t.has_row                                                 THEN 'none'
            WHEN t.state <> 'there'                                            THEN t.state
            WHEN t.is_behind AND t.turn_at_ms IS NULL AND t.obstacle = 'none'  THEN 'stale'
            WHEN t.is_unsignalled AND t.container = 'running'                  THEN 'unsignalled'
            WHEN t.run = 1 AND (SELECT state FROM seal) = 'open'
                 AND COALESCE(t.identity_at_ms, 0) <= (SELECT now_ms FROM clock) THEN 'aging'
            WHEN t.is_behind AND t.obstacle <> 'none'                          THEN 'stale'
            WHEN t.is_behind                                                   THEN 'queued'
            ELSE                                                                    'whole' END AS state,
       t.obstacle
FROM (SELECT d.instance, d.job, d.run, d.is_wanted, d.container, d.state, d.has_row, d.is_unsignalled,
             d.identity_at_ms, d.is_behind,
             CASE WHEN NOT d.has_needs OR NOT d.is_wanted                          THEN 'none'
                  WHEN d.state = 'there' AND NOT d.is_behind                       THEN 'none'
                  WHEN (SELECT state FROM seal) IS NOT 'open'                      THEN 'sealed'
                  WHEN EXISTS (SELECT 1 FROM delivery_lack AS o WHERE o.instance = d.instance)
                       OR EXISTS (SELECT 1 FROM delivery_ban AS o WHERE o.instance = d.instance) THEN 'barred'
                  ELSE                                                                  'none' END AS obstacle,
             -- Whose turn it is: the first that are behind, as many as may move. Others look again later. What has
             -- never been given anything cannot be disturbed, so that one that waits for a secret holds up nobody.
             CASE WHEN NOT d.is_behind THEN NULL
                  WHEN (SELECT count(*) FROM instance AS i
                        LEFT JOIN delivery AS o ON o.instance = i.id
                        WHERE i.job = d.job AND i.run = 1 AND i.id <> d.instance
                          AND (i.container = 'running' OR o.state = 'there')
                          AND (i.container <> 'running' OR i.healthy_at_ms IS NULL
                               OR EXISTS (SELECT 1 FROM check_state AS c
                                          WHERE c.instance = i.id AND c.failures > 0)
                               OR o.state = 'begun'
                               OR o.signals <> '[]'
                               OR EXISTS (SELECT 1 FROM attempt AS a
                                          WHERE a.kind = 'delivery' AND a.target = CAST(i.id AS TEXT)
                                            AND a.finished_at_ms IS NULL)
                               OR o.changed_at_ms + j.min_healthy_ms
                                  + COALESCE((SELECT sum(g.length_ms) FROM gap AS g
                                              WHERE g.until_ms > o.changed_at_ms), 0)
                                  > (SELECT now_ms FROM clock)))
                       + (SELECT count(*) FROM delivery_state AS b
                          WHERE b.job = d.job AND b.is_behind AND b.instance < d.instance)
                       < j.max_parallel THEN NULL
                  ELSE (SELECT now_ms FROM clock) + 1000 END AS turn_at_ms
      FROM delivery_state AS d
      LEFT JOIN job AS j ON j.name = d.job) AS t
UNION ALL
-- A folder whose instance has no row any more.
SELECT d.job, CAST(d.instance AS TEXT), d.instance, NULL, 'nothing', d.state, 'none'
FROM delivery AS d
WHERE NOT EXISTS (SELECT 1 FROM instance AS i WHERE i.id = d.instance);

-- '*' stands for every value. What is not wanted goes, whatever its state (a); what is not there is given once nothing
-- is in its way (b); what is there is kept fresh (c).
CREATE VIEW delivery_rule (want, state, obstacle, step, reason) AS VALUES
  -- (a)
  ('nothing', 'none',        '*',      'none',    'there is nothing to take away'),
  ('nothing', 'begun',       '*',      'remove',  'its instance has ended'),
  ('nothing', 'unseen',      '*',      'remove',  'its instance has ended'),
  ('nothing', 'lost',        '*',      'remove',  'its instance has ended'),
  ('nothing', 'there',       '*',      'remove',  'its instance has ended'),
  ('nothing', 'stale',       '*',      'remove',  'its instance has ended'),
  ('nothing', 'unsignalled', '*',      'remove',  'its instance has ended'),
  ('nothing', 'queued',      '*',      'remove',  'its instance has ended'),
  ('nothing', 'aging',       '*',      'remove',  'its instance has ended'),
  ('nothing', 'whole',       '*',      'remove',  'its instance has ended'),
  -- (b)
  ('folder',  'none',        'none',   'deliver', 'its secrets are not there yet'),
  ('folder',  'none',        'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('folder',  'none',        'barred', 'wait',    'a secret is missing or forbidden'),
  ('folder',  'begun',       'none',   'deliver', 'its secrets may be there in part'),
  ('folder',  'begun',       'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('folder',  'begun',       'barred', 'wait',    'a secret is missing or forbidden'),
  ('folder',  'unseen',      '*',      'look',    'Rowlock has just begun'),
  ('folder',  'lost',        'none',   'deliver', 'its folder was taken away'),
  ('folder',  'lost',        'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('folder',  'lost',        'barred', 'wait',    'a secret is missing or forbidden'),
  -- (c)
  ('folder',  'there',       '*',      'none',    ''),
  ('folder',  'stale',       'none',   'deliver', 'there is a newer version'),
  ('folder',  'stale',       'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('folder',  'stale',       'barred', 'wait',    'a secret is missing or forbidden'),
  ('folder',  'unsignalled', '*',      'signal',  'its files have changed'),
  ('folder',  'queued',      '*',      'wait',    'others have just been given the newer version'),
  ('folder',  'aging',       '*',      'renew',   'its identity is half spent'),
  ('folder',  'whole',       '*',      'wait',    'renews its identity in time');

-- All that the loop and a worker need to make a step.
CREATE VIEW delivery_input AS
SELECT d.instance AS target,
       d.instance,
       d.job,
       d.folder,
       d.signals,
       i.spec,
       s.body,
       n.driver,
       n.endpoint,
       COALESCE((SELECT o.site FROM node AS o WHERE o.name = i.node), '') AS site,
       (SELECT state FROM seal) AS seal,
       COALESCE((SELECT v.services FROM delivery_service AS v WHERE v.instance = d.instance), '[]') AS services,
       (SELECT json_group_array(policy) FROM job_policy AS p WHERE p.job = d.job) AS policies,
       -- Whom a newer version tells: the signals of those files in which something changes.
       (SELECT json_group_array(g.signal)
        FROM (SELECT json_extract(f.value, '$.signal') AS signal
              FROM json_each(s.body, '$.secrets.files') AS f
              JOIN delivery_need AS e ON e.instance = d.instance AND e.path = json_extract(f.value, '$.path')
              WHERE json_extract(f.value, '$.on_change') = 'signal' AND e.on_change = 'signal'
                AND e.held IS NOT e.wanted
              UNION
              SELECT json_extract(t.value, '$.signal')
              FROM json_each(s.body, '$.secrets.templates') AS t
              JOIN json_each(t.value, '$.pieces') AS p
              WHERE json_extract(t.value, '$.on_change') = 'signal'
                AND (EXISTS (SELECT 1 FROM delivery_need AS e
                             WHERE e.instance = d.instance AND e.path = json_extract(p.value, '$.call[1]')
                               AND e.on_change = 'signal' AND e.held IS NOT e.wanted)
                     OR (json_extract(p.value, '$.call[0]') = 'service'
                         AND EXISTS (SELECT 1 FROM delivery_move AS m
                                     WHERE m.instance = d.instance
                                       AND m.file = json_extract(t.value, '$.name'))))) AS g) AS due_signals
FROM delivery AS d
LEFT JOIN instance AS i ON i.id = d.instance
LEFT JOIN spec AS s ON s.id = i.spec
LEFT JOIN node_state AS n ON n.node = i.node;

CREATE VIEW delivery_why AS
SELECT 'delivery' AS kind,
       f.name,
       i.name AS target,
       i.name || ' waits for its secrets: '
         || CASE WHEN h.detail IS NOT NULL THEN h.detail
                 WHEN f.obstacle = 'barred'
                 THEN COALESCE((SELECT group_concat(o.obstacle, '; ') FROM delivery_lack AS o
                                WHERE o.instance = f.instance),
                               (SELECT group_concat(o.obstacle, '; ') FROM delivery_ban AS o
                                WHERE o.instance = f.instance))
                 ELSE r.reason END AS reason,
       i.since_ms
FROM delivery_fact AS f
JOIN instance AS i ON i.id = f.instance
CROSS JOIN delivery_case AS r ON r.want = f.want AND r.state = f.state AND r.obstacle = f.obstacle
LEFT JOIN retry AS h ON h.kind = 'delivery' AND h.target = f.target AND h.step = r.step
WHERE f.want = 'folder' AND (f.obstacle <> 'none' OR h.detail IS NOT NULL OR f.state = 'queued');

-- @begin

UPDATE delivery SET state = 'unseen' WHERE state = 'there';

-- @prune

DELETE FROM secret_use
WHERE until_ms < (SELECT until_ms FROM secret_use WHERE until_ms IS NOT NULL
                  ORDER BY until_ms DESC LIMIT 1 OFFSET 10000);

-- @wake

-- Identities that were dated by another wall clock are made anew.
CREATE TEMP TRIGGER delivery_clock_set AFTER UPDATE OF wall_ms ON clock
WHEN NEW.boot = OLD.boot AND abs((NEW.wall_ms - NEW.boot_ms) - (OLD.wall_ms - OLD.boot_ms)) > 1000 BEGIN
  UPDATE delivery SET identity_at_ms = NEW.now_ms WHERE state = 'there' AND identity_at_ms IS NOT NULL;
END;

-- @run delivery.deliver

INSERT OR IGNORE INTO delivery (instance, job, folder) SELECT id, job, name FROM instance WHERE id = :target;

-- Until it is known to be whole again, it is not: a write that fails is made again, and whom it concerns is told then.
UPDATE delivery
SET state   = 'begun',
    signals = (SELECT json_group_array(g.value)
               FROM (SELECT value FROM json_each(delivery.signals)
                     UNION
                     SELECT value FROM json_each((SELECT n.due_signals FROM delivery_input AS n
                                                  WHERE n.target = delivery.instance))) AS g)
WHERE instance = :target;

-- One with a template that is read at the start alone makes way for another, as if its spec had changed: under the
-- update policy of its job, and made with the addresses of now.
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'instance', m.job, i.name, 'outdated',
       'an address in ' || group_concat(DISTINCT m.file) || ' has changed: another takes over'
FROM delivery_move AS m
JOIN instance AS i ON i.id = m.instance
WHERE m.instance = CAST(:target AS INTEGER) AND m.on_change = 'restart' AND m.is_settled
  AND i.run = 1 AND i.container = 'running'
GROUP BY m.instance;

INSERT OR IGNORE INTO spec (job, body, image)
SELECT i.job, json_set(s.body, '$.secrets.outdated', 1), s.image
FROM instance AS i
JOIN spec AS s ON s.id = i.spec
WHERE i.id = :target AND i.run = 1 AND i.container = 'running'
  AND EXISTS (SELECT 1 FROM delivery_move AS m WHERE m.instance = i.id AND m.on_change = 'restart' AND m.is_settled);

UPDATE instance
SET spec = (SELECT o.id FROM spec AS o JOIN spec AS s ON s.id = instance.spec
            WHERE o.job = instance.job AND o.body = json_set(s.body, '$.secrets.outdated', 1)
              AND o.image = s.image)
WHERE id = :target AND run = 1 AND container = 'running'
  AND EXISTS (SELECT 1 FROM delivery_move AS m
              WHERE m.instance = instance.id AND m.on_change = 'restart' AND m.is_settled);

-- @run delivery.needs

SELECT path, key, on_change, wanted FROM delivery_need WHERE instance = :instance;

-- @run delivery.hold

-- The ledger names the holder before it holds anything.
INSERT INTO secret_use (instance, holder, job, path, version, since_ms)
SELECT id, name, job, :path, :version, :now_ms FROM instance WHERE id = :instance
ON CONFLICT (instance, path, version) DO UPDATE
SET since_ms = CASE WHEN until_ms IS NULL THEN since_ms ELSE excluded.since_ms END,
    until_ms = NULL;

-- @run delivery.deliver.done

-- What it held before is gone from its folder: every version of a path but the one that was written last.
UPDATE secret_use
SET until_ms = :now_ms
WHERE instance = :target AND until_ms IS NULL
  AND (path, version) NOT IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:uses));

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'delivery', job, folder, CASE changed_at_ms WHEN 0 THEN 'delivered' ELSE 'refreshed' END,
       :files || ' files'
FROM delivery
WHERE instance = :target;

-- What does not run yet reads its files once it does.
UPDATE delivery
SET state             = 'there',
    identity_until_ms = :identity_until_ms,
    identity_at_ms    = :identity_at_ms,
    services          = :services,
    signals           = CASE (SELECT container FROM instance WHERE id = :target) WHEN 'running' THEN signals
                                                                                 ELSE '[]' END,
    changed_at_ms     = :now_ms
WHERE instance = :target;

-- @run delivery.renew.done

UPDATE delivery
SET identity_until_ms = :identity_until_ms, identity_at_ms = :identity_at_ms
WHERE instance = :target;

-- @run delivery.signal.done

UPDATE delivery SET signals = '[]' WHERE instance = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'delivery', job, folder, 'signalled', :signals FROM delivery WHERE instance = :target;

-- @run delivery.signal.rejected

-- No engine will ever send it: the files are there, and waiting for it would hold up everything else.
DELETE FROM retry WHERE kind = 'delivery' AND target = :target AND step = 'signal';
UPDATE delivery SET signals = '[]' WHERE instance = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'delivery', job, folder, 'signal rejected', :detail FROM delivery WHERE instance = :target;

-- @run delivery.renew.transient

-- Perhaps its folder is not there any more.
UPDATE delivery SET state = 'unseen' WHERE instance = :target;

-- @run delivery.look.done

UPDATE delivery SET state = :state WHERE instance = :target;

-- @run delivery.remove.done

UPDATE secret_use SET until_ms = :now_ms WHERE instance = :target AND until_ms IS NULL;
DELETE FROM token WHERE instance = :target;
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'delivery', job, folder, 'removed', '' FROM delivery WHERE instance = :target;
DELETE FROM delivery WHERE instance = :target;

-- @run delivery.failed

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'delivery', d.job, d.folder,
       :step || CASE :outcome WHEN 'transient' THEN ' failed' ELSE ' ' || :outcome END, :detail
FROM delivery AS d
JOIN retry AS h ON h.kind = 'delivery' AND h.target = :target AND h.step = :step AND h.tries <= 3
WHERE d.instance = :target;
