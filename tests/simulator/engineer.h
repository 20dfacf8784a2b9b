// The engineer, who edits desired.db whenever it suits: good and bad images, counts, policies, jobs
// and routes that come and go, transactions that stay open or are rolled back, and edits that are
// refused.
#pragma once

#include "tests/simulator/stage.h"
#include "tests/simulator/timeline.h"
#include "tests/simulator/weather.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rowlock::simulator {

class Engines;

class Engineer {
 public:
  Engineer(Timeline& timeline, Random& random, Stage& stage)
      : timeline_(timeline), random_(random), stage_(stage) {}

  // The nodes and the first jobs.
  void begin();

  // One job with these columns, on top of quick deadlines; for a test that plays out one story.
  void add_job(const std::string& name, const std::string& columns, const std::string& values);

  // From now on most jobs ask for secrets.
  void ask_for_secrets(std::uint64_t seed) { secret_dice_.emplace(seed ^ 0x5EC); }

  // A route to that job, as add_job() made it.
  void add_route(const std::string& name, const std::string& job);

  // One edit, whatever comes to mind. Returns what it was.
  std::string edit();

  // From now on, half of the images declare a path as data.
  void keep_data(Engines& engines);

  // Ends an open transaction and takes back what was refused.
  void tidy_up();

  // A last change of every job's spec, made in calm weather: what must become of it is known.
  // Returns the images to which a job must go back if its new one is bad.
  std::map<std::string, std::string> set_exam();

  void run(const std::string& sql);

 private:
  void commit(const std::string& sql);
  std::string approvals();
  std::string new_image(int bad_permille);
  std::string job();
  std::string new_job(const std::string& name);
  std::string checks_of(const std::string& name);
  std::string secrets_of(const std::string& name);
  std::string edit_policy(const std::string& name);
  std::string edit_jobs();
  std::string edit_nodes();
  std::string edit_routes();
  std::string edit_route(const std::string& name);
  std::string leave_routes(const std::string& job);  // So that it can be deleted.
  std::map<std::string, std::string> proven_images();
  std::string hold_open(const std::string& sql);

  Timeline& timeline_;
  Random& random_;
  Stage& stage_;
  int images_ = 0;
  bool holds_open_ = false;
  bool keeps_data_ = false;
  bool has_routes_ = false;            // In this simulation.
  std::optional<Random> secret_dice_;  // Of its own, so that nothing else changes with it.
};

}  // namespace rowlock::simulator
