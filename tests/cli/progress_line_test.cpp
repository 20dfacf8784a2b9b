// How far something is says the same, whether by a row or by what is made without one.
#include "controller/cli/look/progress_line.h"

#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <unistd.h>

using rowlock::PlanWorld;
using rowlock::progress_text;
using rowlock::ProgressLine;
using rowlock::Terminal;

Test(progress_line, it_says_what_the_view_says) {
  struct Case {
    std::int64_t bytes;
    std::int64_t all;
    const char* text;
  };
  const Case cases[] = {{0, 0, "restoring"},
                        {500, 0, "restoring: 0 KB so far"},
                        {9'999'999, 0, "restoring: 9999 KB so far"},
                        {10'000'000, 0, "restoring: 10 MB so far"},
                        {1'999, 9'999'999, "restoring: 1 of 9999 KB"},
                        {120'000'000, 400'000'000, "restoring: 120 of 400 MB"}};
  PlanWorld world;
  for (const Case& each : cases) {
    world.sql(
        fmt::format("DELETE FROM attempt; INSERT INTO attempt (kind, name, target, step, reason, "
                    "started_at_ms, phase, done_bytes, all_bytes) VALUES ('restore', 'r', 'r', "
                    "'restore', '', 0, 'restoring', {}, {})",
                    each.bytes, each.all));

    const std::string by_row = world.text("SELECT detail FROM progress");
    const std::string bare = progress_text("restoring", each.bytes, each.all);

    cr_expect(by_row == each.text, "%s", by_row.c_str());
    cr_expect(bare == each.text, "%s", bare.c_str());
  }
}

Test(progress_line, where_nobody_watches_it_is_a_line_for_each_phase_and_one_now_and_then) {
  char name[] = "/tmp/rowlock-progress-XXXXXX";
  const int file = ::mkstemp(name);
  ::dup2(file, STDERR_FILENO);
  const Terminal terminal({});
  ProgressLine line(terminal);

  for (std::int64_t second = 0; second < 25; ++second) {
    const std::string phase = second < 3 ? "checking" : "restoring";
    line.show(phase, fmt::format("{}: {} of 99 MB", phase, second), second * 1000);
  }

  std::string said(1000, '\0');
  said.resize(static_cast<std::size_t>(::pread(file, said.data(), said.size(), 0)));
  ::unlink(name);
  cr_expect(said ==
                "checking: 0 of 99 MB\nrestoring: 3 of 99 MB\nrestoring: 13 of 99 MB\n"
                "restoring: 23 of 99 MB\n",
            "%s", said.c_str());
}
