-- The audit log rotates: what is older than its last lines moves into segments, rows of audit_segment that a worker
-- packs and signs, and the oldest segments go. A segment comes and its lines go in one transaction, so that a crash
-- leaves either. Lines that are not what was written are not moved: the step fails, and `rowlock audit verify` says
-- which.

-- @kind audit_segment
--   of:     'audit'
--   due:    rotate drop
--   key:    open sealed
--   retry:  1 min to 1 h

-- @views

CREATE VIEW audit_segment_newest AS
SELECT s.number, s.last_seq, s.hash, s.mac FROM audit_segment AS s ORDER BY s.number DESC LIMIT 1;

-- The age of moments that are people's is counted by the clock that nobody sets. The newest segment stays.
CREATE VIEW audit_segment_fact AS
SELECT 'audit' AS name, 'audit' AS target, NULL AS due_at_ms, 'rotate' AS due,
       CASE (SELECT state FROM seal) WHEN 'open' THEN 'open' ELSE 'sealed' END AS key
FROM audit_head AS h
JOIN retention_setting AS s
WHERE h.seq - COALESCE((SELECT n.last_seq FROM audit_segment_newest AS n), 0) >= s.audit_lines + 2000
UNION ALL
SELECT 'audit', 'audit_archive', NULL, 'drop',
       CASE (SELECT state FROM seal) WHEN 'open' THEN 'open' ELSE 'sealed' END
FROM audit_archive AS a
JOIN audit_segment AS g ON g.number = a.first_number
JOIN retention_setting AS s
JOIN clock AS c
WHERE a.first_number < a.last_number AND g.last_at_ms < c.now_ms - s.audit_days * 86400000;

CREATE VIEW audit_segment_rule (due, key, step, reason) AS VALUES
  ('rotate', 'open',   'rotate', 'the audit log has many lines'),
  ('drop',   'open',   'drop',   'the oldest lines are older than retention.audit_days'),
  ('*',      'sealed', 'wait',   'the secret store is sealed: its key signs the segment');

CREATE VIEW audit_segment_input AS
SELECT 'audit' AS target,
       COALESCE((SELECT n.number FROM audit_segment_newest AS n), 0) AS number,
       COALESCE((SELECT n.last_seq FROM audit_segment_newest AS n), 0) AS last_seq,
       COALESCE((SELECT n.hash FROM audit_segment_newest AS n), '') AS hash,
       COALESCE((SELECT n.mac FROM audit_segment_newest AS n), '') AS mac,
       COALESCE((SELECT a.first_number FROM audit_archive AS a), 1) AS first_number,
       2000 AS lines
UNION ALL
SELECT 'audit_archive', n.number, n.last_seq, n.hash, n.mac, a.first_number, 0
FROM audit_archive AS a
JOIN audit_segment_newest AS n;

CREATE VIEW audit_segment_status AS
SELECT 'audit' AS kind, 'audit' AS name, 'failed' AS state,
       'the audit log does not rotate: ' || h.detail AS detail, h.since_ms
FROM retry AS h
WHERE h.kind = 'audit_segment';

CREATE VIEW audit_segment_why AS
SELECT 'audit' AS kind, 'audit' AS name, h.target, 'the audit log does not rotate: ' || h.detail AS reason, h.since_ms
FROM retry AS h
WHERE h.kind = 'audit_segment';

-- @wake

-- There may be more.
CREATE TEMP TRIGGER wake_audit_archive AFTER UPDATE ON audit_archive BEGIN
  INSERT INTO dirty VALUES ('audit');
END;

-- @run audit_segment.rotate.done

INSERT INTO audit_segment (number, first_seq, last_seq, last_at_ms, hash_before, hash, mac_before, packed, mac)
SELECT :number, :first_seq, :last_seq, :last_at_ms, :hash_before, :hash, :mac_before, :packed, :mac
WHERE :number = COALESCE((SELECT n.number FROM audit_segment_newest AS n), 0) + 1;

DELETE FROM audit WHERE seq BETWEEN :first_seq AND :last_seq;

INSERT INTO audit_archive (only, first_number, last_number, mac)
VALUES (1, :first_number, :number, :archive_mac)
ON CONFLICT (only) DO UPDATE SET last_number = excluded.last_number, mac = excluded.mac;

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'audit', 'audit', :number, 'rotated', 'lines ' || :first_seq || ' to ' || :last_seq);

-- @run audit_segment.drop.done

UPDATE audit_archive SET first_number = :first_number, mac = :archive_mac WHERE first_number = :first_number - 1;

DELETE FROM audit_segment WHERE number < :first_number;

INSERT INTO event (at_ms, kind, name, target, what, detail)
VALUES (:now_ms, 'audit', 'audit', :first_number - 1, 'dropped', 'a segment older than retention.audit_days');

-- @run audit.archive

SELECT first_number, last_number, mac, (SELECT count(*) FROM audit_segment) AS segments FROM audit_archive
UNION ALL
SELECT 0, 0, '', (SELECT count(*) FROM audit_segment) WHERE NOT EXISTS (SELECT 1 FROM audit_archive);

-- @run audit.segment

SELECT number, first_seq, last_seq, last_at_ms, hash_before, hash, mac_before, packed, mac
FROM audit_segment
WHERE number = :number;
