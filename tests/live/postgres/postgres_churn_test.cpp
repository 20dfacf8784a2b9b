// Tables that come and go while a database is dumped, as those of imports and reports do.
#include "tests/live/postgres/postgres_dump_rig.h"

#include <criterion/criterion.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

using namespace rowlock;

namespace {

constexpr int kDumps = 10;

// Somebody who makes, fills, renames, alters, empties and drops tables, views and sequences of
// their own, without end; each of them has its own numbers.
class Churn {
 public:
  Churn(const PostgresRig& rig, int number)
      : client_(rig.socket_folder(), rig.port(), "postgres", "", "app"),
        thread_([this, number] { run(number); }) {}
  ~Churn() {
    is_over_ = true;
    thread_.join();
  }

  int rounds() const { return rounds_; }
  std::string failure() const { return failure_; }  // Once it is over.
  void stop() { is_over_ = true; }

 private:
  void run(int number) {
    for (int n = number; !is_over_; n += 10, ++rounds_) {
      const std::string name = "report_" + std::to_string(n);
      for (const std::string& statement :
           {"CREATE TABLE " + name + " (n serial, t text)",
            "INSERT INTO " + name + " (t) SELECT 'x' || n FROM generate_series(1, 500) AS n",
            "CREATE VIEW " + name + "_seen AS SELECT t FROM " + name, "DROP VIEW " + name + "_seen",
            "CREATE SEQUENCE " + name + "_odd", "DROP SEQUENCE " + name + "_odd",
            "ALTER TABLE " + name + " RENAME TO " + name + "_old",
            "ALTER TABLE " + name + "_old RENAME COLUMN t TO text", "TRUNCATE " + name + "_old",
            "DROP TABLE " + name + "_old"}) {
        const std::string said = client_.ask(statement);
        if (said.starts_with("!") && failure_.empty()) failure_ = statement + ": " + said;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
  }

  PostgresClient client_;
  std::atomic<bool> is_over_{false};
  std::atomic<int> rounds_{0};
  std::string failure_;
  std::thread thread_;
};

void dump_and_restore(PostgresDumpRig& c) {
  c.fill();
  Churn churn(c.rig, 1);
  for (int i = 0; i < kDumps; ++i) {
    MemoryMembers members;
    const auto began = std::chrono::steady_clock::now();
    const auto dumped = c.dump(members);
    cr_assert(dumped.ok(), "%d. dump: %s (%s)", i, dumped.error().message.c_str(),
              dumped.error().hint.c_str());
    cr_log_info("%d. dump: %lld ms, %zu tables", i,
                static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                           std::chrono::steady_clock::now() - began)
                                           .count()),
                dumped.value().content.tables.size());
    const auto restored = c.restore(members);
    cr_assert(restored.ok(), "%d. dump: %s", i, restored.error().message.c_str());
    const std::string differs = difference(dumped.value().content, c.facts("copy"));
    cr_expect(differs.empty(), "%d. dump: %s", i, differs.c_str());
    cr_assert(c.dumps.drop(c.address("postgres"), "copy").ok());
  }
  cr_expect(churn.rounds() > 0, "no table has gone meanwhile");
}

}  // namespace

Test(live_postgres_churn, harms_no_dump, .timeout = 300) {
  PostgresDumpRig c;
  dump_and_restore(c);
}

Test(live_postgres_churn, harms_no_dump_in_parts, .timeout = 300) {
  PostgresDumpRig c;
  c.jobs = 3;
  dump_and_restore(c);
}
