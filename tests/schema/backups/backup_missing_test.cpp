// Backups that are not where they were put: they count for nothing until they are there again.
#include "tests/schema/backups/backed_world.h"

using namespace rowlock;

namespace {

constexpr char kElsewhere[] = "file:///srv/other";

struct Kept : Backed {
  // Two days, and so two backups of which the newer one is the last good one.
  Kept() {
    run_policy();
    next_day();
  }

  std::string object(int id) {
    return text("SELECT object FROM backup WHERE id = " + std::to_string(id));
  }
  void look() {
    sql("UPDATE object_store_state SET look_at_ms = 0");
    settle();
  }
  std::string shown() { return text(*schema().script("cli.backup_list")); }
};

}  // namespace

Test(backup_missing, one_that_has_vanished_is_lost_said_and_not_counted) {
  Kept world;
  expect_in("2 kept; next", world.detail());

  world.stores.remove(kStore, world.object(1));
  world.look();

  expect_in("1 kept, 1 lost; next", world.detail());
  expect_in("it is not in store files any more",
            world.text("SELECT detail FROM event WHERE what = 'lost'"));
  expect_in("is lost: it is not in store files",
            world.text("SELECT reason FROM why WHERE name = 'nightly'"));
  expect_in("|lost|", world.shown());
  expect_is("2", world.text("SELECT group_concat(id) FROM backup_kept"));
  world.look();
  expect_is("1", world.text("SELECT count(*) FROM event WHERE what = 'lost'"));
}

Test(backup_missing, in_place_of_the_newest_one_another_is_made_at_once) {
  Kept world;
  world.stores.remove(kStore, world.object(2));

  world.look();

  expect_in("in place of nightly-", world.text("SELECT reason FROM backup WHERE id = 3"));
  expect_is("verified", world.text("SELECT state FROM backup WHERE id = 3"));
  expect_in("2 kept, 1 lost; next", world.detail());
}

Test(backup_missing, one_that_was_cut_is_lost_and_counts_again_when_it_is_whole) {
  Kept world;
  const std::string key = world.object(1);
  const std::string bytes = world.stores.object(kStore, key)->bytes;
  world.stores.put(kStore, key, "");
  world.look();
  expect_in("it has 0 bytes in store files, and had " + std::to_string(bytes.size()),
            world.text("SELECT detail FROM event WHERE what = 'lost'"));
  expect_in("1 lost", world.detail());

  world.stores.put(kStore, key, bytes);
  world.look();

  expect_in("2 kept; next", world.detail());
  expect_is("1", world.text("SELECT count(*) FROM event WHERE what = 'found again'"));
  cr_expect(world.text("SELECT reason FROM why WHERE name = 'nightly'").empty());
}

// Its object has gone, and nobody knows: that is no loss.
Test(backup_missing, one_whose_deletion_lost_its_answer_is_deleted_and_not_lost) {
  Kept world;
  bool is_lost = false;
  world.stores.set_faults([&](const std::string& call, const std::string&) {
    if (call != "remove" || is_lost) return FaultPlan::none;
    is_lost = true;
    return FaultPlan::lose_answer;
  });
  world.sql("UPDATE backup_policy SET keep_daily = 1, keep_weekly = 0, keep_monthly = 0");
  world.settle();
  expect_is("1", world.text("SELECT expiring FROM backup WHERE id = 1"));
  world.look();
  world.wait_out();

  expect_is("expired verified", world.states());
  expect_is("0", world.text("SELECT count(*) FROM event WHERE what = 'lost'"));
}

Test(backup_missing, a_store_that_leads_elsewhere_has_none_of_the_old_ones) {
  Kept world;

  world.sql(std::string("UPDATE object_store SET url = '") + kElsewhere + "' WHERE name = 'files'");
  world.settle();

  expect_in("in place of nightly-", world.text("SELECT reason FROM backup WHERE id = 3"));
  expect_in("1 kept, 2 at its former address; next", world.detail());
  expect_in("is where store files was before", world.text("SELECT reason FROM why"));
  expect_in("|elsewhere|", world.shown());
  cr_expect_eq(world.objects(), 2, "nothing is deleted there");
  world.next_day(40);
  cr_expect_eq(world.objects(), 2, "nor later");

  world.sql(std::string("UPDATE object_store SET url = '") + kStore + "' WHERE name = 'files'");
  world.look();
  cr_expect(world.detail().find("former") != std::string::npos, "those of the other place");
  expect_is("there",
            world.text("SELECT CASE WHEN 2 IN (SELECT id FROM backup_there) THEN 'there' END"));
}

Test(backup_missing, the_key_to_a_store_is_not_its_place) {
  Kept world;
  world.sql(
      "UPDATE object_store SET recipients = json_insert(recipients, '$[#]', 'age1x'), "
      "bytes_per_s = 5");
  world.look();
  expect_in("2 kept; next", world.detail());
}

Test(backup_missing, what_is_lost_is_not_restored_and_that_is_said) {
  Kept world;
  const std::string name = world.text("SELECT name FROM backup WHERE id = 1");
  world.stores.remove(kStore, world.object(1));
  world.look();

  world.sql(
      fmt::format("INSERT INTO restore (name, policy, backup, into_url) VALUES ('back', "
                  "'nightly', '{}', '{}')",
                  name, Backed::url("again")));
  world.settle();

  expect_is("backup " + name + " is not in its store: rowlock why nightly",
            world.text("SELECT detail FROM status WHERE kind = 'restore'"));
}

Test(backup_missing, a_store_that_sorts_first_takes_over_no_backups_of_the_home) {
  Backed world;
  world.sql("DELETE FROM backup_policy");
  world.settle();
  expect_is("files", world.text("SELECT DISTINCT store FROM backup WHERE kind = 'home'"));

  world.sql(
      fmt::format("INSERT INTO object_store (name, url, recipients, identity_file) SELECT "
                  "'a-first', '{}', recipients, identity_file FROM object_store",
                  kElsewhere));
  world.next_day(2);

  expect_is("files", world.text("SELECT DISTINCT store FROM backup WHERE kind = 'home'"));
  expect_is("files", world.text("SELECT store FROM backup_policy_now WHERE name = 'home'"));
  cr_expect(world.text(*world.schema().script("cli.kit_stores")).starts_with("files|"));
}

Test(backup_missing, why_a_run_was_not_begun_is_said) {
  Backed world;
  world.stores.set_faults([](const std::string& call, const std::string&) {
    return call == "upload" ? FaultPlan::unreachable : FaultPlan::none;
  });
  world.sql("UPDATE backup_policy SET enabled = 0");
  world.insert_policy();
  world.sql(
      "INSERT INTO job (name, image, count) VALUES ('db', 'good:1', 0);"
      "UPDATE database SET job = 'db', port = 'pg'");
  world.settle();
  expect_is("due", world.states());

  world.sql("UPDATE backup_policy SET enabled = 0 WHERE name = 'nightly'");
  world.settle();

  expect_is("it was not begun: policy nightly is not enabled any more",
            world.text("SELECT detail FROM backup"));
}
