// `make bench`: what Rowlock costs, as ratios inside one run. Each pair is interleaved on the same
// engine and image, so that a busy machine slows both sides alike. ONLY=plan (notice, secrets,
// floods, routes, many, first, ten, kill, idle, look) measures just that. The targets are the
// project's own; a figure over its target is marked. TINY=1 does everything as seldom as it can be
// done, which shows that it can be measured, and judges no figure.
#include "tests/bench/measures.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

int main() {
  using namespace rowlock::bench;
  const char* endpoint = std::getenv("ROWLOCK_TEST_DOCKER");
  const char* chosen = std::getenv("ONLY");
  const std::string only = chosen != nullptr ? chosen : "";
  if (endpoint == nullptr && only != "secrets" && only != "floods") {
    give_up("ROWLOCK_TEST_DOCKER is not set: run `make bench`");
  }
  std::vector<Figure> figures;
  const std::function<void(std::vector<Figure>)> take = [&](std::vector<Figure> more) {
    for (Figure& figure : more) {
      fmt::print("{:<58} {:>9} {:>9}  {}  {}\n", figure.what, figure.measured, figure.target,
                 figure.target.empty() || is_tiny() ? "      "
                 : figure.is_met                    ? "met   "
                                                    : "MISSED",
                 figure.detail);
      std::fflush(stdout);
      figures.push_back(std::move(figure));
    }
  };
  fmt::print("{:<58} {:>9} {:>9}  {}  {}\n", "what", "measured", "target", "      ",
             "ms: median (5 % … 95 %)");
  if (only.empty() || only == "plan") take(measure_plan_of_one_job());
  if (only.empty() || only == "notice") take(measure_notice());
  if (only.empty() || only == "secrets") take(measure_secrets());
  if (only.empty() || only == "floods") take(measure_floods());
  if (only.empty() || only == "routes") measure_routes(endpoint, take);
  if (only.empty() || only == "many") measure_many_routes(endpoint, take);
  const bool needs_engine =
      only == "first" || only == "ten" || only == "kill" || only == "idle" || only == "look";
  if (only.empty() || needs_engine) measure_engine(endpoint, only, take);
  if (is_tiny()) {
    fmt::print("{} figures taken, in a tiny form: none is judged\n", figures.size());
    return 0;
  }
  int with_target = 0;
  int missed = 0;
  for (const Figure& figure : figures) {
    with_target += figure.target.empty() ? 0 : 1;
    missed += figure.is_met ? 0 : 1;
  }
  fmt::print("{} of {} figures with a target met\n", with_target - missed, with_target);
  return 0;
}
