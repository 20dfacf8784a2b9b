// Backups: rows in, objects in a fake store and databases on a fake server out.
#include "tests/schema/backups/backed_world.h"

using namespace rowlock;

namespace {

constexpr char kBothStores[] =
    "SELECT name, state FROM status WHERE kind = 'backup' AND name <> 'own' ORDER BY name";
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;

// The object is there, nobody knows, and it cannot be taken back at once.
void lose_one_finish(Backed& world) {
  world.stores.set_faults(
      [finishes = 0, aborts = 0](const std::string& call, const std::string&) mutable {
        if (call == "finish" && finishes++ == 0) return FaultPlan::lose_answer;
        if (call == "abort" && aborts++ == 0) return FaultPlan::unreachable;
        return FaultPlan::none;
      });
}

}  // namespace

Test(backup, the_first_is_made_at_once_restored_and_compared) {
  Backed world;
  world.run_policy();

  expect_is("verified", world.states());
  expect_is("converged", world.status());
  cr_expect_eq(world.objects(), 1);
  expect_is("school", world.text("SELECT source FROM backup"));
  cr_expect(world.databases() == std::vector<std::string>{"school"}, "a scratch database is left");
  expect_in("next 1970-01-01 02:30 UTC", world.detail());
  expect_is("kept", world.text("SELECT target FROM rpo_rto"));
}

Test(backup, the_next_one_follows_its_schedule_once_a_day) {
  Backed world;
  world.run_policy();
  world.next_day();
  expect_is("verified verified", world.states());
  world.next_day();
  expect_is("verified verified verified", world.states());

  // Away for five days, it makes up for them once.
  world.pass_time_without_settling(5 * kDayMs);
  world.settle();
  expect_is("verified verified verified verified", world.states());
}

Test(backup, a_clock_in_another_zone_and_a_schedule_that_cannot_be_are_told) {
  Backed world;
  world.run_policy(", schedule, time_zone", ", '30 2 * * *', 'Europe/Berlin'");
  expect_in("next 1970-01-01 02:30 CET", world.detail());

  world.edit("UPDATE backup_policy SET schedule = '61 2 * * *' WHERE name = 'nightly'");
  world.settle();
  expect_is("failed", world.status());
  expect_in("minute", world.detail());
  world.edit(
      "UPDATE backup_policy SET schedule = '0 1 * * *', time_zone = 'Nowhere/Land' "
      "WHERE name = 'nightly'");
  world.settle();
  expect_in("Nowhere/Land", world.detail());
  world.edit("UPDATE backup_policy SET time_zone = 'UTC' WHERE name = 'nightly'");
  world.settle();
  expect_is("converged", world.status());
}

Test(backup, a_store_that_fails_leaves_nothing_and_is_tried_again) {
  for (const char* call : {"upload", "write", "finish"}) {
    for (const FaultPlan plan : {FaultPlan::fail_before, FaultPlan::unreachable}) {
      Backed world;
      int faults = 2;
      world.stores.set_faults([&](const std::string& made, const std::string&) {
        return made == call && faults-- > 0 ? plan : FaultPlan::none;
      });
      world.run_policy();

      expect_is("failed", world.states());
      expect_is("failed", world.status());
      cr_expect_eq(world.objects(), 0);
      world.wait_out();
      world.wait_out();
      expect_is("verified", world.states());
      expect_is("converged", world.status());
      cr_expect_eq(world.objects(), 1);
      cr_expect(world.stores.pending_uploads(kStore).empty());
    }
  }
}

Test(backup, an_answer_that_was_lost_is_looked_for_and_nothing_is_made_twice) {
  Backed world;
  lose_one_finish(world);
  world.run_policy();
  expect_is("failed", world.states());
  world.wait_out();

  expect_is("verified", world.states());
  cr_expect_eq(world.objects(), 1);
}

Test(backup, one_whose_answer_was_lost_is_found_even_when_the_next_is_due) {
  Backed world;
  lose_one_finish(world);
  world.run_policy();
  expect_is("failed", world.states());
  world.sql("INSERT INTO backup_request (name, policy) VALUES ('now', 'nightly')");
  world.settle();
  world.wait_out();

  expect_is("stored verified", world.states());
  cr_expect_eq(world.objects(), 2);
}

Test(backup, a_failed_one_that_nobody_wants_any_more_leaves_nothing_half_done) {
  Backed world;
  world.stores.set_faults([&](const std::string& call, const std::string&) {
    return call == "finish" || call == "abort" ? FaultPlan::fail_before : FaultPlan::none;
  });
  world.run_policy();
  expect_is("failed", world.states());
  cr_expect_eq(world.stores.pending_uploads(kStore).size(), 1);
  world.stores.set_faults(nullptr);
  world.stores.forget_running();
  world.sql("DELETE FROM backup_policy WHERE name = 'nightly'");
  world.wait_out();

  expect_is("failed", world.states());
  cr_expect(world.stores.pending_uploads(kStore).empty());
  cr_expect(world.text("SELECT step FROM plan WHERE name = 'nightly'").empty());
}

Test(backup, what_a_killed_controller_left_is_settled) {
  Backed world;
  world.run_policy();
  // As the rows stand when it is killed in the middle: with the object whole, and without it.
  world.sql("UPDATE backup SET state = 'running', stored_at_ms = NULL, sha256 = NULL");
  world.settle();
  expect_is("verified", world.states());
  cr_expect_eq(world.objects(), 1);

  world.stores.remove(kStore, world.text("SELECT object FROM backup"));
  world.sql("UPDATE backup SET state = 'running', stored_at_ms = NULL, sha256 = NULL");
  world.settle();
  expect_is("verified", world.states());
  cr_expect_eq(world.objects(), 1);

  world.sql("UPDATE backup SET state = 'verifying'");
  world.begin_again();
  expect_is("stored", world.states());
  world.settle();
  expect_is("verified", world.states());
  world.sql("UPDATE backup SET expiring = 1");
  world.settle();
  expect_is("expired", world.states());
  cr_expect_eq(world.objects(), 0);
}

Test(backup, what_does_not_hold_what_was_dumped_is_none_and_another_is_made_at_once) {
  Backed world;
  world.insert_policy();
  while (world.states() != "stored") world.turn();
  const std::string name = world.text("SELECT name FROM backup");
  world.flip_newest();
  while (world.states() != "failed") world.turn();
  expect_is("failed", world.status());
  world.settle();

  expect_is("expired verified", world.states());
  expect_is("converged", world.status());
  expect_is("in place of " + name, world.text("SELECT reason FROM backup WHERE id = 2"));
  cr_expect(world.databases() == std::vector<std::string>{"school"});
}

Test(backup, a_restore_that_is_not_equal_to_what_was_dumped_is_found) {
  Backed world;
  world.fake_dumps.set_loses_rows(true);
  world.run_policy();

  // Another one in its place is none either: more of them come when they are due.
  expect_is("failed failed", world.states());
  expect_in("has 2 rows, 3 were dumped", world.detail());
  cr_expect(world.databases() == std::vector<std::string>{"school"});
  world.fake_dumps.set_loses_rows(false);
  world.next_day();
  expect_is("expired expired verified", world.states());
}

Test(backup, one_of_several_jobs_is_in_parts_and_restored_as_any_other) {
  Backed world;
  world.run_policy(", jobs", ", 4");
  expect_is("verified", world.states());
  const auto object =
      world.stores.object(kStore, world.text("SELECT object FROM backup ORDER BY id DESC LIMIT 1"));
  std::string fault;
  const Members members = members_of(object->bytes, fault);
  std::string names;
  for (const auto& [name, bytes] : members) names += name + " ";
  expect_is("globals.sql before data.1 data.2 data.1 after ", names);
}

Test(backup, another_file_in_its_place_is_found) {
  Backed world;
  world.insert_policy();
  while (world.states() != "stored") world.turn();
  const std::string key = world.text("SELECT object FROM backup");
  const auto forged = backup_of(postgres_header(), {{"globals.sql", ""}, {"dump", "{}"}});
  world.stores.put(kStore, key, forged);
  while (world.states() != "failed") world.turn();

  expect_in("SHA-256", world.detail());
}

Test(backup, nothing_is_deleted_while_the_newest_failed_and_never_the_last_verified) {
  Backed world;
  world.run_policy(", keep_last, keep_daily, keep_weekly, keep_monthly", ", 1, 0, 0, 0");
  world.next_day();
  expect_is("expired verified", world.states());

  world.fake_dumps.set_faults([](const std::string& call, const std::string&) {
    return call == "dump" ? FaultPlan::fail_before : FaultPlan::none;
  });
  world.next_day(4);
  expect_is("expired verified failed failed failed failed", world.states());
  cr_expect_eq(world.objects(), 1);
  expect_is("failed", world.status());

  world.fake_dumps.set_faults(nullptr);
  world.next_day();
  expect_is("expired expired failed failed failed failed verified", world.states());
  cr_expect_eq(world.objects(), 1);
}

Test(backup, an_older_verified_one_goes_only_once_a_newer_one_was_verified) {
  Backed world;
  world.run_policy(", verify_schedule, keep_last, keep_daily, keep_weekly, keep_monthly",
                   ", '0 0 1 1 *', 1, 0, 0, 0");
  expect_is("stored", world.states());
  world.sql("INSERT INTO backup_request (name, policy, what) VALUES ('v', 'nightly', 'verify')");
  world.settle();
  expect_is("verified", world.states());

  // The scratch server is away: the new one cannot be proven, so the old one stays.
  world.fake_dumps.set_faults([](const std::string& call, const std::string&) {
    return call == "restore" ? FaultPlan::unreachable : FaultPlan::none;
  });
  world.next_day();
  expect_is("verified stored", world.states());
  cr_expect_eq(world.objects(), 2);
  expect_in("cannot be verified", world.detail());
  world.fake_dumps.set_faults(nullptr);
  world.wait_out();
  expect_is("expired verified", world.states());
  cr_expect_eq(world.objects(), 1);
}

Test(backup, late_and_unverified_for_too_long_are_failures_whatever_the_last_run_said) {
  Backed world;
  world.run_policy(", verify_schedule, unverified_ms", ", '0 0 1 1 *', 259200000");
  expect_is("converged", world.status());
  world.next_day(2);
  expect_is("converged", world.status());
  world.next_day(2);
  expect_is("failed", world.status());
  expect_in("not restored for too long", world.detail());

  Backed other;
  other.run_policy(", window_ms", ", 60000");
  expect_is("converged", other.status());
  // No run begins within its window, for nobody is there.
  other.pass_time_without_settling(3 * kDayMs + 12 * kHourMs);
  other.turn();
  expect_is("failed", other.status());
}

Test(backup, what_was_asked_for_once_is_in_nobodys_way_later) {
  Backed world;
  world.run_policy();
  const std::string ask = "INSERT INTO backup_request (name, policy) VALUES ";
  world.sql(ask + "('now', 'nightly')");
  world.settle();
  expect_is("verified verified", world.states());
  const std::string violations = "SELECT message FROM violation_now";
  world.sql("UPDATE backup_policy SET enabled = 0 WHERE name = 'nightly'");
  expect_is("", world.text(violations));
  world.sql(ask + "('again', 'nightly')");
  expect_in("is not enabled: set its enabled to 1", world.text(violations));
  world.sql("DELETE FROM backup_request WHERE name = 'again'");
  world.sql("DELETE FROM backup_policy WHERE name = 'nightly'");
  expect_is("", world.text(violations));
}

Test(backup, a_policy_whose_store_cannot_be_used_says_so) {
  Backed world;
  world.stores.set_away(kStore, true);
  world.run_policy();
  expect_is("failed", world.status());
  expect_in("not begun: ", world.detail());
  expect_in("store files, where nightly/files goes: ",
            world.text("SELECT reason FROM why WHERE name = 'nightly'"));
  world.stores.set_away(kStore, false);
  world.wait_out();
  expect_is("converged", world.status());
}

Test(backup, each_store_stands_by_itself) {
  Backed world;
  world.sql(
      fmt::format("INSERT INTO object_store (name, url, recipients, identity_file) SELECT "
                  "'far', 's3://far', recipients, identity_file FROM object_store"));
  world.stores.set_away("s3://far", true);
  world.run_policy(", second_store", ", 'far'");
  expect_is("nightly/far|failed nightly/files|converged", world.text(kBothStores));
  expect_is("failed", world.text("SELECT state FROM status WHERE kind = 'object_store' "
                                 "AND name = 'far'"));

  world.stores.set_away("s3://far", false);
  world.wait_out();
  world.wait_out();
  expect_is("nightly/far|converged nightly/files|converged", world.text(kBothStores));
  cr_expect_eq(world.stores.keys("s3://far").size(), 1);
}

Test(backup, only_one_run_of_a_policy_at_a_time) {
  Backed world;
  world.sql(
      "INSERT INTO object_store (name, url, recipients, identity_file) SELECT 'far', "
      "'s3://far', recipients, identity_file FROM object_store");
  world.after_step = [&] {
    cr_expect(world.number("SELECT count(*) FROM backup WHERE state = 'running'") <= 1);
  };
  world.run_policy(", second_store", ", 'far'");
  expect_is("verified verified", world.states());
}

Test(backup, the_watcher_hears_of_each_and_a_deaf_one_harms_nothing) {
  Backed world;
  world.run_policy(", ping_start, ping_success, ping_fail",
                   ", 'https://w/start', 'https://w/ok', 'https://w/fail'");
  cr_expect(world.fake_pings.heard() ==
            std::vector<std::string>({"https://w/start", "https://w/ok"}));
  world.fake_dumps.set_faults([](const std::string& call, const std::string&) {
    return call == "dump" ? FaultPlan::fail_before : FaultPlan::none;
  });
  world.fake_pings.is_away = true;
  world.next_day();
  expect_is("verified failed", world.states());
  world.fake_pings.is_away = false;
  world.wait_out();
  cr_expect(world.fake_pings.heard().back() == "https://w/fail");
}

// The database is wrong, or the assertion is: the backup is what was dumped.
Test(backup, an_assertion_that_is_not_true_condemns_no_backup) {
  Backed world;
  world.insert_policy();
  world.sql("INSERT INTO backup_assertion VALUES ('nightly', 'enough', 'SELECT count(*) > 2')");
  world.fake_dumps.set_answer("SELECT count(*) > 2", "f");
  world.settle();
  expect_is("stored", world.states());
  expect_is("failed", world.status());
  expect_in("assertion enough is not true", world.detail());
  cr_expect(world.databases() == std::vector<std::string>{"school"});

  // Whoever has mended it does not wait.
  world.fake_dumps.set_answer("SELECT count(*) > 2", "t");
  world.edit("INSERT INTO backup_request (name, policy, what) VALUES ('v', 'nightly', 'verify')");
  world.settle();
  expect_is("verified", world.states());
  expect_is("converged", world.status());
}

Test(backup, what_spoils_one_after_the_other_does_not_go_through_the_whole_history) {
  Backed world;
  world.run_policy(", verify_schedule", ", '0 4 * * 6'");  // Saturdays.
  world.sql("INSERT INTO backup_request (name, policy, what) VALUES ('v', 'nightly', 'verify')");
  world.settle();
  world.next_day(2);
  expect_is("verified stored stored", world.states());

  // From Saturday on, what is restored is never equal, whoever is to blame. Each new one is looked
  // at, and once another in its place, but no older one.
  world.fake_dumps.set_loses_rows(true);
  world.next_day(2);
  expect_is("verified stored failed failed failed failed", world.states());
  expect_is("failed", world.status());

  world.fake_dumps.set_loses_rows(false);
  world.next_day();
  expect_is("verified stored expired expired expired expired verified", world.states());
  expect_is("converged", world.status());
}

Test(backup, without_room_nothing_is_restored_and_it_is_said) {
  Backed world;
  world.fake_dumps.set_room(10);
  world.run_policy();
  expect_is("stored", world.states());
  expect_in("room for 0 MB", world.detail());
  world.fake_dumps.set_room(1'000'000);
  world.wait_out();
  expect_is("verified", world.states());
}

Test(backup, a_store_without_an_identity_keeps_what_it_cannot_prove) {
  Backed world;
  world.sql("UPDATE object_store SET identity_file = ''");
  world.run_policy();
  expect_is("stored", world.states());
  expect_is("waiting", world.status());
  expect_in("neither identity_secret nor identity_file", world.detail());
}

Test(backup, a_wrong_identity_condemns_no_backup) {
  Backed world;
  write_private(world.folder / "identity", kIdentities[1] + "\n");
  world.run_policy();
  expect_is("stored", world.states());
  expect_is("failed", world.status());
  expect_in("none of the identities opens", world.detail());
  write_private(world.folder / "identity", kIdentities[0] + "\n");
  world.wait_out();
  expect_is("verified", world.states());
}

Test(backup, the_home_is_backed_up_by_itself_once_there_is_a_store) {
  Backed world;
  world.sql("DELETE FROM backup_policy");
  world.settle();
  expect_is("verified|home|home", world.text("SELECT state, policy, kind FROM backup"));
  world.sql(
      "INSERT INTO backup_policy (name, kind, store, enabled) "
      "VALUES ('own', 'home', 'files', 0)");
  world.next_day();
  expect_is("verified", world.states());
}

Test(backup, what_was_asked_for_is_made_once) {
  Backed world;
  world.run_policy();
  world.sql("INSERT INTO backup_request (name, policy) VALUES ('now', 'nightly')");
  world.settle();
  expect_is("verified verified", world.states());
  expect_is("asked for: now", world.text("SELECT reason FROM backup WHERE id = 2"));
  world.pass_time_without_settling(kHourMs);
  world.settle();
  expect_is("verified verified", world.states());
}

Test(backup, what_a_recovered_home_does_not_know_is_found_in_its_store) {
  Backed world;
  world.run_policy();
  world.next_day(3);
  cr_expect_eq(world.objects(), 4);
  // The home of two days ago.
  world.sql("DELETE FROM backup WHERE id > 2");
  world.begin_again();
  world.settle();
  expect_is("found in its store found in its store",
            world.text("SELECT reason FROM backup WHERE id > 2"));
  expect_is("verified verified stored verified", world.states());
  cr_expect_eq(world.objects(), 4);
}

Test(backup, a_deleted_policy_leaves_its_backups) {
  Backed world;
  world.run_policy();
  world.sql("DELETE FROM backup_policy WHERE name = 'nightly'");
  world.next_day(2);
  expect_is("verified", world.states());
  cr_expect_eq(world.objects(), 1);
  cr_expect(world.text("SELECT step FROM plan WHERE name = 'nightly'").empty());
}

Test(backup, the_forecast_is_what_the_next_one_deletes) {
  Backed world;
  world.run_policy(", keep_last, keep_daily, keep_weekly, keep_monthly", ", 2, 0, 0, 0");
  world.next_day();
  const std::string forecast = world.text("SELECT name FROM backup_forecast");
  expect_is(world.text("SELECT name FROM backup WHERE id = 1"), forecast);
  world.next_day();
  expect_is("expired verified verified", world.states());
}

Test(backup, databases_that_nobody_backs_up_are_listed) {
  Backed world;
  world.fake_dumps.put_database(kServer, "library", {{"public.book", {"x"}}});
  world.run_policy();
  expect_is("library", world.text("SELECT database FROM uncovered"));
  world.sql(
      fmt::format("INSERT INTO database (name, url) VALUES ('library', '{}');"
                  "INSERT INTO backup_policy (name, database, store) "
                  "VALUES ('books', 'library', 'files')",
                  Backed::url("library")));
  world.settle();
  expect_is("", world.text("SELECT database FROM uncovered"));
}
