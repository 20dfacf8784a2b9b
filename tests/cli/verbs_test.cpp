// The verbs as scripts see them: exit codes, and what is asked of the home before they begin.
#include "controller/cli/answers.h"
#include "tests/cli/cli_home.h"

using rowlock_test::CliHome;
using rowlock_test::message_of;

Test(cli_verbs, a_folder_without_a_home_is_bad_configuration) {
  const std::string folder = CliHome::new_folder();

  const auto obstacle = rowlock::obstacle_at(rowlock::Home(folder), false);

  cr_assert(obstacle.has_value());
  cr_expect(rowlock::exit_code_of(*obstacle) == rowlock::kExitConfiguration);
  cr_expect(obstacle->hint.find("rowlock init --home " + folder) != std::string::npos);
  std::filesystem::remove_all(folder);
}

Test(cli_verbs, words_that_are_wrong_are_told_before_a_home_is_looked_for) {
  struct Case {
    std::vector<std::string> words;
    const char* message;
    const char* hint;
  };
  const Case cases[] = {
      {{}, "say what to do", "`rowlock --help` lists the verbs"},
      {{"statsu"}, "there is no verb 'statsu'", "did you mean `rowlock status`?"},
      {{"secret", "import", "dotnev"}, "there is no verb 'secret import dotnev'", "did you mean"},
      {{"wait", "--timeout", "soon"}, "--timeout: ", "see `rowlock wait --help`"},
      {{"revert"}, "JOB or --all is required", "see `rowlock revert --help`"},
      {{"revert", "web", "x"}, "REVISION: 'x' is not", "see `rowlock revert --help`"},
      {{"export", "traefic"}, "there is no export for", "did you mean `rowlock export traefik`?"},
      {{"restore", "app"}, "say whose backup", "rowlock restore POLICY --into"},
  };
  for (const Case& each : cases) {
    rowlock::CommandLine line;
    rowlock::add_all_verbs(line.verbs());

    const auto ended = line.run(each.words);

    cr_expect(ended.exit_code == rowlock::kExitUsage, "%s", each.message);
    cr_expect(message_of(ended).starts_with(each.message), "%s", message_of(ended).c_str());
    cr_expect(ended.error && ended.error->hint.starts_with(each.hint), "%s", each.message);
  }
}

Test(cli_verbs, what_a_verb_needs_is_looked_after_before_it_begins) {
  const std::string folder = CliHome::new_folder();

  for (const char* verb : {"status", "sql", "upgrade", "audit", "backup"}) {
    rowlock::CommandLine line;
    rowlock::add_all_verbs(line.verbs());

    const auto ended = line.run({verb, "--home", folder});

    cr_expect(ended.exit_code == rowlock::kExitConfiguration, "%s", verb);
    cr_expect(message_of(ended) == "there is no home in " + folder, "%s", verb);
  }
  std::filesystem::remove_all(folder);
}

Test(cli_verbs, a_home_is_made_once) {
  const CliHome given;

  cr_expect(given.run({"init"}).exit_code == 1);
}

Test(cli_verbs, one_that_has_lost_its_state_is_never_made_anew_by_itself) {
  setenv("DOCKER_HOST", "unix:///proc/nowhere/docker.sock", 1);
  const CliHome given;
  const std::string id = given.state("SELECT id FROM home");
  for (const bool is_emptied : {false, true}) {
    std::filesystem::remove(given.home.state_path());
    if (is_emptied) given.file("state.db", "");

    for (const char* verb : {"status", "plan", "events", "sql", "doctor", "init", "run"}) {
      const auto ended = given.run({verb});
      if (std::string(verb) == "run" || std::string(verb) == "doctor") {
        cr_expect(ended.exit_code != rowlock::kExitOk, "%s", verb);  // They print it themselves.
        continue;
      }
      cr_expect(ended.exit_code == (std::string(verb) == "init" ? rowlock::kExitFailed
                                                                : rowlock::kExitConfiguration),
                "%s: %d", verb, ended.exit_code);
    }
    cr_expect(!std::filesystem::exists(given.home.state_path()) ||
              std::filesystem::file_size(given.home.state_path()) == 0);
  }

  cr_expect(given.run({"init", "--new-id"}).exit_code == rowlock::kExitOk);
  cr_expect(given.state("SELECT id FROM home") != id);
  cr_expect(given.run({"init", "--new-id"}).exit_code == rowlock::kExitFailed);
}

Test(cli_verbs, status_tells_differences_by_its_code_only_when_asked) {
  const CliHome given;
  given.edit("INSERT INTO job (name, image) VALUES ('web', 'web:1')");
  given.accept();

  cr_expect(given.run({"status"}).exit_code == 0);
  cr_expect(given.run({"status", "--exit-code"}).exit_code == 2);
}

Test(cli_verbs, plan_tells_steps_by_its_code_only_when_asked) {
  const CliHome given;
  cr_expect(given.run({"plan", "--detailed-exitcode"}).exit_code == 0);
  given.edit("INSERT INTO job (name, image) VALUES ('web', 'web:1')");
  given.accept();

  cr_expect(given.run({"plan"}).exit_code == 0);
  cr_expect(given.run({"plan", "--detailed-exitcode"}).exit_code == 2);
}

Test(cli_verbs, why_knows_names_and_near_misses) {
  const CliHome given;
  given.edit("INSERT INTO job (name, image) VALUES ('web', 'web:1')");
  given.accept();

  cr_expect(given.run({"why", "web"}).exit_code == 0);
  const auto missed = given.run({"why", "wep"});
  cr_assert(missed.error.has_value());
  cr_expect(missed.error->hint == "did you mean `rowlock why web`?");
}

Test(cli_verbs, a_state_db_that_is_none_is_bad_configuration) {
  const CliHome given;
  for (const char* part : {"-wal", "-shm", ""}) {
    std::filesystem::remove(given.home.state_path() + part);
  }
  given.file("state.db", std::string(5000, 'x'));

  cr_expect(given.run({"status"}).exit_code == rowlock::kExitConfiguration);
}

Test(cli_verbs, a_writer_elsewhere_is_busy_not_broken) {
  const CliHome given;
  auto opened = rowlock::open_desired_for_editing(given.home);
  auto other = std::move(opened).value();
  const auto held = rowlock::Transaction::begin(other);
  cr_assert(held.ok());

  const auto applied = given.run({"apply", given.file("x.sql", "SELECT 1")});

  cr_expect(applied.exit_code == rowlock::kExitBusy, "%s", message_of(applied).c_str());
}

Test(cli_verbs, a_controller_that_does_not_run_makes_states_old) {
  const CliHome given;
  const rowlock::Terminal terminal({});
  rowlock::Call call(given.home, given.schema, terminal, "--home");
  cr_assert(call.meet(rowlock::Needs::state).ok());

  const auto absent = rowlock::sight_of_controller(call, call.state());
  cr_assert(absent.ok());
  cr_expect(absent.value().presence == rowlock::Presence::absent);

  const auto lock = rowlock::HomeLock::take(given.home, rowlock::system_now_ms());
  cr_assert(lock.ok());
  const auto running = rowlock::sight_of_controller(call, call.state());
  cr_expect(running.value().presence == rowlock::Presence::runs);
}
