-- What of a backup a server is known to refuse when it is restored to see. Nothing else may be missing then, and
-- neither what was left out nor an exception that was not needed goes unsaid: backup_status.sql.

-- @desired

-- A backup that lacks only these is verified all the same, when all else is equal to what was dumped.
CREATE TABLE backup_exception (
  policy TEXT NOT NULL,
  object TEXT NOT NULL       -- as `pg_restore --list` has it, with all that needs it: public.pupil, or pg_cron, or
                             -- TABLE DATA public.pupil for its rows alone
         CONSTRAINT "backup_exception.object must be a name such as 'public.pupil' or 'TABLE DATA public.pupil'"
         CHECK (trim(object) <> ''),
  reason TEXT NOT NULL       -- why that is no fault, for people
         CONSTRAINT "backup_exception.reason must say why that is no fault" CHECK (trim(reason) <> ''),
  PRIMARY KEY (policy, object)
);

-- @observed

-- What the last verification of a backup could not restore, by the row of backup_exception that says so; with the
-- object '', an exception that was not needed.
CREATE TABLE backup_excepted (
  backup    INTEGER NOT NULL,
  exception TEXT NOT NULL,
  object    TEXT NOT NULL,
  reason    TEXT NOT NULL,
  PRIMARY KEY (backup, exception, object)
);

-- @views

-- What is to be said of exceptions, for people.
CREATE VIEW backup_excepted_said AS
SELECT e.backup,
       CASE WHEN e.known > 0 THEN ' with ' || e.known || CASE e.known WHEN 1 THEN ' known exception'
                                                                      ELSE ' known exceptions' END
            ELSE '' END
         || CASE WHEN e.spare > 0 THEN ' (' || e.spare || ' not needed)' ELSE '' END AS said
FROM (SELECT backup,
             count(DISTINCT CASE WHEN object <> '' THEN exception END) AS known,
             count(CASE WHEN object = '' THEN 1 END) AS spare
      FROM backup_excepted
      GROUP BY backup) AS e;

CREATE VIEW backup_exception_violation AS
SELECT 'backup_exception' AS table_name,
       x.policy || '/' || x.object AS row_key,
       'backup_exception ' || x.object || ' is for backup_policy ''' || x.policy
         || ''', of which there is no row of kind postgres' AS message
FROM backup_exception AS x
WHERE x.policy NOT IN (SELECT name FROM backup_policy WHERE kind = 'postgres');

-- @wake

CREATE TEMP TRIGGER wake_backup_exception_insert AFTER INSERT ON backup_exception BEGIN
  INSERT INTO dirty VALUES (NEW.policy);
END;
CREATE TEMP TRIGGER wake_backup_exception_update AFTER UPDATE ON backup_exception BEGIN
  INSERT INTO dirty VALUES (OLD.policy), (NEW.policy);
END;
CREATE TEMP TRIGGER wake_backup_exception_delete AFTER DELETE ON backup_exception BEGIN
  INSERT INTO dirty VALUES (OLD.policy);
END;
