-- A delivery is what one instance is given: a folder in memory (tmpfs) with its secrets as files, its identity, and the
-- environment for its launcher, mounted into it at /run/secrets. It is there before the instance is made, and gone once
-- the instance has ended.
--
--   none ──deliver──▶ there ──newer version, its turn: deliver, signal──▶ there ──instance ended──▶ remove
--     └─ sealed, missing or forbidden: waits    └─ identity half spent: renew
--
-- The values themselves are in no row: the loop opens their seals, and writes the audit log, in the transaction that
-- marks the step, so that nothing is handed to a worker that is not written down and synced.

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
  changed_at_ms     INTEGER NOT NULL DEFAULT 0,   -- moment at which its files were written last; 0: not yet
  tries             INTEGER NOT NULL DEFAULT 0,
  retry_at_ms       INTEGER NOT NULL DEFAULT 0,
  detail            TEXT NOT NULL DEFAULT ''      -- what went wrong in the last step, while it is tried again
);
CREATE INDEX delivery_by_job ON delivery (job);

-- The rules of delivery_rule with every '*' written out.
CREATE TABLE delivery_case (
  hold     TEXT NOT NULL,
  want     TEXT NOT NULL,
  state    TEXT NOT NULL,
  obstacle TEXT NOT NULL,
  step     TEXT NOT NULL,
  reason   TEXT NOT NULL,
  PRIMARY KEY (hold, want, state, obstacle)
) WITHOUT ROWID;

-- @views

-- Every instance that has a folder or is to have one. `behind`: a version or an address in it is not what it should be;
-- `moving`: how many instances of the job have just been given something new, or are not healthy; no more than
-- max_parallel may be.
CREATE VIEW delivery_state AS
SELECT i.id AS instance,
       i.job,
       i.container IN ('created', 'running', 'paused')
         OR (i.run = 1 AND i.container IN ('none', 'unpulled')) AS is_wanted,
       i.container,
       COALESCE(d.state, 'none') AS state,
       d.instance IS NOT NULL AS has_row,
       COALESCE(d.signals, '[]') <> '[]' AS is_unsignalled,
       d.identity_at_ms,
       COALESCE(d.retry_at_ms, 0) AS retry_at_ms,
       COALESCE(json_array_length(s.body, '$.secrets.needs'), 0) > 0 AS has_needs,
       i.run,
       -- One on its way out keeps what it has.
       CASE WHEN d.state IS NOT 'there' OR i.run = 0 OR json_type(s.body, '$.secrets') IS NULL THEN 0
            ELSE EXISTS (SELECT 1 FROM delivery_need AS n
                         WHERE n.instance = i.id AND n.on_change <> 'restart' AND n.held IS NOT n.wanted
                           AND n.path NOT GLOB 'database/creds/*')
                 OR (json_array_length(s.body, '$.secrets.services') > 0
                     AND d.services <> (SELECT v.services FROM delivery_service AS v WHERE v.instance = i.id)) END
         AS is_behind
FROM instance AS i
JOIN spec AS s ON s.id = i.spec
LEFT JOIN delivery AS d ON d.instance = i.id
WHERE i.delivers = 1;

CREATE VIEW delivery_fact AS
SELECT t.instance,
       t.job,
       t.retry_at_ms,
       t.turn_at_ms,
       CASE WHEN EXISTS (SELECT 1 FROM attempt AS a
                         WHERE a.kind = 'delivery' AND a.target = CAST(t.instance AS TEXT)
                           AND a.finished_at_ms IS NULL)    THEN 'busy'
            WHEN t.retry_at_ms > (SELECT now_ms FROM clock) THEN 'backoff'
            ELSE                                                 'free' END AS hold,
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
       t.obstacle,
       t.identity_at_ms
FROM (SELECT d.instance, d.job, d.run, d.is_wanted, d.container, d.state, d.has_row, d.is_unsignalled,
             d.identity_at_ms, d.retry_at_ms, d.is_behind,
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
                               OR o.changed_at_ms + j.min_healthy_ms > (SELECT now_ms FROM clock)))
                       + (SELECT count(*) FROM delivery_state AS b
                          WHERE b.job = d.job AND b.is_behind AND b.instance < d.instance)
                       < j.max_parallel THEN NULL
                  ELSE (SELECT now_ms FROM clock) + 1000 END AS turn_at_ms
      FROM delivery_state AS d
      LEFT JOIN job AS j ON j.name = d.job) AS t
UNION ALL
-- A folder whose instance has no row any more.
SELECT d.instance, d.job, d.retry_at_ms, NULL,
       CASE WHEN EXISTS (SELECT 1 FROM attempt AS a
                         WHERE a.kind = 'delivery' AND a.target = CAST(d.instance AS TEXT)
                           AND a.finished_at_ms IS NULL)   THEN 'busy'
            WHEN d.retry_at_ms > (SELECT now_ms FROM clock) THEN 'backoff'
            ELSE                                                 'free' END,
       'nothing', d.state, 'none', NULL
FROM delivery AS d
WHERE NOT EXISTS (SELECT 1 FROM instance AS i WHERE i.id = d.instance);

-- '*' stands for every value.
CREATE VIEW delivery_rule (hold, want, state, obstacle, step, reason) AS VALUES
  ('busy',    '*',       '*',           '*',      'none',    'a step is under way'),
  ('backoff', '*',       '*',           '*',      'wait',    'the last step failed; tries again'),
  ('free',    'nothing', 'none',        '*',      'none',    'there is nothing to take away'),
  ('free',    'nothing', 'begun',       '*',      'remove',  'its instance has ended'),
  ('free',    'nothing', 'unseen',      '*',      'remove',  'its instance has ended'),
  ('free',    'nothing', 'lost',        '*',      'remove',  'its instance has ended'),
  ('free',    'nothing', 'there',       '*',      'remove',  'its instance has ended'),
  ('free',    'nothing', 'stale',       '*',      'remove',  'its instance has ended'),
  ('free',    'nothing', 'unsignalled', '*',      'remove',  'its instance has ended'),
  ('free',    'nothing', 'queued',      '*',      'remove',  'its instance has ended'),
  ('free',    'nothing', 'aging',       '*',      'remove',  'its instance has ended'),
  ('free',    'nothing', 'whole',       '*',      'remove',  'its instance has ended'),
  ('free',    'folder',  'none',        'none',   'deliver', 'its secrets are not there yet'),
  ('free',    'folder',  'none',        'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('free',    'folder',  'none',        'barred', 'wait',    'a secret is missing or forbidden'),
  ('free',    'folder',  'begun',       'none',   'deliver', 'its secrets may be there in part'),
  ('free',    'folder',  'begun',       'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('free',    'folder',  'begun',       'barred', 'wait',    'a secret is missing or forbidden'),
  ('free',    'folder',  'unseen',      '*',      'look',    'Rowlock has just begun'),
  ('free',    'folder',  'lost',        'none',   'deliver', 'its folder was taken away'),
  ('free',    'folder',  'lost',        'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('free',    'folder',  'lost',        'barred', 'wait',    'a secret is missing or forbidden'),
  ('free',    'folder',  'there',       '*',      'none',    ''),
  ('free',    'folder',  'stale',       'none',   'deliver', 'there is a newer version'),
  ('free',    'folder',  'stale',       'sealed', 'wait',    'the secret store is sealed: rowlock secret unseal'),
  ('free',    'folder',  'stale',       'barred', 'wait',    'a secret is missing or forbidden'),
  ('free',    'folder',  'unsignalled', '*',      'signal',  'its files have changed'),
  ('free',    'folder',  'queued',      '*',      'wait',    'others have just been given the newer version'),
  ('free',    'folder',  'aging',       '*',      'renew',   'its identity is half spent'),
  ('free',    'folder',  'whole',       '*',      'wait',    'renews its identity in time');

-- Every combination of facts that there can be.
CREATE VIEW delivery_domain AS
SELECT hold.value AS hold, want.value AS want, state.value AS state, obstacle.value AS obstacle
FROM json_each('["busy","backoff","free"]') AS hold
CROSS JOIN json_each('["folder","nothing"]') AS want
CROSS JOIN json_each('["none","begun","unseen","lost","there","stale","unsignalled","queued","aging","whole"]') AS state
CROSS JOIN json_each('["none","sealed","barred"]') AS obstacle;

CREATE VIEW delivery_plan AS
SELECT 'delivery' AS kind,
       f.job AS name,
       f.instance AS target,
       r.step,
       r.reason,
       CASE WHEN f.hold = 'backoff'  THEN f.retry_at_ms
            WHEN f.state = 'queued'  THEN f.turn_at_ms
            WHEN f.state IN ('whole', 'stale') AND f.identity_at_ms > (SELECT now_ms FROM clock)
                                     THEN f.identity_at_ms END AS due_at_ms
FROM delivery_fact AS f
CROSS JOIN delivery_case AS r ON r.hold = f.hold AND r.want = f.want AND r.state = f.state
                             AND r.obstacle = f.obstacle
WHERE r.step <> 'none';

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
                         AND d.services <> (SELECT v.services FROM delivery_service AS v
                                            WHERE v.instance = d.instance)))) AS g) AS due_signals
FROM delivery AS d
LEFT JOIN instance AS i ON i.id = d.instance
LEFT JOIN spec AS s ON s.id = i.spec
LEFT JOIN node_state AS n ON n.node = i.node;

CREATE VIEW delivery_why AS
SELECT 'delivery' AS kind,
       f.job AS name,
       i.name AS target,
       i.name || ' waits for its secrets: '
         || CASE WHEN f.hold = 'backoff' THEN d.detail
                 WHEN f.obstacle = 'barred'
                 THEN COALESCE((SELECT group_concat(o.obstacle, '; ') FROM delivery_lack AS o
                                WHERE o.instance = f.instance),
                               (SELECT group_concat(o.obstacle, '; ') FROM delivery_ban AS o
                                WHERE o.instance = f.instance))
                 ELSE r.reason END AS reason,
       i.since_ms
FROM delivery_fact AS f
JOIN instance AS i ON i.id = f.instance
LEFT JOIN delivery AS d ON d.instance = f.instance
CROSS JOIN delivery_case AS r ON r.hold = f.hold AND r.want = f.want AND r.state = f.state
                             AND r.obstacle = f.obstacle
WHERE f.want = 'folder' AND (f.obstacle <> 'none' OR f.hold = 'backoff' OR f.state = 'queued');

-- What is left of a job that was deleted.
CREATE VIEW delivery_name AS
SELECT DISTINCT job AS name FROM delivery WHERE job NOT IN (SELECT name FROM job);

-- @fill

DELETE FROM delivery_case;
INSERT INTO delivery_case (hold, want, state, obstacle, step, reason)
SELECT d.hold, d.want, d.state, d.obstacle, r.step, r.reason
FROM delivery_domain AS d
JOIN delivery_rule AS r ON r.hold = d.hold
                       AND (r.want = '*' OR r.want = d.want)
                       AND (r.state = '*' OR r.state = d.state)
                       AND (r.obstacle = '*' OR r.obstacle = d.obstacle);

-- @wake

CREATE TEMP TRIGGER wake_delivery_insert AFTER INSERT ON delivery BEGIN INSERT INTO dirty VALUES (NEW.job); END;
CREATE TEMP TRIGGER wake_delivery_update AFTER UPDATE ON delivery BEGIN INSERT INTO dirty VALUES (NEW.job); END;
CREATE TEMP TRIGGER wake_delivery_delete AFTER DELETE ON delivery BEGIN INSERT INTO dirty VALUES (OLD.job); END;

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
    changed_at_ms     = :now_ms,
    tries             = 0,
    detail            = ''
WHERE instance = :target;

-- @run delivery.renew.done

UPDATE delivery
SET identity_until_ms = :identity_until_ms, identity_at_ms = :identity_at_ms, tries = 0, detail = ''
WHERE instance = :target;

-- @run delivery.signal.done

UPDATE delivery SET signals = '[]', tries = 0, detail = '' WHERE instance = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'delivery', job, folder, 'signalled', :signals FROM delivery WHERE instance = :target;

-- @run delivery.signal.rejected

-- No engine will ever send it: the files are there, and waiting for it would hold up everything else.
UPDATE delivery SET signals = '[]', tries = 0, detail = '' WHERE instance = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'delivery', job, folder, 'signal rejected', :detail FROM delivery WHERE instance = :target;

-- @run delivery.renew.transient

-- Perhaps its folder is not there any more.
UPDATE delivery
SET state = 'unseen', tries = tries + 1, detail = :detail, retry_at_ms = :now_ms + min(60000, 500 << min(tries, 10))
WHERE instance = :target;

-- @run delivery.look.done

UPDATE delivery SET state = :state, tries = 0, detail = '' WHERE instance = :target;

-- @run delivery.remove.done

UPDATE secret_use SET until_ms = :now_ms WHERE instance = :target AND until_ms IS NULL;
DELETE FROM token WHERE instance = :target;
INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'delivery', job, folder, 'removed', '' FROM delivery WHERE instance = :target;
DELETE FROM delivery WHERE instance = :target;

-- @run delivery.transient

UPDATE delivery
SET tries       = tries + 1,
    detail      = :detail,
    retry_at_ms = :now_ms + min(60000, 500 << min(tries, 10)) * (100 + (instance * 7919 + tries * 104729) % 20) / 100
WHERE instance = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'delivery', job, folder, :step || ' failed', :detail FROM delivery
WHERE instance = :target AND tries <= 3;

-- @run delivery.rejected

UPDATE delivery SET tries = tries + 1, detail = :detail, retry_at_ms = :now_ms + 60000 WHERE instance = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'delivery', job, folder, :step || ' rejected', :detail FROM delivery WHERE instance = :target;

-- @run delivery.broken

UPDATE delivery SET tries = tries + 1, detail = :detail, retry_at_ms = :now_ms + 60000 WHERE instance = :target;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'delivery', job, folder, :step || ' broken', :detail FROM delivery WHERE instance = :target;
