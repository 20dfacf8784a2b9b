// Keeping it so: whatever is done to containers behind Rowlock's back, the job is whole again soon,
// with neither a duplicate nor an orphan.
#include "tests/live/rowlock/rowlock_home.h"

#include <criterion/criterion.h>

#include <csignal>
#include <functional>
#include <unistd.h>

using namespace rowlock;
using namespace rowlock_live;

namespace {

// Where the engine runs in another process namespace, its numbers mean nothing here.
void kill_by_process(LiveHome& home, const std::string& name) {
  const auto process = static_cast<pid_t>(home.inspect(name)["State"]["Pid"].as_integer());
  const std::string command = file_text("/proc/" + std::to_string(process) + "/cmdline");
  if (::geteuid() == 0 && command.rfind("sleep", 0) == 0) {
    require(::kill(process, SIGKILL) == 0, "kill " + std::to_string(process));
  } else {
    home.ask_engine("POST", "/containers/" + name + "/kill");
  }
}

}  // namespace

Test(live_rowlock_heal, whatever_ends_a_container_another_takes_its_place, .timeout = 280) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web", {{"count", "2"}, {"restart_reset_ms", "0"}}));
  home.await_converged("web");

  const std::pair<const char*, std::function<void(const std::string&)>> blows[] = {
      {"killed", [&](const std::string& name) { kill_by_process(home, name); }},
      {"stopped",
       [&](const std::string& name) {
         home.ask_engine("POST", "/containers/" + name + "/stop?t=0");
       }},
      {"removed",
       [&](const std::string& name) {
         home.ask_engine("DELETE", "/containers/" + name + "?force=1");
       }},
  };
  for (const auto& [blow, strike] : blows) {
    const std::string victim = home.running("web").front().name;
    strike(victim);
    home.await("SELECT '" + std::string(blow) + "' FROM instance WHERE name = '" + victim +
                   "' AND run = 0",
               blow);
    home.await_converged("web");
    home.await_exactly("web", 2);
  }
}

Test(live_rowlock_heal, a_paused_container_goes_on, .timeout = 120) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web"));
  home.await_converged("web");
  const std::string before = home.identity("web");

  home.ask_engine("POST", "/containers/" + home.running("web").front().name + "/pause");
  home.await("SELECT count(*) > 0 FROM event WHERE what = 'resumed'", "1");

  home.await_converged("web");
  home.await_exactly("web", 1);
  cr_expect(home.identity("web") == before, "it was replaced");
}

Test(live_rowlock_heal, what_happened_while_the_controller_was_down_is_mended, .timeout = 180) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web", {{"count", "4"}}));
  home.await_converged("web");
  const std::vector<Container> before = home.running("web");
  require(before.size() == 4, home.story());

  home.stop();
  kill_by_process(home, before[0].name);
  home.ask_engine("DELETE", "/containers/" + before[1].name + "?force=1");
  home.ask_engine("POST", "/containers/" + before[2].name + "/pause");
  home.edit("UPDATE job SET count = 5");
  home.start();

  home.await("SELECT count(*) FROM instance WHERE run = 1 AND healthy_at_ms IS NOT NULL", "5");
  home.await_converged("web");
  home.await_exactly("web", 5);
  const auto runs = [&](const Container& one) {
    for (const Container& other : home.running("web")) {
      if (other.id == one.id) return true;
    }
    return false;
  };
  cr_expect(runs(before[2]) && runs(before[3]), "what was well was replaced");
}
