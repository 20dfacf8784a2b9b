-- How much those who show tokens may ask for, and leave behind in state.db: each of their requests is a line of the
-- audit log, and what they wrap for others lies there until it is fetched or has expired.

-- @desired

-- Of all holders of a policy together; of each token by itself where policy is '*'.
CREATE TABLE quota (
  policy              TEXT PRIMARY KEY NOT NULL
                      CONSTRAINT "quota.policy must be a policy's name, or '*' for each token by itself"
                      CHECK (policy = '*' OR (policy <> '' AND policy NOT GLOB '*[^a-z0-9/_-]*')),
  requests_per_minute INTEGER NOT NULL DEFAULT 6000
                      CONSTRAINT "quota.requests_per_minute must be a whole number from 1 to 100000000"
                      CHECK (typeof(requests_per_minute) = 'integer' AND requests_per_minute BETWEEN 1 AND 100000000),
  wrapped_kb          INTEGER NOT NULL DEFAULT 4096    -- of answers that wait wrapped
                      CONSTRAINT "quota.wrapped_kb must be a whole number from 0 to 1048576"
                      CHECK (typeof(wrapped_kb) = 'integer' AND wrapped_kb BETWEEN 0 AND 1048576)
);

-- @views

CREATE VIEW quota_violation AS
SELECT 'quota' AS table_name,
       q.policy AS row_key,
       'quota names the policy ''' || q.policy || ''', which has no row: INSERT INTO policy first, or DELETE FROM quota'
         AS message
FROM quota AS q
WHERE q.policy <> '*' AND q.policy NOT IN (SELECT name FROM policy);

-- @run quota.of

-- What bounds a token with the policies of the JSON array :policies: first its own, which it always has.
SELECT '*' AS policy,
       COALESCE(max(requests_per_minute), 6000) AS requests_per_minute,
       COALESCE(max(wrapped_kb), 4096) AS wrapped_kb
FROM quota
WHERE policy = '*'
UNION ALL
SELECT q.policy, q.requests_per_minute, q.wrapped_kb
FROM json_each(:policies) AS p
JOIN quota AS q ON q.policy = p.value AND q.policy <> '*';

-- @run quota.wrapped

-- Bytes of rows, the rest of each as it usually is. From the index alone.
SELECT COALESCE(sum(t.wrapped_bytes + 512), 0)
FROM token AS t
WHERE t.kind = 'wrapping' AND t.made_by = :accessor AND t.expires_at_ms > :now_ms;

-- @run quota.wrapped_by_policy

SELECT COALESCE(sum(t.wrapped_bytes + 512), 0)
FROM token AS t
WHERE t.kind = 'wrapping' AND t.made_by > '' AND t.expires_at_ms > :now_ms
  AND EXISTS (SELECT 1 FROM json_each(t.made_policies) AS p WHERE p.value = :policy);
