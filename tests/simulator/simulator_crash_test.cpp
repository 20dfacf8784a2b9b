// A rolling update of three instances, with and without a route to them, and the controller killed
// at every single step of it: before the step was made, after it was made but before Rowlock knew,
// and after Rowlock had written it down. However it went, the next controller must end converged,
// with nothing twice and nothing left over, and nobody stopped who was given requests.
#include "tests/simulator/simulation.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using namespace rowlock;
using namespace rowlock::simulator;

namespace {

struct Cut {
  int step;  // 0: none.
  Hands::Moment moment;
};

enum class Job { plain, routed };

// Rolls a new image out under that policy. Returns what was violated; `steps` is how many the
// roll-out took.
std::string violated_by(Stage& stage, const std::string& policy, Job job, Cut cut, int& steps) {
  Simulation simulation(stage, 1, Weather{});
  simulation.start();
  simulation.engineer().add_job("web", "count, image, update_order, max_parallel",
                                "3, 'web:1', " + policy);
  if (job == Job::routed) simulation.engineer().add_route("site", "web");
  if (const Violated violated = simulation.settle(Standard::strict)) return *violated;

  if (job == Job::routed) simulation.carry_requests();
  const int before = simulation.hands().steps();
  simulation.hands().on_step([&](int step, Hands::Moment moment) {
    if (step - before != cut.step || moment != cut.moment) return false;
    if (moment == Hands::Moment::recorded) {
      simulation.crash_after(5);  // The pass that writes it down comes first.
    } else {
      simulation.crash();
    }
    return true;
  });
  simulation.tell_all();
  simulation.engineer().run("UPDATE job SET image = 'web:2'");
  const Violated violated = simulation.settle(Standard::strict);
  steps = simulation.hands().steps() - before;
  return violated ? *violated + "\n" + simulation.story() : "";
}

void cut_everywhere(const std::string& policy, Job job) {
  const Schema schema;
  Stage stage(schema);
  int steps = 0;
  const std::string uncut = violated_by(stage, policy, job, {0, Hands::Moment::before}, steps);
  cr_assert(uncut.empty(), "%s, without any crash: %s", policy.c_str(), uncut.c_str());
  cr_assert(steps >= 9, "a roll-out of three creates, starts and stops three, and made %d steps",
            steps);
  const int all = steps;
  for (int step = 1; step <= all; ++step) {
    for (const auto& [moment, name] : {std::pair{Hands::Moment::before, "before"},
                                       {Hands::Moment::after, "after"},
                                       {Hands::Moment::recorded, "after the record of"}}) {
      const std::string violated = violated_by(stage, policy, job, {step, moment}, steps);
      cr_assert(violated.empty(), "%s, killed %s step %d: %s", policy.c_str(), name, step,
                violated.c_str());
    }
  }
  fmt::print(stderr, "crash: {}: each of {} steps, three times\n", policy, all);
}

}  // namespace

Test(simulator_crash, at_every_step_of_a_roll_out_that_starts_first) {
  cut_everywhere("'start_first', 1", Job::plain);
}
Test(simulator_crash, at_every_step_of_a_roll_out_that_stops_first) {
  cut_everywhere("'stop_first', 1", Job::plain);
}
Test(simulator_crash, at_every_step_of_a_roll_out_two_at_a_time) {
  cut_everywhere("'start_first', 2", Job::plain);
}
Test(simulator_crash, at_every_step_of_a_roll_out_behind_a_route_that_starts_first) {
  cut_everywhere("'start_first', 1", Job::routed);
}
Test(simulator_crash, at_every_step_of_a_roll_out_behind_a_route_that_stops_first) {
  cut_everywhere("'stop_first', 1", Job::routed);
}
