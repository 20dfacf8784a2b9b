-- What the verbs that edit (controller/cli/edit) ask and write. Those of `apply` and `sql` are run on desired.db,
-- opened with state.db attached and the views of an edit; those of `revert` read state.db, and write desired.db.

-- @run cli.edit_plan

-- What the edit amounts to, without the steps that only look at the world or wait.
SELECT kind, name, target, step, reason
FROM plan
WHERE step NOT IN ('wait', 'look', 'observe')
ORDER BY kind, name, target;

-- @run cli.edit_violations

SELECT table_name, row_key, message FROM violation_now ORDER BY table_name, row_key, message;

-- @run cli.sql_refused

-- The view violation is about the edit at hand; what was refused before is in state.db.
SELECT EXISTS (SELECT 1 FROM state.refusal);

-- @run cli.sql_tables

SELECT name, 'you' AS written_by FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
UNION ALL
SELECT name, 'Rowlock'
FROM state.sqlite_schema
WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT IN (SELECT name FROM main.sqlite_schema)
UNION ALL
SELECT name, 'view' FROM temp.sqlite_schema WHERE type = 'view';

-- @run cli.sql_schema

SELECT sql
FROM (SELECT name, sql, 1 AS place FROM main.sqlite_schema WHERE type = 'table'
      UNION ALL
      SELECT name, sql, 2
      FROM state.sqlite_schema
      WHERE type = 'table' AND name NOT IN (SELECT name FROM main.sqlite_schema)
      UNION ALL
      SELECT name, sql, 3 FROM temp.sqlite_schema WHERE type = 'view')
WHERE (:name = '' OR name = :name) AND name NOT LIKE 'sqlite_%'
ORDER BY place, name;

-- @run cli.revert_columns

SELECT name, pk FROM pragma_table_info(:table, 'main') ORDER BY cid;

-- @run cli.revert_rows_now

-- What stands in braces is filled in from the columns of the table. {key}: its primary key; {members}: its columns,
-- named, for JSON; {of_job}: whether the row belongs to :job.
SELECT json_array({key}) AS row_key, json_object({members}) AS object FROM main.{table} WHERE {of_job};

-- @run cli.revert_delete

-- {is_row}: the primary key is that in :key, a JSON array.
DELETE FROM {table} WHERE {is_row};

-- @run cli.revert_put

-- The row is in :row, a JSON object. {columns}: those that it has; {values}: the same of :row; {otherwise}: what to do
-- with a row of the same key.
INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT ({key}) DO {otherwise};

-- @run cli.revert_approve

-- The edit was shown and asked for, so that the brake on large deletions has the consent it wants.
INSERT OR REPLACE INTO approval (revision, table_name, deletes, note)
VALUES (:revision, :table, :deletes, 'rowlock revert');
