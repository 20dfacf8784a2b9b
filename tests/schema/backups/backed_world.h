// A world for tests of backups and restores: a database on a fake server, a fake store that its
// identity opens, and no policy for the home.
#pragma once

#include "tests/backup/backup_files.h"
#include "tests/schema/plan_world.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <string>

namespace rowlock {

constexpr char kServer[] = "postgresql://admin@10.0.0.1:5432";
constexpr char kStore[] = "file:///srv/backups";
constexpr std::int64_t kBackoffMs = 700'000;  // Longer than any.

struct Backed : PlanWorld {
  TempFolder folder;

  Backed() {
    fake_dumps.put_database(
        kServer, "school",
        {{"public.pupil", {"ann", "ben", "cid"}}, {"public.mark", {"1", "2", "3"}}});
    write_private(folder / "identity", kIdentities[0] + "\n");
    sql(fmt::format(
        "INSERT INTO object_store (name, url, recipients, identity_file) VALUES ('files', '{}', "
        "'[\"{}\"]', '{}'); INSERT INTO database (name, url) VALUES ('school', '{}');"
        "INSERT INTO backup_policy (name, kind, store, enabled) VALUES ('own', 'home', 'files', 0)",
        kStore, kRecipients[0], std::string(folder / "identity"), url("school")));
  }

  static std::string url(const std::string& name) { return kServer + ("/" + name); }
  void insert_policy(const std::string& columns = "", const std::string& values = "") {
    sql(
        fmt::format("INSERT INTO backup_policy (name, database, store{}) "
                    "VALUES ('nightly', 'school', 'files'{})",
                    columns, values));
  }
  void run_policy(const std::string& columns = "", const std::string& values = "") {
    insert_policy(columns, values);
    settle();
  }
  // So many days later, each with what is due in it.
  void next_day(int days = 1) {
    for (int day = 0; day < days; ++day) {
      pass_time_without_settling(86'400'000);
      settle();
    }
  }
  void wait_out() {
    pass_time_without_settling(kBackoffMs);
    settle();
  }
  std::string states() { return text("SELECT state FROM backup ORDER BY id"); }
  std::string status() { return text("SELECT state FROM status WHERE name = 'nightly'"); }
  std::string detail() { return text("SELECT detail FROM status WHERE name = 'nightly'"); }
  std::size_t objects() { return stores.keys(kStore).size(); }
  std::vector<std::string> databases() { return fake_dumps.databases(kServer); }
  void flip_newest() {
    const std::string key = text("SELECT object FROM backup ORDER BY id DESC LIMIT 1");
    stores.flip_bit(kStore, key, stores.object(kStore, key)->bytes.size() * 4);
  }
};

inline void expect_is(const std::string& wanted, const std::string& found) {
  cr_expect(found == wanted, "'%s' in place of '%s'", found.c_str(), wanted.c_str());
}

inline void expect_in(const std::string& part, const std::string& whole) {
  cr_expect(whole.find(part) != std::string::npos, "'%s' is not in '%s'", part.c_str(),
            whole.c_str());
}

}  // namespace rowlock
