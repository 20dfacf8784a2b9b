// Every store says where the newest backup of the home is, in whichever store that lies.
#include "controller/base/json.h"
#include "tests/schema/backups/backed_world.h"

using namespace rowlock;

namespace {

constexpr char kOther[] = "file:///srv/another";

// The home goes to `files`; there is another store, which nobody uses, and sorts first.
struct Told : Backed {
  Told() {
    sql(fmt::format(
        "UPDATE backup_policy SET enabled = 1 WHERE name = 'own'; INSERT INTO object_store (name, "
        "url, recipients, region) VALUES ('a', '{}', '[\"{}\"]', 'eu-1')",
        kOther, kRecipients[0]));
    settle();
  }

  std::vector<std::string> pointers(const std::string& url) {
    auto keys = stores.keys(url);
    std::erase_if(keys, [](const auto& key) { return key.find("/newest/") == key.npos; });
    return keys;
  }
  Json pointer(const std::string& url) {
    const auto keys = pointers(url);
    cr_assert_eq(keys.size(), 1U, "%zu pointers in %s", keys.size(), url.c_str());
    const auto read = Json::parse(stores.object(url, keys[0])->bytes);
    cr_assert(read.ok());
    return read.value();
  }
  std::string newest() {
    return text("SELECT name FROM backup WHERE policy = 'own' ORDER BY id DESC LIMIT 1");
  }
};

}  // namespace

Test(home_pointer, each_store_names_the_newest_verified_backup_of_the_home) {
  Told world;
  for (const char* url : {kStore, kOther}) {
    const Json told = world.pointer(url);
    expect_is(world.text("SELECT id FROM home"), told["home"].as_string());
    cr_assert_eq(told["backups"].items().size(), 1U);
    const Json backup = told["backups"].items()[0];
    expect_is(world.newest(), backup["name"].as_string());
    expect_is(world.text("SELECT object FROM backup WHERE policy = 'own'"),
              backup["object"].as_string());
    expect_is(kStore, backup["url"].as_string());
    expect_is(kRecipients[0], backup["recipients"].items().at(0).as_string());
  }
  expect_is("own", world.pointer(kStore)["readers"].items().at(0)["policy"].as_string());
}

Test(home_pointer, the_next_one_takes_the_place_of_the_last_one) {
  Told world;
  const std::string before = world.newest();

  world.next_day();

  cr_expect(world.newest() != before);
  for (const char* url : {kStore, kOther}) {
    expect_is(world.newest(), world.pointer(url)["backups"].items().at(0)["name"].as_string());
  }
}

Test(home_pointer, nothing_is_told_before_one_was_verified) {
  Backed world;
  write_private(world.folder / "identity", kIdentities[1] + "\n");
  world.sql("UPDATE backup_policy SET enabled = 1 WHERE name = 'own'");
  world.settle();
  expect_is("stored", world.states());
  for (const auto& key : world.stores.keys(kStore)) {
    cr_expect(key.find("/newest/") == std::string::npos, "%s", key.c_str());
  }
}

Test(home_pointer, a_lost_answer_leaves_one_all_the_same) {
  Backed world;
  for (const char* call : {"list", "finish", "remove", "read"}) {
    bool is_over = false;
    world.stores.set_faults([&](const std::string& made, const std::string& key) {
      const bool is_its = key.find("/newest/") != std::string::npos;
      return is_its && made == call && !std::exchange(is_over, true) ? FaultPlan::lose_answer
                                                                     : FaultPlan::none;
    });
    world.sql("UPDATE backup_policy SET enabled = 1 WHERE name = 'own'");
    world.next_day();
    world.wait_out();
    world.pass_time_without_settling(3'600'000);
    world.settle();
    std::size_t count = 0;
    for (const auto& key : world.stores.keys(kStore)) {
      count += key.find("/newest/") != std::string::npos ? 1 : 0;
    }
    cr_expect_eq(count, 1U, "%s: %zu", call, count);
    cr_expect(is_over || std::string(call) == "read", "%s was never called", call);
  }
}

Test(home_pointer, where_it_cannot_be_written_backups_count_all_the_same) {
  Backed world;
  world.stores.set_faults([](const std::string& call, const std::string& key) {
    return call == "upload" && key.find("/newest/") != std::string::npos ? FaultPlan::fail_before
                                                                         : FaultPlan::none;
  });
  world.sql("UPDATE backup_policy SET enabled = 1 WHERE name = 'own'");

  world.settle();

  expect_is("verified", world.states());
  expect_is("converged", world.text("SELECT state FROM status WHERE kind = 'backup'"));
  expect_in("store files does not say where the newest backup of the home is",
            world.text("SELECT reason FROM why WHERE kind = 'home_pointer'"));
  world.stores.set_faults(nullptr);
  world.wait_out();
  cr_expect_eq(world.objects(), 2U, "the backup, and where it is");
}

// The page to print promises what was verified, and by which identity.
Test(home_pointer, after_the_recipients_have_changed_each_identity_has_what_it_opens) {
  Told world;
  const std::string first = world.newest();
  world.sql(fmt::format("UPDATE object_store SET recipients = '[\"{}\"]'", kRecipients[1]));
  write_private(world.folder / "identity", kIdentities[0] + "\n" + kIdentities[1] + "\n");
  world.next_day(2);

  const std::string range =
      "SELECT oldest || ' ' || newest || ' ' || backups FROM kit_range WHERE recipient = ";
  expect_is(first + " " + first + " 1", world.text(range + "'" + kRecipients[0] + "'"));
  expect_is(world.text("SELECT name FROM backup WHERE id = 2") + " " + world.newest() + " 2",
            world.text(range + "'" + kRecipients[1] + "'"));
  const auto readers = world.pointer(kOther)["readers"].items();
  cr_expect(readers.empty(), "of its own backups alone");
  cr_assert_eq(world.pointer(kStore)["readers"].items().size(), 2U);
}

Test(home_pointer, what_another_policy_begins_to_keep_is_told_too) {
  Told world;

  world.run_policy();

  const auto readers = world.pointer(kStore)["readers"].items();
  cr_assert_eq(readers.size(), 2U);
  expect_is("nightly", readers[0]["policy"].as_string());
  expect_is(kRecipients[0], readers[0]["recipients"].items().at(0).as_string());
}

// Of one that was made before that was noted.
Test(home_pointer, what_opened_one_is_noted_when_it_is_verified) {
  Told world;
  world.sql("UPDATE backup SET recipients = '', state = 'stored' WHERE id = 1");
  expect_is("", world.text("SELECT recipients FROM backup WHERE id = 1"));
  world.settle();
  expect_is("[\"" + kRecipients[0] + "\"]",
            world.text("SELECT recipients FROM backup WHERE id = 1"));
}
