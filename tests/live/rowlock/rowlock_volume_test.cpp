// What a job's image declares as data is there after a restart, an update, another name and a
// deletion, and nobody else writes to it meanwhile.
#include "tests/live/docker/declaring_image.h"
#include "tests/live/rowlock/rowlock_home.h"

#include <criterion/criterion.h>

#include <algorithm>

using namespace rowlock;
using namespace rowlock_live;

namespace {

constexpr std::int64_t kExecMs = 10'000;

// Writes down that it began; and that it met another writer, whose mark goes when that ends.
constexpr char kProgram[] =
    R"('["sh","-c","cd /data; [ -e busy ] && echo two >> log; touch busy; echo $WHO >> log; )"
    R"(trap \"rm busy; exit 0\" TERM; sleep 100000 & wait"]')";

struct Keeping {
  DeclaringImage image{engine_endpoint(), "/data"};
  LiveHome home;

  Keeping() { home.start_and_reach(); }

  std::string job(const std::string& name, std::map<std::string, std::string> columns = {}) {
    columns.emplace("image", "'" + image.name() + "'");
    columns.emplace("command", kProgram);
    columns.emplace("stop_signal", "'SIGTERM'");
    return insert_job(name, columns) +
           insert_row("job_env", {{"job", "'" + name + "'"}, {"name", "'WHO'"}, {"value", "'1'"}});
  }

  // In one edit.
  void accept(const std::string& rows) { home.accept("BEGIN;" + rows + "COMMIT;"); }

  std::string inside(const std::string& container, const std::string& script) {
    const auto ran = home.runtime().exec(container, {"sh", "-c", script}, kExecMs);
    require(ran.ok(), ran.ok() ? "" : ran.error().message);
    return ran.value().output;
  }

  // What each ordinal has written, in one line.
  std::string logs(const std::string& job) {
    std::string text;
    const std::string names = home.state(
        "SELECT group_concat(name, ' ') FROM (SELECT name FROM "
        "instance WHERE run = 1 AND job = '" +
        job + "' ORDER BY ordinal)");
    std::size_t at = 0;
    while (at < names.size()) {
      const std::size_t end = std::min(names.find(' ', at), names.size());
      std::string log = inside(names.substr(at, end - at), "cat /data/log");
      std::replace(log.begin(), log.end(), '\n', ' ');
      text += (text.empty() ? "" : "| ") + log;
      at = end + 1;
    }
    return text;
  }

  void await_logs(const std::string& job, const std::string& expected) {
    home.await_converged(job);
    const std::string found = logs(job);
    cr_expect(found == expected, "expected '%s', found '%s'\n%s", expected.c_str(), found.c_str(),
              home.story().c_str());
  }
};

}  // namespace

Test(live_rowlock_volume, a_restart_and_an_update_find_what_was_written, .timeout = 240) {
  Keeping rig;
  rig.accept(rig.job("db"));
  rig.await_logs("db", "1 ");

  const std::string victim = rig.home.running("db").front().name;
  (void)rig.inside(victim, "rm /data/busy");  // It will not get to that.
  rig.home.ask_engine("POST", "/containers/" + victim + "/kill");
  rig.home.await("SELECT run FROM instance WHERE name = '" + victim + "'", "0");
  rig.await_logs("db", "1 1 ");

  rig.home.accept("UPDATE job_env SET value = '2'");
  rig.await_logs("db", "1 1 2 ");
  cr_expect(rig.home.state("SELECT count(*), count(DISTINCT source) FROM job_volume") == "1|1");
}

Test(live_rowlock_volume, each_ordinal_has_its_own, .timeout = 240) {
  Keeping rig;
  rig.accept(rig.job("db", {{"count", "3"}}));
  rig.await_logs("db", "1 | 1 | 1 ");

  rig.home.accept("UPDATE job_env SET value = '2'");

  rig.await_logs("db", "1 2 | 1 2 | 1 2 ");
  cr_expect(rig.home.state("SELECT count(DISTINCT source) FROM job_volume") == "3");
}

Test(live_rowlock_volume, another_name_and_a_deletion_lose_nothing, .timeout = 240) {
  Keeping rig;
  rig.accept(rig.job("db", {{"count", "2"}}));
  rig.await_logs("db", "1 | 1 ");

  rig.home.accept("UPDATE job SET name = 'store'");
  rig.await_logs("store", "1 1 | 1 1 ");

  rig.home.accept("DELETE FROM job");
  rig.home.await("SELECT count(*) FROM instance", "0");
  rig.accept(rig.job("store", {{"count", "2"}}));
  rig.await_logs("store", "1 1 1 | 1 1 1 ");
}

Test(live_rowlock_volume, what_a_tmpfs_covers_goes, .timeout = 120) {
  Keeping rig;
  rig.accept(rig.job("db") +
             insert_row("job_mount", {{"job", "'db'"}, {"path", "'/data'"}, {"type", "'tmpfs'"}}));
  rig.await_logs("db", "1 ");

  rig.home.accept("UPDATE job_env SET value = '2'");

  rig.await_logs("db", "2 ");
  cr_expect(rig.home.state("SELECT count(*) FROM job_volume") == "0");
}
