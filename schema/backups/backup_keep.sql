-- Which backups a policy keeps, and why, by the rules of `restic forget` as they are since its version 0.16:
--
--   keep_last N      the newest N
--   keep_daily N     the newest backup of each of the last N days that have one; weeks (from Monday to Sunday), months
--                    and years likewise. A policy that has more left to keep keeps the oldest backup of all as well, so
--                    that its history does not end before the first month or year is full
--   keep_within_ms   everything not older than this before the newest backup; a day is 24 hours of it
--
-- 0 is a rule that is not used, -1 one without end. One reason is enough to stay. A policy without any rule keeps
-- everything, and so does one that was deleted. Each store is looked at by itself. Only backups that are whole count:
-- one that is still running or has failed keeps nobody else's place, and is neither kept nor given up here.

-- @views

-- The whole backups there are, and once more as they will be in the world called 'next': with one more, made when the
-- next one is due. So the rules below say what is kept, and what will be.
CREATE VIEW backup_whole AS
SELECT 'now' AS world, b.id, b.policy, b.store, b.taken_at_ms, b.taken_on
FROM backup_there AS b
WHERE b.expiring = 0
UNION ALL
SELECT 'next', b.id, b.policy, b.store, b.taken_at_ms, b.taken_on
FROM backup_there AS b
WHERE b.expiring = 0
UNION ALL
SELECT 'next', NULL, s.policy, s.store, s.next_at_ms, date(s.next_at_ms / 1000, 'unixepoch')
FROM backup_schedule AS s
WHERE s.next_at_ms NOT NULL;

-- Every whole backup beside the policy's numbers, and whether it is the newest of its day, week, month and year.
-- All windows of this file share one PARTITION BY, so that a question for one policy reads its backups alone.
CREATE VIEW backup_bucket AS
SELECT b.world,
       b.id,
       b.policy,
       b.store,
       b.taken_at_ms,
       p.keep_last,
       p.keep_daily,
       p.keep_weekly,
       p.keep_monthly,
       p.keep_yearly,
       p.keep_within_ms,
       row_number() OVER newest                                                                       AS last_rank,
       lead(b.taken_at_ms) OVER newest IS NULL                                                        AS is_oldest,
       b.taken_on IS NOT lag(b.taken_on) OVER newest                                                  AS begins_day,
       -- The Monday of its week.
       date(b.taken_on, 'weekday 0', '-6 days') IS NOT lag(date(b.taken_on, 'weekday 0', '-6 days')) OVER newest
                                                                                                      AS begins_week,
       substr(b.taken_on, 1, 7) IS NOT lag(substr(b.taken_on, 1, 7)) OVER newest                      AS begins_month,
       substr(b.taken_on, 1, 4) IS NOT lag(substr(b.taken_on, 1, 4)) OVER newest                      AS begins_year,
       -- One from a clock that was ahead must not make all the others look old.
       max(b.taken_at_ms) FILTER (WHERE b.id IS NULL OR b.taken_at_ms <= (SELECT wall_ms FROM clock)) OVER whole
                                                                                                      AS latest_at_ms
FROM backup_whole AS b
LEFT JOIN backup_policy_now AS p ON p.name = b.policy
WINDOW whole  AS (PARTITION BY b.policy, b.store, b.world),
       newest AS (PARTITION BY b.policy, b.store, b.world ORDER BY b.taken_at_ms DESC, b.id DESC);

-- The same with how many days, weeks, months and years have a backup from the newest down to this one, and how many
-- had one above it: as long as that is less than what is to be kept, there is some left for the oldest.
CREATE VIEW backup_rank AS
SELECT b.world,
       b.id,
       b.policy,
       b.store,
       b.is_oldest,
       b.keep_last,
       b.keep_daily,
       b.keep_weekly,
       b.keep_monthly,
       b.keep_yearly,
       b.keep_within_ms,
       b.begins_day,
       b.begins_week,
       b.begins_month,
       b.begins_year,
       b.last_rank,
       sum(b.begins_day) OVER newest    AS day_rank,
       sum(b.begins_week) OVER newest   AS week_rank,
       sum(b.begins_month) OVER newest  AS month_rank,
       sum(b.begins_year) OVER newest   AS year_rank,
       b.latest_at_ms - b.taken_at_ms   AS age_ms
FROM backup_bucket AS b
WINDOW newest AS (PARTITION BY b.policy, b.store, b.world ORDER BY b.taken_at_ms DESC, b.id DESC
                  ROWS UNBOUNDED PRECEDING);

-- The reasons for each whole backup, each with a ', ' before it; '' when no rule keeps it.
CREATE VIEW backup_reason AS
SELECT b.world,
       b.id,
       b.policy,
       b.store,
       CASE WHEN b.keep_last < 0 OR b.last_rank <= b.keep_last THEN ', last' ELSE '' END
         || CASE WHEN b.begins_day AND (b.keep_daily < 0 OR b.day_rank <= b.keep_daily) THEN ', daily'
                 WHEN b.is_oldest AND NOT b.begins_day AND (b.keep_daily < 0 OR b.day_rank < b.keep_daily)
                 THEN ', oldest daily' ELSE '' END
         || CASE WHEN b.begins_week AND (b.keep_weekly < 0 OR b.week_rank <= b.keep_weekly) THEN ', weekly'
                 WHEN b.is_oldest AND NOT b.begins_week AND (b.keep_weekly < 0 OR b.week_rank < b.keep_weekly)
                 THEN ', oldest weekly' ELSE '' END
         || CASE WHEN b.begins_month AND (b.keep_monthly < 0 OR b.month_rank <= b.keep_monthly) THEN ', monthly'
                 WHEN b.is_oldest AND NOT b.begins_month AND (b.keep_monthly < 0 OR b.month_rank < b.keep_monthly)
                 THEN ', oldest monthly' ELSE '' END
         || CASE WHEN b.begins_year AND (b.keep_yearly < 0 OR b.year_rank <= b.keep_yearly) THEN ', yearly'
                 WHEN b.is_oldest AND NOT b.begins_year AND (b.keep_yearly < 0 OR b.year_rank < b.keep_yearly)
                 THEN ', oldest yearly' ELSE '' END
         || CASE WHEN b.keep_within_ms > 0 AND COALESCE(b.age_ms < b.keep_within_ms, 1) THEN ', within '
                   || CASE WHEN b.keep_within_ms = 86400000     THEN '1 day'
                           WHEN b.keep_within_ms % 86400000 = 0 THEN (b.keep_within_ms / 86400000) || ' days'
                           WHEN b.keep_within_ms = 3600000      THEN '1 hour'
                           WHEN b.keep_within_ms % 3600000 = 0  THEN (b.keep_within_ms / 3600000) || ' hours'
                           ELSE (b.keep_within_ms / 1000) || ' seconds' END
                 ELSE '' END
         || CASE WHEN b.keep_last = 0 AND b.keep_daily = 0 AND b.keep_weekly = 0 AND b.keep_monthly = 0
                      AND b.keep_yearly = 0 AND b.keep_within_ms <= 0 THEN ', no rule'
                 WHEN b.keep_last + b.keep_daily + b.keep_weekly + b.keep_monthly + b.keep_yearly + b.keep_within_ms
                      IS NULL                                         THEN ', no policy' ELSE '' END AS reasons
FROM backup_rank AS b;

-- Every backup that its policy keeps, with all its reasons.
CREATE VIEW backup_kept AS
SELECT r.id, r.policy, r.store, substr(r.reasons, 3) AS reasons
FROM backup_reason AS r
WHERE r.world = 'now' AND r.reasons <> '';

-- Every whole backup that no rule keeps. Whether it may go, backup_fact says (backup.sql): it may be the last that is
-- known to be good.
CREATE VIEW backup_forgettable AS
SELECT r.id, r.policy, r.store
FROM backup_reason AS r
WHERE r.world = 'now' AND r.reasons = '';

-- What will be deleted once the next one was made and verified.
CREATE VIEW backup_forecast AS
SELECT r.policy, r.store, b.name, b.taken_at_ms, b.size_bytes
FROM backup_reason AS r
JOIN backup AS b ON b.id = r.id
WHERE r.world = 'next' AND r.reasons = '';
