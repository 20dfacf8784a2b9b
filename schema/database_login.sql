-- A login is a role of a bounded life in a database, made for one instance.

-- @observed

CREATE TABLE database_login (
  instance     INTEGER NOT NULL,
  role         TEXT NOT NULL,                  -- of database_role
  job          TEXT NOT NULL,
  database     TEXT NOT NULL,
  username     TEXT NOT NULL,
  sealed       TEXT NOT NULL,                  -- {"username", "password", "url"}, sealed by a key of keyring, base64
  kek          INTEGER NOT NULL,
  state        TEXT NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'made', 'leaving')),
  until_ms     INTEGER,                        -- its end as the server knows it
  tries        INTEGER NOT NULL DEFAULT 0,
  retry_at_ms  INTEGER NOT NULL DEFAULT 0,
  detail       TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (instance, role)
);

-- @run database_login.sealed

SELECT username, sealed, kek FROM database_login WHERE instance = :instance AND role = :role AND state = 'made';
