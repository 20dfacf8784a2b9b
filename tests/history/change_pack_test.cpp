// Days of edits, packed by the loop itself, and read again by whoever asks for history.
#include "controller/history/change_pack.h"

#include "controller/archive/zstd_text.h"
#include "controller/cli/edit/revert_rows.h"
#include "controller/crypto/encoding.h"
#include "tests/controller/boat.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <vector>

using namespace rowlock;

namespace {

constexpr std::int64_t kDayMs = 86'400'000;

// A home whose clock jumps: nobody looks in between.
struct Days : Boat {
  void edit(const std::string& statements) {
    const std::string said = shell.run(statements);
    cr_assert(said.empty(), "%s: %s", statements.c_str(), said.c_str());
    pass();
  }
  // Until nothing is packed or trimmed any more.
  void go_on(std::int64_t ms) {
    world.time.ms += ms;
    std::string before;
    for (std::string now = rows(); now != before; now = rows()) {
      before = now;
      for (int i = 0; i < 20; ++i) {
        world.time.ms += 6000;
        settle();
      }
    }
  }
  std::string rows() {
    return text(
        "SELECT (SELECT count(*) FROM change) || ' ' || (SELECT count(*) FROM revision) || ' ' || "
        "(SELECT count(*) FROM change_pack)");
  }
  // Every change as one text, the newest first.
  std::string told() {
    std::string all;
    const auto walked = walk_back(state, made.schema, 0, "", [&](const PastChange& change) {
      all += fmt::format("{}@{} {} {} {}>{}\n", change.revision, change.at_ms, change.table,
                         change.row_key, change.before, change.after);
      return true;
    });
    cr_assert(walked.ok(), "%s", walked.ok() ? "" : walked.error().message.c_str());
    return all;
  }
  std::string image_at(std::int64_t revision) {
    const auto rows = rows_at(state, made.schema, "web", revision);
    cr_assert(rows.ok(), "%s", rows.ok() ? "" : rows.error().message.c_str());
    const auto job = rows.value().find({"job", "[\"web\"]"});
    if (job == rows.value().end()) return "";
    return Json::parse(job->second).value()["image"].as_string();
  }
};

// Three days of edits: revision 1 makes web, each one gives it an image of its number.
void make_days(Days& boat) {
  boat.edit("INSERT INTO job (name, image, count) VALUES ('web', 'good:1', 0), ('api', 'a:1', 0)");
  for (int day = 0; day < 3; ++day) {
    for (int i = 0; i < 30; ++i) {
      const std::string number = boat.text("SELECT max(id) + 1 FROM revision");
      boat.edit(fmt::format("UPDATE job SET image = 'good:{}' WHERE name = 'web'", number));
      boat.world.time.ms += 1000;
    }
    boat.world.time.ms += kDayMs;
  }
}

}  // namespace

Test(change_pack, old_changes_are_packed_by_the_day_and_read_as_before) {
  Days boat;
  make_days(boat);
  const std::string before = boat.told();
  cr_assert(boat.text("SELECT count(*) FROM change_pack") == "0");

  boat.go_on(30 * kDayMs);

  cr_expect(boat.rows() == "1 1 3", "%s: the newest revision stays", boat.rows().c_str());
  cr_expect(boat.told() == before);
  cr_expect(boat.text("SELECT sum(changes) FROM change_pack") == "92", "%s",
            boat.text("SELECT sum(changes) FROM change_pack").c_str());
  for (const std::int64_t revision : {1, 2, 3, 30, 31, 32, 90, 91}) {
    cr_expect(boat.image_at(revision) == fmt::format("good:{}", revision), "%ld: %s", revision,
              boat.image_at(revision).c_str());
  }
  cr_expect(boat.image_at(0) == "");
}

Test(change_pack, it_goes_on_from_where_it_was_whenever_it_is_read) {
  Days boat;
  make_days(boat);
  const std::string before = boat.told();
  boat.world.time.ms += 30 * kDayMs;

  for (int i = 0; i < 60; ++i) {
    boat.world.time.ms += 6000;
    boat.pass();
    cr_assert(boat.told() == before, "after pass %d", i);
    if (i % 3 == 0) boat.start();  // A controller that was killed, perhaps with a pack under way.
    if (i % 2 == 0) boat.executor.make_one();
  }

  cr_expect_neq(boat.text("SELECT count(*) FROM change_pack"), "0");
}

Test(change_pack, what_is_too_old_goes_and_the_rest_can_be_reverted) {
  Days boat;
  cr_assert(boat.shell.run("INSERT INTO retention (history_days) VALUES (20)").empty());
  make_days(boat);
  boat.go_on(10 * kDayMs);
  cr_assert(boat.text("SELECT count(*) FROM change_pack") == "3", "%s", boat.rows().c_str());

  boat.go_on(8 * kDayMs + kDayMs / 2);

  cr_expect(boat.text("SELECT count(*) FROM change_pack") == "1", "%s", boat.rows().c_str());
  const auto reach = reach_of_history(boat.state, boat.made.schema);
  cr_assert(reach.ok());
  cr_expect(reach.value().oldest > 31, "%ld", reach.value().oldest);
  for (std::int64_t revision = reach.value().oldest; revision <= 91; ++revision) {
    cr_expect(boat.image_at(revision) == fmt::format("good:{}", revision), "%ld", revision);
  }
}

Test(change_pack, too_many_are_packed_on_the_same_day) {
  Days boat;
  cr_assert(boat.shell.run("INSERT INTO retention (changes_max) VALUES (1000)").empty());
  std::string jobs;
  for (int i = 0; i < 300; ++i) {
    jobs += fmt::format("INSERT INTO job (name, image, count) VALUES ('j{}', 'a:1', 0);", i);
  }
  boat.edit("BEGIN;" + jobs + "COMMIT");
  for (int i = 0; i < 9; ++i) boat.edit(fmt::format("UPDATE job SET image = 'a:{}'", i + 2));
  const std::string before = boat.told();

  boat.go_on(1000);

  cr_expect(std::stoi(boat.text("SELECT count(*) FROM change")) <= 1300, "%s", boat.rows().c_str());
  cr_expect(boat.told() == before);
}

Test(change_pack, a_damaged_pack_is_said_and_never_half_told) {
  Days boat;
  make_days(boat);
  boat.go_on(30 * kDayMs);

  for (const char* harm :
       {"packed = substr(packed, 5)", "packed = substr(packed, 1, length(packed) - 8)",
        "packed = ''", "packed = 'AAAA'", "packed = x'00'", "changes = changes + 1",
        "packed = (SELECT q.packed FROM change_pack AS q ORDER BY first_revision DESC LIMIT 1)"}) {
    cr_assert(boat.state.run("SAVEPOINT trial").ok());
    cr_assert(boat.state
                  .run(fmt::format("UPDATE change_pack SET {} WHERE first_revision = 1 "
                                   "OR first_revision = (SELECT min(first_revision) FROM "
                                   "change_pack)",
                                   harm))
                  .ok());
    const auto walked =
        walk_back(boat.state, boat.made.schema, 0, "", [](const PastChange&) { return true; });
    cr_expect(!walked.ok(), "%s", harm);
    cr_expect(walked.ok() || walked.error().message.find("is damaged") != std::string::npos, "%s",
              walked.ok() ? "" : walked.error().message.c_str());
    cr_assert(boat.state.run("ROLLBACK TO trial; RELEASE trial").ok());
  }
}

Test(zstd_text, what_is_packed_comes_back_to_the_byte) {
  for (const std::size_t size : {1UL, 1000UL, 5'000'000UL}) {
    std::string plain(size, 'a');
    for (std::size_t i = 0; i < size; i += 7) plain[i] = static_cast<char>(i * 31);

    const auto packed = zstd_packed(plain);

    cr_assert(packed.ok());
    const auto back = zstd_unpacked(packed.value(), 10'000'000);
    cr_assert(back.ok(), "%s", back.ok() ? "" : back.error().message.c_str());
    cr_expect(back.value() == plain, "%zu", size);
    cr_expect(size < 2 || !zstd_unpacked(packed.value(), size - 1).ok());
  }
}
