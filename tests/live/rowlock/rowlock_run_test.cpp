// Edit a row, get a container: the shortest stories, on the whole product and a real engine.
#include "tests/live/rowlock/rowlock_home.h"

#include <criterion/criterion.h>

#include <chrono>
#include <csignal>
#include <filesystem>

using namespace rowlock;
using namespace rowlock_live;

namespace {

bool has_item(const Json& list, const std::string& text) {
  for (const Json& item : list.items()) {
    if (item.as_string() == text) return true;
  }
  return false;
}

}  // namespace

Test(live_rowlock_run, a_row_becomes_a_container_and_goes_with_it, .timeout = 180) {
  LiveHome home;
  home.start_and_reach();

  home.accept("BEGIN;" +
              insert_job("web", {{"memory_mb", "32"}, {"cpus", "0.5"}, {"pids_max", "77"}}) +
              "INSERT INTO job_env (job, name, value) VALUES ('web', 'GREETING', 'a=b \"c\"');"
              "COMMIT;");
  home.await_converged("web");
  home.await_exactly("web", 1);
  const Json made = home.inspect(home.running("web").front().name);
  const Json host = made["HostConfig"];
  cr_expect(made["Config"]["Labels"]["rowlock.job"].as_string() == "web");
  cr_expect(made["Config"]["Labels"]["rowlock.home"].as_string() ==
            home.state("SELECT id FROM home"));
  cr_expect(made["Config"]["Labels"]["rowlock.instance"].as_string() ==
            home.state("SELECT id FROM instance"));
  cr_expect(has_item(made["Config"]["Env"], "GREETING=a=b \"c\""));
  cr_expect(has_item(host["CapDrop"], "ALL") && host["CapAdd"].items().empty());
  cr_expect(has_item(host["SecurityOpt"], "no-new-privileges") ||
            has_item(host["SecurityOpt"], "no-new-privileges:true"));
  const std::string policy = host["RestartPolicy"]["Name"].as_string();
  cr_expect(policy.empty() || policy == "no", "%s", policy.c_str());
  cr_expect(host["Memory"].as_integer() == 32 << 20);
  cr_expect(host["NanoCpus"].as_integer() == 500'000'000);
  cr_expect(host["PidsLimit"].as_integer() == 77);

  home.edit("DELETE FROM job");
  home.await("SELECT count(*) FROM instance", "0");
  home.await("SELECT count(*) FROM status WHERE kind IN ('job', 'desired')", "0");
  cr_expect(home.containers().empty());
}

Test(live_rowlock_run, the_count_is_followed_up_and_down, .timeout = 180) {
  LiveHome home;
  home.start_and_reach();

  home.accept(insert_job("web"));
  for (const int count : {3, 1, 2}) {
    home.accept("UPDATE job SET count = " + std::to_string(count));
    home.await_converged("web");
    home.await_exactly("web", count);
  }
}

Test(live_rowlock_run, a_second_controller_refuses_and_names_the_first, .timeout = 120) {
  LiveHome home;
  home.start_and_reach();

  int code = 0;
  const std::string answer = home.verb({"run"}, &code);

  cr_expect(code == 75, "%d", code);
  cr_expect(answer.find(std::to_string(home.process())) != std::string::npos, "%s", answer.c_str());
  home.accept(insert_job("web"));  // The first one is still at work.
  home.await_converged("web");
}

Test(live_rowlock_run, a_copy_of_a_home_touches_nothing_unless_a_person_says_so, .timeout = 180) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web", {{"count", "2"}}));
  home.await_converged("web");
  const std::string copy = home.folder() + "-copy";
  const std::string command = "cp -a " + home.folder() + " " + copy;
  require(std::system(command.c_str()) == 0, command);
  home.accept("UPDATE job SET count = 3");
  home.await_exactly("web", 3);
  const std::string before = home.identity("web");
  const std::string output = copy + "/run.out";

  Child refused({std::getenv("ROWLOCK_TEST_BINARY"), "run", "--home", copy}, output);
  const int code = refused.await_end(kPatienceS);
  const std::string answer = file_text(output);

  cr_expect(code == 75, "%d: %s", code, answer.c_str());
  cr_expect(answer.find("process " + std::to_string(home.process())) != std::string::npos, "%s",
            answer.c_str());
  cr_expect(answer.find("--take-over") != std::string::npos, "%s", answer.c_str());
  cr_expect(home.identity("web") == before);

  home.kill();
  home.start_and_reach();  // Its own restart is not in doubt.
  home.await_converged("web");
  cr_expect(home.identity("web") == before);

  Child taken({std::getenv("ROWLOCK_TEST_BINARY"), "run", "--take-over", "--home", copy}, output);
  const int ended = home.await_end();
  cr_expect(ended == 75, "%d", ended);
  cr_expect(home.log().find("process " + std::to_string(taken.process())) != std::string::npos);
  taken.signal(SIGTERM);
  cr_expect(taken.await_end(kPatienceS) == 0, "%s", file_text(output).c_str());
  for (const Container& one : home.containers("web")) {
    // The copy never had the third one, and leaves it alone.
    cr_expect(one.state == ContainerState::running, "%s", one.name.c_str());
  }
  std::filesystem::remove_all(copy);
}

Test(live_rowlock_run, a_state_file_that_is_taken_away_ends_it_and_is_not_made_anew,
     .timeout = 120) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web"));
  home.await_converged("web");
  const std::string before = home.identity("web");
  const std::string id = home.state("SELECT id FROM home");
  const std::string away = home.folder() + "/away";
  std::filesystem::create_directory(away);

  std::error_code ignored;  // It may end, and put its -wal into the file, in the middle.
  for (const std::string name : {"state.db-wal", "state.db-shm", "state.db"}) {
    std::filesystem::rename(home.folder() + "/" + name, away + "/" + name, ignored);
  }
  const int ended = home.await_end();
  int code = 0;
  const std::string answer = home.verb({"run"}, &code);
  int code_of_look = 0;
  const std::string look = home.verb({"status"}, &code_of_look);

  cr_expect(ended == 78, "%d", ended);
  cr_expect(home.log().find("state.db was moved, deleted or replaced") != std::string::npos);
  cr_expect(code == 78 && code_of_look == 78, "%d %d", code, code_of_look);
  cr_expect(answer.find("runs 1 container of home " + id) != std::string::npos, "%s",
            answer.c_str());
  cr_expect(look.find("rowlock init --new-id") != std::string::npos, "%s", look.c_str());
  for (const std::string name : {"state.db-wal", "state.db"}) {
    std::filesystem::rename(away + "/" + name, home.folder() + "/" + name, ignored);
  }
  home.start_and_reach();
  home.await_converged("web");
  cr_expect(home.identity("web") == before);
}

Test(live_rowlock_run, sigterm_ends_the_controller_and_nothing_else, .timeout = 120) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web", {{"count", "2"}}));
  home.await_converged("web");
  const std::string before = home.identity("web");

  const auto begun = std::chrono::steady_clock::now();
  const int code = home.stop();
  const auto took = std::chrono::steady_clock::now() - begun;

  cr_expect(code == 0, "%d", code);
  cr_expect(took < std::chrono::seconds(3));
  cr_expect(home.identity("web") == before);
}

Test(live_rowlock_run, sigterm_does_not_wait_for_a_step_that_takes_long, .timeout = 120) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web", {{"stop_signal", "'SIGTERM'"}, {"stop_timeout_ms", "50000"}}));
  home.await_converged("web");
  home.accept_deletion("DELETE FROM job", "job", 1);
  home.await("SELECT count(*) FROM attempt WHERE step = 'stop' AND finished_at_ms IS NULL", "1");

  const auto begun = std::chrono::steady_clock::now();
  const int code = home.stop();

  cr_expect(code == 0, "%d", code);
  cr_expect(std::chrono::steady_clock::now() - begun < std::chrono::seconds(3));
}

Test(live_rowlock_run, what_if_is_answered_while_the_controller_works, .timeout = 180) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web"));
  home.await_converged("web");
  const std::string first = home.running("web").front().name;
  const std::string revision = home.state("SELECT max(id) FROM revision");

  const std::string output = home.folder() + "/sql.out";
  Child shell({std::getenv("ROWLOCK_TEST_BINARY"), "sql", "--home", home.folder()}, output);
  shell.write("BEGIN;\nUPDATE job SET count = 3;\nSELECT kind, step, reason FROM plan;\n");
  await_answer(
      "the plan of the uncommitted edit",
      [&] { return file_text(output).find("job\tplace\t") == std::string::npos ? "no" : "yes"; },
      "yes", [&] { return file_text(output) + home.story(); });
  const std::string clock = home.state("SELECT now_ms FROM clock");
  (void)home.runtime().remove(first).ok();
  home.await("SELECT name <> '" + first + "' FROM instance WHERE run = 1 AND container = 'running'",
             "1");
  home.await_converged("web");
  home.await_exactly("web", 1);
  home.await("SELECT now_ms > " + clock + " FROM clock", "1");
  shell.write("ROLLBACK;\n.quit\n");

  cr_expect(shell.await_end(kPatienceS) == 0);
  cr_expect(home.state("SELECT max(id) FROM revision") == revision);
  cr_expect(home.state("SELECT count FROM job") == "1");
}

Test(live_rowlock_run, containers_that_take_long_to_stop_hold_up_nobody, .timeout = 120) {
  LiveHome home;
  home.start_and_reach();
  home.accept("BEGIN;" + insert_job("quick", {{"restart_reset_ms", "0"}}) +
              insert_job("slow", {{"count", "9"},                // More than a lane makes at once.
                                  {"stop_signal", "'SIGTERM'"},  // Which sleep does not heed.
                                  {"stop_timeout_ms", "50000"}}) +
              "COMMIT;");
  home.await_converged("slow");
  home.accept("UPDATE job SET count = 0 WHERE name = 'slow'");
  home.await("SELECT count(*) FROM attempt WHERE step = 'stop' AND finished_at_ms IS NULL", "9");

  const std::string first = home.running("quick").front().name;
  (void)home.runtime().remove(first).ok();
  home.await("SELECT run FROM instance WHERE name = '" + first + "'", "0");
  home.await("SELECT state FROM status WHERE kind = 'job' AND name = 'quick'", "converged", 20);

  cr_expect(home.running("slow").size() == 9, "they did not take long");
}
