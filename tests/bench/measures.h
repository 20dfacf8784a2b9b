// What is measured. Each returns its figures ready to print.
#pragma once

#include "tests/bench/bare_engine.h"
#include "tests/bench/samples.h"

#include <functional>
#include <string>
#include <vector>

namespace rowlock::bench {

struct Figure {
  std::string what;
  std::string measured;
  std::string target;  // "": none is set, the figure is there to be compared with the next.
  bool is_met;
  std::string detail;
};

// A figure that should be at or under `most`.
Figure at_most(std::string what, double measured, double most, std::string unit,
               std::string detail);

// Planning one job among 10,000 jobs with 50,000 instances.
std::vector<Figure> measure_plan_of_one_job();

// From the return of COMMIT in another process until the controller's watch knows.
std::vector<Figure> measure_notice();

// Everything that needs an engine: first container, ten jobs, restart after a kill, a look at 100
// instances, memory and CPU. Gives each group to `take` as soon as it is measured. `only` is first,
// ten, kill, idle or look; empty for all.
void measure_engine(const std::string& endpoint, const std::string& only,
                    const std::function<void(std::vector<Figure>)>& take);

// Deploys and accidents behind a route, under load; and a thousand routes to two hundred jobs.
void measure_routes(const std::string& endpoint,
                    const std::function<void(std::vector<Figure>)>& take);
void measure_many_routes(const std::string& endpoint,
                         const std::function<void(std::vector<Figure>)>& take);

// Reads of a secret over HTTP beside bare synced commits, and the time that unsealing takes.
std::vector<Figure> measure_secrets();

// How the loop and an honest caller of the secret API fare while strangers flood it, each flood for
// a minute, beside a quiet minute.
std::vector<Figure> measure_floods();

}  // namespace rowlock::bench
