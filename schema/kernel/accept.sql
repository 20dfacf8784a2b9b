-- How a change of desired.db becomes the accepted one. The scripts below are run for every desired table, after its
-- rows were copied into the TEMP table incoming_{table}; what stands in braces is filled in from the table's own
-- columns.

-- @run accept.differences

-- {columns}: all columns; {key_of_n}: the primary key of the row called n; {object_of_n}: its columns, named, for JSON;
-- {others_of_n}: those that are not in the key; {same}: o and n are the same in all of them; {stays_with_its_owner}:
-- the row that o belongs to, if to any, is there. Only rows after :mark may be new or changed.
INSERT INTO change (revision, table_name, row_key, before, after)
SELECT :revision, '{table}', json_array({key_of_n}),
       (SELECT json_object({object_of_o}) FROM {table} AS o WHERE {o_is_n}),
       json_object({object_of_n})
FROM temp.incoming_{table} AS n
WHERE n.rowid > :mark AND NOT EXISTS (SELECT 1 FROM {table} AS o WHERE {o_is_n} AND {same});

INSERT INTO change (revision, table_name, row_key, before, after)
SELECT :revision, '{table}', json_array({key_of_o}), json_object({object_of_o}), NULL
FROM {table} AS o
WHERE NOT EXISTS (SELECT 1 FROM temp.incoming_{table} AS n WHERE {o_is_n});

-- @run accept.brake

-- Deleting rows that something stands behind (KIND_stake: running instances, requests, backups) needs consent when they
-- are three or more and over a third of such rows. What is taken back within the hour in which it came is no such row,
-- nor is one that only has another key now. {old} is the table in force, {new} what it is to be; `rowlock sql` asks the
-- same of the edit at hand. Rows that ask for something once may go when it is done.
SELECT '{table}' AS table_name,
       '{table}' AS row_key,
       'this deletes ' || d.deletes || ' of the ' || d.before || ' rows of {table} ' || d.what || '; if that is meant: '
         || 'INSERT INTO approval (revision, table_name, deletes) VALUES ('
         || (SELECT COALESCE(max(id), 0) FROM revision) || ', ''{table}'', ' || d.deletes || ')' AS message
FROM (SELECT (SELECT count(*) FROM stake WHERE table_name = '{table}') AS before,
             (SELECT max(what) FROM stake WHERE table_name = '{table}') AS what,
             count(*) AS deletes
      FROM (SELECT json_array({key_of_o}) AS row_key,
                   json_object({others_of_o}) AS others,
                   row_number() OVER (PARTITION BY json_object({others_of_o}) ORDER BY {key_of_o}) AS number
            FROM {old} AS o
            WHERE NOT EXISTS (SELECT 1 FROM {new} AS n WHERE {o_is_n})
              -- The rows that a deleted one takes along are counted with it.
              AND {stays_with_its_owner}) AS gone
      WHERE gone.row_key IN (SELECT row_key FROM stake WHERE table_name = '{table}')
        AND gone.number > (SELECT count(*) FROM {new} AS n
                           WHERE json_object({others_of_n}) = gone.others
                             AND NOT EXISTS (SELECT 1 FROM {old} AS o WHERE {o_is_n}))
        AND NOT EXISTS (SELECT 1 FROM change AS c JOIN revision AS r ON r.id = c.revision
                        WHERE c.table_name = '{table}' AND c.row_key = gone.row_key AND c.before IS NULL
                          AND r.at_ms > {now} - 3600000)) AS d
WHERE '{table}' NOT IN (SELECT table_name FROM once)
  AND d.deletes >= 3
  AND d.deletes * 3 > d.before
  -- Consent is given with the edit that it is for, and is none for any other.
  AND NOT EXISTS (SELECT 1 FROM {new_approval} AS a
                  WHERE a.table_name = '{table}' AND a.deletes >= d.deletes
                    AND a.revision = (SELECT COALESCE(max(id), 0) FROM revision)
                    AND NOT EXISTS (SELECT 1 FROM {old_approval} AS b
                                    WHERE b.table_name = a.table_name AND b.revision = a.revision))

-- @run accept.take

DELETE FROM {table} AS o WHERE NOT EXISTS (SELECT 1 FROM temp.incoming_{table} AS n WHERE {o_is_n});

INSERT INTO {table} ({columns})
SELECT {columns} FROM temp.incoming_{table} AS n
WHERE n.rowid > :mark AND NOT EXISTS (SELECT 1 FROM {table} AS o WHERE {o_is_n} AND {same})
ON CONFLICT ({key}) DO UPDATE SET {assignments};

-- @run accept.revision

INSERT INTO revision (id, at_ms, changes)
SELECT :revision, :now_ms, count(*) FROM change WHERE revision = :revision;

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'revision', 'desired.db', :revision, 'accepted',
       count(*) || ' rows of ' || group_concat(DISTINCT table_name)
FROM change
WHERE revision = :revision;

DELETE FROM refusal;

-- What waits for an edit that concerns its name is tried again at once.
DELETE FROM retry WHERE name IN (SELECT name FROM temp.dirty);

-- @run accept.refused

-- :violations is a JSON array of {table_name, row_key, message}. What stood there before keeps its moment.
DELETE FROM refusal
WHERE (table_name, row_key, message) NOT IN (SELECT json_extract(value, '$.table_name'),
                                                    json_extract(value, '$.row_key'),
                                                    json_extract(value, '$.message')
                                             FROM json_each(:violations));

INSERT INTO event (at_ms, kind, name, target, what, detail)
SELECT :now_ms, 'revision', 'desired.db', json_extract(value, '$.row_key'), 'refused', json_extract(value, '$.message')
FROM json_each(:violations)
WHERE (json_extract(value, '$.table_name'), json_extract(value, '$.row_key'), json_extract(value, '$.message'))
      NOT IN (SELECT table_name, row_key, message FROM refusal)
LIMIT 100;

INSERT OR IGNORE INTO refusal (table_name, row_key, message, since_ms)
SELECT json_extract(value, '$.table_name'), json_extract(value, '$.row_key'), json_extract(value, '$.message'), :now_ms
FROM json_each(:violations);
