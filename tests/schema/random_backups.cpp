// The backups of a random world: stores, policies, what they have made and were asked for, and
// restores of that.
#include "tests/schema/random_parts.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr int kBackupsMax = 6;

std::string random_stores(Dice& dice) {
  std::string rows;
  for (const std::string store : {"files", "far"}) {
    if (dice.yes() || dice.yes()) {
      rows += fmt::format(
          "INSERT INTO object_store (name, url, secret, identity_file) VALUES ('{0}', "
          "'file:///{0}', '{1}', '{2}');",
          store, dice.one_of({"", "", "db/keys"}), dice.one_of({"", "/identity", "/identity"}));
    }
    if (dice.yes() || dice.yes()) {
      rows += fmt::format(
          "INSERT INTO object_store_state (store, address, look_at_ms, seen_at_ms) "
          "VALUES ('{0}', COALESCE((SELECT {1} FROM object_store_address WHERE name = '{0}'), ''), "
          "{2}, {3});",
          store, dice.one_of({"address", "address", "''"}), dice.moment(),
          dice.one_of({"NULL", "999000", "1000000", "1000000"}));
    }
  }
  return rows;
}

std::string random_policy(Dice& dice, const std::string& policy) {
  return fmt::format(
      "INSERT INTO backup_policy (name, kind, database, store, second_store, enabled, window_ms, "
      "keep_last, keep_daily, keep_weekly, keep_monthly, verify_schedule) "
      "VALUES ('{}', '{}', '{}', 'files', '{}', {}, {}, 1, 0, 0, 0, '{}');",
      policy, policy == "own" ? "home" : "postgres", policy == "own" ? "" : "main",
      dice.one_of({"", "far"}), dice.one_of({"0", "1", "1", "1"}), dice.one_of({"0", "0", "500"}),
      dice.one_of({"each", "each", "0 5 * * 0"}));
}

std::string random_schedule(Dice& dice, const std::string& policy, const std::string& store) {
  const std::string rule = fmt::format(
      "COALESCE((SELECT rule FROM backup_target WHERE target = '{}/{}'), 'none')", policy, store);
  return fmt::format(
      "INSERT INTO backup_schedule (target, policy, store, rule, next_at_ms, verify_next_at_ms, "
      "since_ms) VALUES ('{0}/{1}', '{0}', '{1}', {2}, {3}, {4}, 0);",
      policy, store, dice.one_of({rule, rule, "'another'"}),
      dice.one_of({"NULL", "0", "2000000", "2000000"}), dice.moment_or_null());
}

// In any order of states, as no loop would leave them.
std::string random_history(Dice& dice, const std::string& policy, const std::string& store) {
  std::string rows;
  for (int i = 0; i < kBackupsMax; ++i) {
    if (!dice.yes()) {
      continue;
    }
    const std::string state = dice.one_of(
        {"due", "running", "stored", "verifying", "verified", "verified", "failed", "expired"});
    const bool was_stored = state.find("verif") == 0 || state == "stored" || state == "expired" ||
                            (state == "failed" && dice.yes());
    rows += fmt::format(
        "INSERT INTO backup (name, policy, store, kind, source, object, reason, state, due_at_ms, "
        "taken_at_ms, taken_on, stored_at_ms, verified_at_ms, expiring, unsettled) "
        "VALUES ('{0}-{1}-{2}', '{0}', '{1}', '{3}', '{4}', '{0}/{1}/{2}', '{5}', '{6}', {7}, {8}, "
        "{9}, {8}, {10}, {11}, {12});",
        policy, store, i, policy == "own" ? "home" : "postgres", policy == "own" ? "" : "main",
        dice.one_of({"its time has come", "in place of x"}), state, dice.moment(),
        was_stored ? std::to_string(1000 * i) : "NULL", was_stored ? "'1970-01-01'" : "NULL",
        state == "verified" ? dice.moment() : "NULL",
        was_stored && state != "expired" ? dice.one_of({"0", "0", "0", "1"}) : "0",
        state == "failed" ? dice.flag() : "0");
  }
  return rows;
}

std::string random_pings(Dice& dice) {
  std::string rows;
  for (const std::string what : {"start", "success", "fail"}) {
    if (dice.yes()) {
      rows += fmt::format(
          "INSERT INTO backup_ping (policy, what, url, since_ms) "
          "VALUES ('nightly', '{}', 'http://watcher', 0);",
          what);
    }
  }
  return rows;
}

std::string random_restores(Dice& dice) {
  std::string rows;
  for (const std::string restore : {"first", "second", "third", "fourth"}) {
    if (dice.yes()) {
      rows += fmt::format(
          "INSERT INTO restore (name, policy, backup, into_url, secret, keep_going) VALUES ('{0}', "
          "'nightly', '{1}', 'postgresql://admin@db/{0}', '{2}', {3});",
          restore, dice.one_of({"latest", "nightly-files-1", "1970-01-02"}),
          dice.one_of({"", "", "db/admin"}), dice.one_of({"0", "1"}));
    }
    if (dice.yes()) {
      rows += fmt::format(
          "INSERT INTO restore_left_out VALUES ('{}', 'TABLE public.pupil', 'it needs a "
          "function');",
          restore);
    }
    if (dice.yes() || dice.yes()) {
      rows += fmt::format(
          "INSERT INTO restore_run (restore, backup, state, started_at_ms, server_url, "
          "server_secret) VALUES ('{}', (SELECT {}(id) FROM backup), '{}', 0, '{}', '{}');",
          restore, dice.one_of({"min", "max"}),
          dice.one_of({"chosen", "restored", "discarding", "done", "failed"}),
          dice.one_of({"", "postgresql://admin@db/x"}), dice.one_of({"", "", "db/admin"}));
    }
  }
  return rows;
}

// After the backups, of which they speak.
std::string random_pointers(Dice& dice) {
  std::string rows;
  for (const std::string store : {"files", "far"}) {
    if (dice.yes()) {
      rows += fmt::format(
          "INSERT INTO home_pointer (store, news) VALUES ('{}', COALESCE((SELECT news FROM "
          "home_pointer_news), '{}'));",
          store, dice.one_of({"", "old"}));
    } else if (dice.yes()) {
      rows += fmt::format("INSERT INTO home_pointer (store, news) VALUES ('{}', 'old');", store);
    }
  }
  return rows;
}

std::string random_scratch(Dice& dice) {
  std::string rows;
  for (const std::string database : {"main", "gone"}) {
    if (dice.yes()) {
      rows += fmt::format(
          "INSERT INTO scratch_database (target, database, name, backup) VALUES ('{0}/verify', "
          "'{0}', 'rowlock_x_verify_1', (SELECT {1}(id) FROM backup));",
          database, dice.one_of({"min", "max"}));
    }
    if (dice.yes()) {
      rows += fmt::format(
          "INSERT INTO scratch_database (target, database, name, restore) VALUES ('{0}/restore', "
          "'{0}', 'rowlock_x_restore_1', '{1}');",
          database, dice.one_of({"first", "second", "third"}));
    }
  }
  return rows;
}

}  // namespace

std::string random_backups(Dice& dice) {
  std::string rows = random_stores(dice);
  for (const std::string policy : {"nightly", "own"}) {
    if (dice.yes() || dice.yes()) {
      rows += random_policy(dice, policy);
    }
    if (dice.yes()) {
      rows += fmt::format(
          "INSERT INTO backup_request (name, policy, what) VALUES ('{0}-now', '{0}', '{1}');",
          policy, dice.one_of({"backup", "verify"}));
    }
    for (const std::string store : {"files", "far"}) {
      rows += dice.yes() || dice.yes() ? random_schedule(dice, policy, store) : "";
      rows += dice.yes() || dice.yes() ? random_history(dice, policy, store) : "";
    }
  }
  return rows + random_pings(dice) + random_restores(dice) + random_scratch(dice) +
         random_pointers(dice);
}

}  // namespace rowlock
