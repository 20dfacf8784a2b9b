-- Every store says where the newest backup of this home lies, in whichever store: a small object
-- HOME/newest/MOMENT.json, which `rowlock recover` follows. So an old page, or a store that nobody uses any more, leads
-- to the newest home. A store where it cannot be written (a key that only reads) loses nothing else by that.

-- @kind home_pointer
--   of:     object_store.name home_pointer.store
--   hold:   sealed free
--   state:  none due told gone
--   retry:  1 min to 1 h

-- @observed

-- What each store was told last.
CREATE TABLE home_pointer (
  store  TEXT PRIMARY KEY NOT NULL,
  news   TEXT NOT NULL DEFAULT ''   -- as home_pointer_news had it; '': nothing yet
);

-- @views

-- The newest backup of the home in each store that has a verified one.
CREATE VIEW home_backup AS
SELECT b.id, b.name, b.policy, b.store, b.object, b.taken_at_ms, b.size_bytes, b.sha256, b.recipients
FROM backup_standing AS s
JOIN backup AS b ON b.id = s.last_verified
WHERE b.kind = 'home';

-- Since which backup each policy has encrypted in each store for whom.
CREATE VIEW backup_reader AS
SELECT r.policy, r.store, r.name AS since, r.recipients
FROM (SELECT b.id, b.policy, b.store, b.name, b.recipients,
             b.recipients IS NOT lag(b.recipients) OVER (PARTITION BY b.policy, b.store ORDER BY b.id) AS is_first
      FROM backup AS b
      WHERE b.recipients <> '' AND b.state IN ('stored', 'verifying', 'verified')) AS r
WHERE r.is_first
ORDER BY r.policy, r.store, r.id;

-- What must be told anew when it is another: where the newest ones lie, how each store is reached, and who opens what
-- is in it. No row: the home has no verified backup.
CREATE VIEW home_pointer_news AS
SELECT (SELECT json_group_array(h.id) FROM (SELECT id FROM home_backup ORDER BY id) AS h) || ' '
         || (SELECT json_group_array(json_array(a.name, a.address))
             FROM (SELECT name, address FROM object_store_address ORDER BY name) AS a) || ' '
         || (SELECT json_group_array(json_array(r.policy, r.store, r.recipients)) FROM backup_reader AS r) AS news
WHERE EXISTS (SELECT 1 FROM home_backup);

CREATE VIEW home_pointer_fact AS
SELECT o.name,
       o.name AS target,
       NULL AS due_at_ms,
       CASE WHEN o.secret <> '' AND (SELECT state FROM seal) IS NOT 'open' THEN 'sealed' ELSE 'free' END AS hold,
       CASE WHEN NOT EXISTS (SELECT 1 FROM home_pointer_news)              THEN 'none'
            WHEN p.news IS NOT (SELECT n.news FROM home_pointer_news AS n) THEN 'due'
            ELSE                                                                'told' END AS state
FROM object_store AS o
LEFT JOIN home_pointer AS p ON p.store = o.name
UNION ALL
SELECT p.store, p.store, NULL, 'free', 'gone'
FROM home_pointer AS p
WHERE p.store NOT IN (SELECT name FROM object_store);

-- '*' stands for every value.
CREATE VIEW home_pointer_rule (hold, state, step, reason) AS VALUES
  ('sealed', 'due',  'wait',   'the secret store is sealed: rowlock secret unseal'),
  ('free',   'due',  'tell',   'it does not say where the newest backup of the home is'),
  ('*',      'none', 'none',   ''),
  ('*',      'told', 'none',   ''),
  ('*',      'gone', 'forget', 'the row was deleted');

-- The oldest and the newest verified backup that each identity opens, by store and policy. NULL: of those that were
-- verified before it was noted what opened them.
CREATE VIEW kit_range AS
SELECT DISTINCT k.recipient,
       k.store,
       k.policy,
       k.kind,
       first_value(k.name) OVER (k ORDER BY k.taken_at_ms, k.id) AS oldest,
       first_value(k.name) OVER (k ORDER BY k.taken_at_ms DESC, k.id DESC) AS newest,
       max(k.taken_at_ms) OVER k AS newest_at_ms,
       count(*) OVER k AS backups
FROM (SELECT r.value AS recipient, b.store, b.policy, b.kind, b.name, b.taken_at_ms, b.id
      FROM backup_there AS t
      JOIN backup AS b ON b.id = t.id
      CROSS JOIN json_each(CASE b.recipients WHEN '' THEN '[null]' ELSE b.recipients END) AS r
      WHERE b.state = 'verified' AND b.expiring = 0) AS k
WINDOW k AS (PARTITION BY k.recipient, k.store, k.policy);

CREATE VIEW home_pointer_input AS
SELECT i.target,
       i.store_url,
       i.endpoint,
       i.region,
       i.style,
       i.ca_file,
       i.store_secret,
       0 AS bytes_per_s,
       (SELECT id FROM home) || '/newest/' AS prefix,
       (SELECT n.news FROM home_pointer_news AS n) AS news,
       json_object(
         'home', (SELECT id FROM home),
         'here', i.target,
         'backups', (SELECT json_group_array(json_object(
                       'name', h.name, 'policy', h.policy, 'object', h.object, 'size_bytes', h.size_bytes,
                       'recipients', json(CASE h.recipients WHEN '' THEN '[]' ELSE h.recipients END),
                       'url', o.url, 'endpoint', o.endpoint, 'region', o.region, 'style', o.style,
                       'ca_file', o.ca_file))
                     FROM (SELECT * FROM home_backup ORDER BY taken_at_ms DESC, id DESC) AS h
                     JOIN object_store AS o ON o.name = h.store),
         'readers', (SELECT json_group_array(json_object(
                       'policy', r.policy, 'since', r.since, 'recipients', json(r.recipients)))
                     FROM backup_reader AS r WHERE r.store = i.target)) AS text
FROM object_store_input AS i;

CREATE VIEW home_pointer_why AS
SELECT 'home_pointer' AS kind, h.name, h.target,
       'store ' || h.target || ' does not say where the newest backup of the home is: ' || h.detail AS reason,
       h.since_ms
FROM retry AS h
WHERE h.kind = 'home_pointer' AND h.target IN (SELECT name FROM object_store);

-- @wake

CREATE TEMP TRIGGER wake_home_pointer_verified AFTER UPDATE OF state ON backup
WHEN NEW.state <> OLD.state AND NEW.state IN ('stored', 'verified') BEGIN
  INSERT INTO dirty SELECT name FROM object_store;
END;
CREATE TEMP TRIGGER wake_home_pointer_insert AFTER INSERT ON object_store BEGIN
  INSERT INTO dirty SELECT name FROM object_store;
END;
CREATE TEMP TRIGGER wake_home_pointer_update AFTER UPDATE ON object_store BEGIN
  INSERT INTO dirty SELECT name FROM object_store;
END;
CREATE TEMP TRIGGER wake_home_pointer_delete AFTER DELETE ON object_store BEGIN
  INSERT INTO dirty SELECT name FROM object_store;
END;
CREATE TEMP TRIGGER wake_home_pointer_seal AFTER UPDATE OF state ON seal WHEN NEW.state <> OLD.state BEGIN
  INSERT INTO dirty SELECT name FROM object_store;
END;

-- @run home_pointer.tell.done

-- :news is what was told.
INSERT INTO home_pointer (store, news) VALUES (:target, :news)
ON CONFLICT (store) DO UPDATE SET news = excluded.news;

-- @run home_pointer.tell.failed

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'home_pointer', h.name, h.target, 'cannot be told', :detail
FROM retry AS h
WHERE h.kind = 'home_pointer' AND h.target = :target AND h.tries = 1;

-- @run home_pointer.forget

DELETE FROM home_pointer WHERE store = :target;
