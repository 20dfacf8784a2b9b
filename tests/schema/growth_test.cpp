// What grows has an end: every table of state.db is bounded by the rows of desired.db, or by a
// declared rule; and what is trimmed by name takes nothing of other names along.
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <map>
#include <string>

using rowlock::PlanWorld;

namespace {

constexpr std::int64_t kDayMs = 86'400'000;

// What has neither a single row nor a rule by age or number: what its rows come and go with. Who
// puts a table here has thought of what ends it.
const std::map<std::string, std::string> kGoesWith = {
    {"audit", "moves into segments: audit_segment.rotate"},
    {"audit_segment", "goes by the step audit_segment.drop"},
    {"backup_excepted", "goes with the backup that expires"},
    {"backup_ping", "goes when it was sent, or is late"},
    {"backup_request_heard", "one for each policy"},
    {"backup_schedule", "goes with the policy"},
    {"certificate_state", "goes with the certificate"},
    {"change_pack", "goes by the step history.drop"},
    {"check_state", "goes with the instance"},
    {"check_proof", "goes with the spec"},
    {"database_login", "goes with the job, once it is dropped"},
    {"database_seen", "read anew from the server each time"},
    {"database_state", "goes with the database"},
    {"delivery", "goes with the instance"},
    {"deployment", "the last ones of each job"},
    {"home_pointer", "goes with the store"},
    {"image_tag", "goes with the job"},
    {"instance", "goes when its container is gone"},
    {"instance_mount", "goes with the instance"},
    {"keyring", "goes when nothing is wrapped by it any more"},
    {"kind", "filled anew at each start"},
    {"naming", "as many as there are kinds"},
    {"node_disk", "goes with the node"},
    {"node_image", "goes when it was removed from the node, or with the node"},
    {"node_state", "goes with the node"},
    {"object_store_state", "goes with the store"},
    {"once", "as many as there are tables"},
    {"refusal", "goes with the next edit that is accepted"},
    {"restore_left_out", "goes with the row of restore"},
    {"restore_run", "goes with the row of restore"},
    {"route_state", "goes with the route"},
    {"scratch_database", "goes when it was dropped, or with the database"},
    {"secret", "what a person put there, until it is removed"},
    {"secret_version", "max_versions of each secret"},
    {"slot", "made once"},
    {"spec", "goes with the deployment"},
    {"stray", "read anew from the engine each time"},
    {"rights_doubt", "one for policies, one for tokens"},
    {"token", "goes when it has ended"},
    {"token_gone", "goes with the next pass in which the store is open"},
    {"trimmed", "one for each table that is trimmed"},
    {"trust_keys", "goes with the row of trust"},
    {"unmanaged", "read anew from the engine each time"},
};

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The scripts that run by themselves, whatever happens.
std::string rules_of(const PlanWorld& world) {
  return *world.schema().script("state.prune") + *world.schema().script("retention.trim");
}

void add_events(PlanWorld& world, const std::string& name, int count) {
  world.sql(fmt::format(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {1}) "
      "INSERT INTO event (at_ms, kind, name, target, what) "
      "SELECT c.now_ms, 'job', '{0}', '{0}', 'failed' FROM n JOIN clock AS c;"
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {1}) "
      "INSERT INTO attempt (kind, name, target, step, reason, started_at_ms, finished_at_ms) "
      "SELECT 'job', '{0}', '{0}', 'start', '', c.now_ms, c.now_ms FROM n JOIN clock AS c;",
      name, count));
}

void trim(PlanWorld& world, int times) {
  for (int i = 0; i < times; ++i) {
    const auto done =
        world.rows().run(*world.schema().script("retention.trim"), {{"now_ms", world.now_ms()}});
    cr_assert(done.ok(), "%s", done.ok() ? "" : done.error().message.c_str());
  }
}

std::string counts(PlanWorld& world, const std::string& table) {
  return world.text(
      fmt::format("SELECT name, count(*) FROM {} GROUP BY name ORDER BY name", table));
}

}  // namespace

Test(growth, every_table_of_state_db_has_an_end) {
  PlanWorld world;
  std::map<std::string, bool> is_desired;
  for (const auto& table : world.schema().desired_tables()) is_desired[table.name] = true;
  const std::string rules = rules_of(world);
  const auto tables = world.rows().query(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
  cr_assert(tables.ok());

  for (const auto& table : tables.value()) {
    const std::string name = table.text("name");
    const bool is_bounded = is_desired.contains(name) || name.ends_with("_case") ||
                            holds(table.text("sql"), "CHECK (only = 1)");
    const bool is_pruned = holds(rules, fmt::format("DELETE FROM {}\n", name)) ||
                           holds(rules, fmt::format("DELETE FROM {} ", name));
    const bool goes_along = kGoesWith.contains(name);
    cr_expect(is_bounded || is_pruned || goes_along,
              "what ends the rows of %s? A rule in a section @prune or in retention.trim, or what "
              "they go with in this test",
              name.c_str());
    cr_expect_not(goes_along && (is_bounded || is_pruned), "%s is bounded twice", name.c_str());
  }
  for (const auto& [name, why] : kGoesWith) {
    cr_expect(
        world.number(fmt::format(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{}'", name)) == 1,
        "there is no %s any more", name.c_str());
  }
}

Test(growth, who_flaps_pushes_out_nobody_else) {
  PlanWorld world;
  world.sql("INSERT INTO retention (events_per_name, attempts_per_name) VALUES (20, 10)");
  add_events(world, "calm", 7);
  add_events(world, "flaps", 900);
  add_events(world, "other", 3);

  trim(world, 20);

  cr_expect(counts(world, "event") == "calm|7 clock|1 flaps|20 other|3");
  cr_expect(counts(world, "attempt") == "calm|7 flaps|10 other|3");
  cr_expect(world.text("SELECT min(id) || '-' || max(id) FROM event WHERE name = 'flaps'") ==
            "889-908");
  cr_expect(world.text("SELECT rows FROM trimmed ORDER BY table_name") == "20 31");
}

Test(growth, a_slice_is_a_slice) {
  PlanWorld world;
  world.sql("INSERT INTO retention (events_per_name) VALUES (10)");
  add_events(world, "flaps", 3000);

  trim(world, 1);
  const std::int64_t left = world.number("SELECT count(*) FROM event");

  cr_expect_eq(left, 2501);
}

Test(growth, what_is_too_old_goes_and_the_newest_row_stays) {
  PlanWorld world;
  add_events(world, "web", 5);
  world.sql(
      "INSERT INTO attempt (kind, name, target, step, reason, started_at_ms) "
      "SELECT 'job', 'web', 'open', 'start', '', now_ms FROM clock");
  world.pass_time_without_settling(200 * kDayMs);

  trim(world, 2);

  cr_expect(world.text("SELECT id FROM event WHERE name = 'web'") == "6");
  cr_expect_eq(world.number("SELECT count(*) FROM attempt WHERE target = 'web'"), 0);
  cr_expect_eq(world.number("SELECT count(*) FROM attempt WHERE target = 'open'"), 1,
               "it is under way still");
}

Test(growth, a_wall_clock_that_is_set_a_year_ahead_takes_nothing) {
  PlanWorld world;
  add_events(world, "web", 5);

  world.set_wall_clock(365 * kDayMs);
  trim(world, 2);
  world.set_wall_clock(-365 * kDayMs);
  trim(world, 2);

  cr_expect_eq(world.number("SELECT count(*) FROM event WHERE name = 'web'"), 5);
}

Test(growth, all_names_together_have_a_bound_too) {
  PlanWorld world;
  world.sql("INSERT INTO retention (events_max, attempts_max) VALUES (1000, 1000)");
  for (int i = 0; i < 150; ++i) add_events(world, fmt::format("job-{}", i), 10);

  trim(world, 10);

  cr_expect_leq(world.number("SELECT count(*) FROM event"), 1000);
  cr_expect_geq(world.number("SELECT count(*) FROM event"), 500);
  cr_expect_leq(world.number("SELECT count(*) FROM attempt"), 1000);
}

Test(growth, a_smaller_number_holds_for_names_that_are_quiet) {
  PlanWorld world;
  add_events(world, "web", 50);
  trim(world, 2);
  cr_assert_eq(world.number("SELECT count(*) FROM event WHERE name = 'web'"), 50);

  world.sql("INSERT INTO retention (events_per_name) VALUES (10)");
  trim(world, 2);

  cr_expect_eq(world.number("SELECT count(*) FROM event WHERE name = 'web'"), 10);
}

// Backups that are gone, and those that came to nothing.
Test(growth, rows_of_backups_that_are_gone_go_too) {
  PlanWorld world;
  world.sql(
      "INSERT INTO backup (name, policy, store, kind, source, object, reason, state, due_at_ms, "
      "stored_at_ms, expired_at_ms, unsettled) VALUES "
      "('old', 'p', 's', 'home', '', 'a', '', 'expired', 0, 0, 0, 0), "
      "('nothing', 'p', 's', 'home', '', 'b', '', 'failed', 0, NULL, NULL, 0), "
      "('perhaps', 'p', 's', 'home', '', 'c', '', 'failed', 0, NULL, NULL, 1), "
      "('there', 'p', 's', 'home', '', 'd', '', 'stored', 0, 0, NULL, 0)");
  world.pass_time_without_settling(500 * kDayMs);

  const auto pruned =
      world.rows().run(*world.schema().script("state.prune"), {{"now_ms", world.now_ms()}});

  cr_assert(pruned.ok());
  cr_expect(world.text("SELECT name FROM backup ORDER BY id") == "perhaps there");
}
