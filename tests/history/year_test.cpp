// What becomes of a home that is edited every minute, for months: rows and files stay within their
// bounds. A few weeks by default; `make soak` takes the year, and prints what came of it.
#include "tests/controller/boat.h"
#include "tests/soak.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

using namespace rowlock;

namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr int kMinutesOfDay = 1440;
constexpr int kJobs = 20;

using Watch = std::chrono::steady_clock;

std::int64_t microseconds_since(Watch::time_point then) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Watch::now() - then).count();
}

// Nobody looks between two minutes, which leaves an event and a row of gap each time: that is the
// name that never rests.
struct Home365 : Boat {
  int edits = 0;

  Home365() {
    cr_assert(state.run("PRAGMA synchronous=OFF").ok());
    shell.run("PRAGMA synchronous=OFF");
    for (int job = 0; job < kJobs; ++job) {
      cr_assert(shell
                    .run(fmt::format("INSERT INTO job (name, image, count) "
                                     "VALUES ('job-{}', 'good:1', 0)",
                                     job))
                    .empty());
    }
    settle();
  }
  void live(int minutes) {
    for (int minute = 0; minute < minutes; ++minute) {
      world.time.ms += kMinuteMs;
      ++edits;
      const std::string said = shell.run(
          fmt::format("UPDATE job SET memory_mb = {} WHERE name = 'job-{}'", edits, edits % kJobs));
      cr_assert(said.empty(), "%s", said.c_str());
      settle();
    }
  }
  // What a pass with one edit takes, in the middle of a hundred.
  std::int64_t pass_us() {
    std::vector<std::int64_t> took;
    for (int i = 0; i < 100; ++i) {
      world.time.ms += 1000;
      ++edits;
      shell.run(fmt::format("UPDATE job SET memory_mb = {} WHERE name = 'job-1'", edits));
      const auto before = Watch::now();
      pass();
      took.push_back(microseconds_since(before));
      settle();
    }
    std::sort(took.begin(), took.end());
    return took[50];
  }
  std::int64_t count(const std::string& query) { return std::stoll(text("SELECT " + query)); }
  std::int64_t size_of(const std::string& path) {
    return static_cast<std::int64_t>(std::filesystem::file_size(path));
  }
  // The figures, for a person: of both files as they are after a checkpoint.
  void tell(int days, std::int64_t first_us, std::int64_t last_us) {
    state.query("PRAGMA wal_checkpoint(TRUNCATE)").ok();
    shell.value("PRAGMA wal_checkpoint(TRUNCATE)");
    const std::int64_t packed = count("COALESCE(sum(length(packed)), 0) FROM change_pack");
    const std::int64_t packs = count("count(*) FROM change_pack");
    const std::int64_t size = size_of(made.home.state_path());
    std::printf(
        "%d days, an edit a minute, %d edits: state.db %.1f MB, of which packs %.2f MB in %ld rows "
        "(%ld KB a day); desired.db %.2f MB; a pass with an edit took %ld us at the start, %ld us "
        "at "
        "the end; event %ld, attempt %ld, change %ld, revision %ld rows\n",
        days, edits, static_cast<double>(size) / 1e6, static_cast<double>(packed) / 1e6,
        static_cast<long>(packs), static_cast<long>(packs == 0 ? 0 : packed / packs / 1000),
        static_cast<double>(size_of(made.home.desired_path())) / 1e6, static_cast<long>(first_us),
        static_cast<long>(last_us), static_cast<long>(count("count(*) FROM event")),
        static_cast<long>(count("count(*) FROM attempt")),
        static_cast<long>(count("count(*) FROM change")),
        static_cast<long>(count("count(*) FROM revision")));
    std::fflush(stdout);
  }
};

}  // namespace

Test(year, a_home_that_is_edited_every_minute_stays_within_its_bounds, .timeout = 14400) {
  const int days = soaked(10, 365);
  Home365 home;
  const std::int64_t first_us = home.pass_us();

  for (int day = 0; day < days; ++day) {
    home.live(kMinutesOfDay);
    // A day more than change_days, for the one that is not over, and what waits to be trimmed.
    cr_assert_leq(home.count("count(*) FROM change"), (7 + 3) * kMinutesOfDay, "day %d", day);
    cr_assert_leq(home.count("count(*) FROM revision"), (7 + 3) * kMinutesOfDay, "day %d", day);
    cr_assert_leq(home.count("count(*) FROM event"), 3 * 1000 + kJobs * 1000 + 2000, "day %d", day);
    cr_assert_leq(home.count("max(n) FROM (SELECT count(*) AS n FROM event GROUP BY name)"), 1400);
    cr_assert_leq(home.count("max(n) FROM (SELECT count(*) AS n FROM attempt GROUP BY name)"), 600);
    cr_assert_leq(home.count("count(*) FROM gap"), 2000);
    if (day % 30 == 29) home.tell(day + 1, first_us, home.pass_us());
  }
  const std::int64_t last_us = home.pass_us();
  home.tell(days, first_us, last_us);

  const std::int64_t packs = home.count("count(*) FROM change_pack");
  cr_expect_geq(packs, days - 10);
  cr_expect_leq(home.size_of(home.made.home.state_path()), 60'000'000 + packs * 300'000);
}
