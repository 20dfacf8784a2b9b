-- How a change of desired.db becomes the accepted one. The scripts below are run for every desired table, after its
-- rows were copied into the TEMP table incoming_{table}; what stands in braces is filled in from the table's own
-- columns.

-- @run accept.differences

-- {columns}: all columns; {key_of_n}: the primary key of the row called n; {object_of_n}: its columns, named, for JSON;
-- {same}: o and n are the same in all of them; {stays_with_its_owner}: the row that it belongs to, if to any, is
-- there. Only rows after :mark may be new or changed.
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

-- Deleting every row of a table, or more than a third of one with over three rows, needs consent. Rows that ask for
-- something once may go when it is done.
SELECT '{table}' AS table_name,
       '{table}' AS row_key,
       'this deletes ' || d.deletes || ' of the ' || d.before || ' rows of {table}; if that is meant: '
         || 'INSERT INTO approval (revision, table_name, deletes) VALUES ('
         || (SELECT COALESCE(max(id), 0) FROM revision) || ', ''{table}'', ' || d.deletes || ')' AS message
FROM (SELECT (SELECT count(*) FROM {table}) AS before,
             (SELECT count(*) FROM change
              WHERE revision = :revision AND table_name = '{table}' AND after IS NULL
                -- The rows that a deleted one takes along are counted with it.
                AND {stays_with_its_owner}) AS deletes) AS d
WHERE '{table}' NOT IN (SELECT table_name FROM once)
  AND d.deletes > 0
  AND (d.deletes = d.before OR (d.before > 3 AND d.deletes * 3 > d.before))
  AND NOT EXISTS (SELECT 1 FROM temp.incoming_approval AS a
                  WHERE a.table_name = '{table}' AND a.deletes >= d.deletes
                    AND a.revision = (SELECT COALESCE(max(id), 0) FROM revision));

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
