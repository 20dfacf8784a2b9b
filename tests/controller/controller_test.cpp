// The loop on a real home, with an executor that the test steps by hand: one turn after the other,
// and what a controller that was stopped in between leaves to the next one.
#include "tests/backup/backup_files.h"
#include "tests/controller/boat.h"

#include <fmt/format.h>

using namespace rowlock;

Test(controller, an_edited_row_becomes_a_running_container) {
  Boat boat;
  boat.settle();

  cr_assert(
      boat.shell
          .run("INSERT INTO job (name, image, command) VALUES ('web', 'good:1', '[\"serve\"]')")
          .empty());
  boat.settle();

  const auto containers = boat.world.engine.containers();
  cr_assert_eq(containers.size(), 1);
  cr_expect(containers[0].state == ContainerState::running);
  cr_expect(containers[0].job == "web");
  cr_expect(containers[0].home == boat.text("SELECT id FROM home"));
}

Test(controller, a_pass_with_nothing_to_do_writes_nothing) {
  Boat boat;
  cr_assert(boat.shell.run("INSERT INTO job (name, image) VALUES ('web', 'good:1')").empty());
  boat.pass_time(20000);
  Shell watcher(boat.made.home.state_path());
  const std::string before = watcher.value("PRAGMA data_version");

  const auto idle = boat.pass();

  cr_expect(watcher.value("PRAGMA data_version") == before, "state.db was written");
  cr_assert(idle.due_at_ms.has_value());
  cr_expect_gt(*idle.due_at_ms, boat.world.time.ms);
}

Test(controller, a_step_is_marked_before_it_is_made) {
  Boat boat;
  boat.settle();
  cr_assert(boat.shell.run("INSERT INTO job (name, image) VALUES ('web', 'good:1')").empty());

  boat.pass();

  cr_expect_eq(boat.executor.waiting(), 1);
  cr_expect(boat.world.engine.containers().empty());
  cr_expect(boat.text("SELECT step FROM attempt WHERE finished_at_ms IS NULL") == "resolve");
}

Test(controller, a_controller_that_was_stopped_before_or_after_any_step_is_continued) {
  for (const bool made : {false, true}) {
    for (int stop_after = 0; stop_after < 18; ++stop_after) {
      Boat boat;
      cr_assert(boat.shell
                    .run("INSERT INTO job (name, image, count, min_healthy_ms) VALUES ('web', "
                         "'good:1', 2, 1000)")
                    .empty());
      boat.pass_time(10000);
      cr_assert(boat.shell.run("UPDATE job SET image = 'good:2'").empty());

      boat.pass();
      for (int made_steps = 0; made_steps < stop_after; ++made_steps) {
        if (!boat.executor.make_one()) {
          boat.world.time.ms += 1000;
        }
        boat.pass();
      }
      if (made) {
        boat.executor.make_one();  // Made, but its outcome dies with the controller.
      }
      boat.start();
      boat.pass_time(60000);

      cr_expect(boat.text("SELECT state FROM status WHERE name = 'web'") == "converged",
                "stopped after %d steps%s: %s", stop_after, made ? " and one more made" : "",
                boat.text("SELECT detail FROM status WHERE name = 'web'").c_str());
      int running = 0;
      for (const auto& container : boat.world.engine.containers()) {
        running += container.state == ContainerState::running ? 1 : 0;
        cr_expect(container.state != ContainerState::running ||
                  boat.world.engine.named(container.image) == "good:2");
      }
      cr_expect_eq(running, 2, "stopped after %d steps: %d run", stop_after, running);
      cr_expect(boat.text("SELECT count(*) FROM stray") == "0");
    }
  }
}

Test(controller, answers_of_several_checks_in_one_pass_are_all_recorded) {
  Boat boat;
  cr_assert(boat.shell
                .run("INSERT INTO job (name, image, count) VALUES ('web', 'good:1', 2);"
                     "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
                     "INSERT INTO job_check (job, name, type, port, passes) VALUES ('web', 'up', "
                     "'tcp', 'http', 3)")
                .empty());
  boat.settle();

  for (int round = 0; round < 3; ++round) {
    for (const std::int64_t instance : {1, 2}) {
      boat.controller->note("check.passed",
                            {{"instance", instance}, {"name", "up"}, {"detail", "ok"}});
    }
  }
  boat.settle();

  cr_expect(boat.text("SELECT group_concat(healthy_at_ms IS NOT NULL) FROM instance") == "1,1");
}

Test(controller, a_wait_wakes_it_at_its_moment_and_no_sooner) {
  Boat boat;
  cr_assert(
      boat.shell.run("INSERT INTO job (name, image, min_healthy_ms) VALUES ('web', 'good:1', 7000)")
          .empty());
  boat.settle();
  const std::int64_t healthy_at_ms = std::stoll(boat.text("SELECT healthy_at_ms FROM instance"));

  std::int64_t passes = 0;
  while (boat.text("SELECT state FROM deployment") == "running" && passes < 100) {
    ++passes;
    boat.world.time.ms = *boat.pass().due_at_ms;
    boat.settle();
  }

  cr_expect_eq(std::stoll(boat.text("SELECT finished_at_ms FROM deployment")),
               healthy_at_ms + 7000);
  cr_expect_lt(passes, 10);
}

Test(controller, a_lost_node_past_a_deadline_does_not_keep_it_busy) {
  Boat boat;
  cr_assert(
      boat.shell
          .run(
              "INSERT INTO job (name, image, progress_deadline_ms) VALUES ('web', 'good:1', 20000);"
              "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
              "INSERT INTO job_check (job, name, type, port) VALUES ('web', 'up', 'tcp', 'http')")
          .empty());
  boat.settle();
  boat.world.engine.set_faults(
      [](const std::string&, const std::string&) { return FaultPlan::unreachable; });
  boat.pass_time(60000);

  const std::int64_t now_ms = boat.world.time.ms;
  const auto pass = boat.pass();

  cr_expect_gt(*pass.due_at_ms, now_ms + 100);
}

Test(controller, a_step_that_takes_long_says_how_far_it_is_and_wakes_no_plan) {
  Boat boat;
  const TempFolder folder;
  constexpr char kServer[] = "postgresql://admin@10.0.0.1:5432";
  boat.world.fake_dumps.put_database(kServer, "school", {{"public.pupil", {"ann", "ben"}}});
  write_private(folder / "identity", kIdentities[0] + "\n");
  std::vector<std::string> told;
  const auto look = [&] {
    boat.world.time.ms += 1000;
    const auto pass = boat.pass();
    cr_expect(pass.names.empty(), "%s is planned", pass.names.begin()->c_str());
    cr_expect_eq(*pass.due_at_ms, boat.world.time.ms + 1000);
    told.push_back(boat.text("SELECT step || ' ' || detail FROM progress") + " | " +
                   boat.text("SELECT detail FROM status WHERE name = 'nightly'"));
    cr_expect(boat.text("SELECT done_bytes <= all_bytes OR all_bytes = 0 FROM progress") == "1");
    return FaultPlan::none;
  };
  // In the midst of the two steps: when an upload is completed, and when a dump is restored.
  boat.world.stores.set_faults([&](const std::string& call, const std::string&) {
    return call == "finish" ? look() : FaultPlan::none;
  });
  boat.world.fake_dumps.set_faults([&](const std::string& call, const std::string&) {
    return call == "restore" ? look() : FaultPlan::none;
  });

  cr_assert(
      boat.shell
          .run(fmt::format(
              "INSERT INTO object_store (name, url, recipients, identity_file) VALUES ('files', "
              "'file:///srv/backups', '[\"{}\"]', '{}'); INSERT INTO database (name, url) VALUES "
              "('school', '{}/school'); INSERT INTO backup_policy (name, kind, store, enabled) "
              "VALUES ('own', 'home', 'files', 0); INSERT INTO backup_policy (name, database, "
              "store) VALUES ('nightly', 'school', 'files')",
              kRecipients[0], std::string(folder / "identity"), kServer))
          .empty());
  boat.settle();

  cr_assert_eq(told.size(), 2);
  cr_expect(told[0] == "run reading back | reading back; last verified never", "%s",
            told[0].c_str());
  cr_expect(told[1].find("verify restoring: ") == 0, "%s", told[1].c_str());
  cr_expect(told[1].find(" KB | restoring: ") != std::string::npos, "%s", told[1].c_str());
  cr_expect(boat.text("SELECT state FROM backup") == "verified");
  cr_expect(boat.text("SELECT count(*) FROM progress") == "0");
  cr_expect(boat.text("SELECT sum(done_bytes) + sum(phase <> '') FROM attempt") == "0");
}

Test(controller, a_step_that_is_over_within_a_second_says_nothing) {
  Boat boat;
  const TempFolder folder;
  std::string told;
  boat.world.stores.set_faults([&](const std::string& call, const std::string&) {
    boat.world.time.ms += call == "finish" ? 900 : 0;
    boat.pass();
    told += boat.text("SELECT detail FROM progress");
    return FaultPlan::none;
  });

  cr_assert(boat.shell
                .run(fmt::format("INSERT INTO object_store (name, url, recipients) VALUES ('files',"
                                 " 'file:///srv/backups', '[\"{}\"]')",
                                 kRecipients[0]))
                .empty());
  boat.settle();

  cr_expect(boat.text("SELECT state FROM backup") == "stored");
  cr_expect(told.empty(), "%s", told.c_str());
}

Test(controller, a_hint_for_something_unknown_is_harmless) {
  Boat boat;
  boat.settle();

  boat.controller->hint("instance", "no-such-container");
  boat.controller->hint("node", "no-such-node");

  boat.settle();
}

Test(controller, a_step_that_nobody_can_make_ends_as_broken_and_is_tried_again_late) {
  Boat boat;
  std::erase_if(boat.reconcilers.at("instance"),
                [](const Hand& hand) { return hand.step == "create"; });
  cr_assert(boat.shell.run("INSERT INTO job (name, image) VALUES ('web', 'good:1')").empty());

  boat.settle();
  boat.pass_time(1000);

  cr_expect(boat.world.engine.containers().empty());
  cr_expect_eq(boat.text("SELECT count(*) FROM attempt WHERE step = 'create'"), "1");
  const std::string ended = boat.text(
      "SELECT outcome || ': ' || detail FROM attempt WHERE kind = 'instance' AND step = 'create' "
      "AND finished_at_ms IS NOT NULL");
  cr_expect(ended.find("broken: no hand is there to make the step instance.create") == 0, "%s",
            ended.c_str());
  cr_expect(ended.find("defect of Rowlock") != std::string::npos, "%s", ended.c_str());
}

// With a rollback journal, a person's BEGIN EXCLUSIVE keeps every reader out.
Test(controller, a_desired_file_that_is_held_is_said_and_stops_no_healing) {
  Boat boat;
  boat.shell.value("PRAGMA journal_mode=delete");
  cr_assert(boat.shell.run("INSERT INTO job (name, image) VALUES ('web', 'good:1')").empty());
  boat.pass_time(20000);
  cr_assert(boat.shell.run("BEGIN EXCLUSIVE; UPDATE job SET image = 'good:2'").empty());
  boat.settle();
  const std::string at_first = boat.text("SELECT count(*) FROM status WHERE kind = 'desired'");

  boat.world.engine.kill(boat.world.engine.containers()[0].name, 1);
  boat.pass_time(30000);
  const std::string state =
      boat.text("SELECT state || ': ' || detail FROM status WHERE kind = 'desired'");
  const std::string healed =
      boat.text("SELECT count(*) FROM instance WHERE run = 1 AND container = 'running'");
  const std::string events = boat.text("SELECT count(*) FROM event WHERE what = 'unread'");
  cr_assert(boat.shell.run("COMMIT").empty());
  boat.pass_time(60000);

  cr_expect(at_first == "0", "a writer that is quick");
  cr_expect(state.find("unknown: ") == 0 && state.find("stays in force") != std::string::npos, "%s",
            state.c_str());
  cr_expect(healed == "1", "%s", healed.c_str());
  cr_expect(events == "1", "%s", events.c_str());
  cr_expect(boat.text("SELECT count(*) FROM status WHERE kind = 'desired'") == "0");
  cr_expect(boat.text("SELECT count(*) FROM event WHERE what = 'read again'") == "1");
  cr_expect(boat.world.engine.named(boat.world.engine.containers().back().image) == "good:2");
}

Test(controller, a_step_that_waits_for_its_turn_is_taken_back_when_nobody_wants_it_any_more) {
  Boat boat;
  boat.settle();
  cr_assert(boat.shell.run("INSERT INTO job (name, image) VALUES ('web', 'good:1')").empty());
  boat.pass();
  cr_assert_eq(boat.executor.waiting(), 1);

  cr_assert(boat.shell.run("DELETE FROM job").empty());
  boat.pass();
  const std::string taken_back = boat.text(
      "SELECT group_concat(step || ' ' || outcome) FROM attempt WHERE kind = 'instance' "
      "AND finished_at_ms IS NOT NULL");
  boat.pass();
  boat.settle();

  cr_expect(
      boat.text("SELECT count(*) FROM attempt WHERE step = 'resolve' AND outcome = 'lost'") == "1",
      "%s", taken_back.c_str());
  cr_expect(boat.world.engine.changes() == 0, "it was begun all the same");
  cr_expect(boat.world.engine.containers().empty());
  cr_expect(boat.text("SELECT count(*) FROM instance") == "0");
  cr_expect_eq(boat.controller->steps_under_way(), 0);
}

Test(controller, a_step_that_waits_and_is_still_wanted_is_made) {
  Boat boat;
  boat.settle();
  cr_assert(boat.shell.run("INSERT INTO job (name, image) VALUES ('web', 'good:1')").empty());
  boat.pass();

  cr_assert(boat.shell.run("UPDATE job SET count = 2").empty());
  boat.settle();

  // What the second would have asked, the first was told meanwhile.
  cr_expect(
      boat.text("SELECT count(*) FROM attempt WHERE outcome = 'lost' AND step <> 'resolve'") ==
      "0");
  cr_expect_eq(boat.world.engine.containers().size(), 2);
}

Test(controller, what_heals_goes_before_what_rolls_out_and_a_retry_after_both) {
  Boat boat;
  const auto turns_of = [&](const std::string& name) {
    std::vector<int> turns;
    for (const Place& place : boat.executor.places) {
      if (place.name == name && place.lane == "local") turns.push_back(place.turn);
    }
    boat.executor.places.clear();
    return turns;
  };
  cr_assert(
      boat.shell.run("INSERT INTO job (name, image, min_healthy_ms) VALUES ('web', 'good:1', 0)")
          .empty());
  boat.pass_time(30000);
  cr_expect(turns_of("web") == std::vector<int>({1, 1}), "created and started for the first time");

  boat.world.engine.erase(boat.text("SELECT name FROM instance"));
  boat.pass_time(30000);
  const auto healing = turns_of("web");
  cr_expect_gt(healing.size(), 0);
  cr_expect_eq(std::count(healing.begin(), healing.end(), 0), healing.size());

  int creates = 0;
  boat.world.engine.set_faults([&](const std::string& call, const std::string&) {
    return call == "create" && creates++ == 0 ? FaultPlan::fail_before : FaultPlan::none;
  });
  cr_assert(boat.shell.run("UPDATE job SET command = '[\"again\"]'").empty());
  boat.pass_time(60000);
  const auto turns = turns_of("web");
  cr_expect(std::count(turns.begin(), turns.end(), 3) > 0, "a roll-out's step was tried again");
}

// A policy that lets nobody read, and the store that it speaks of.
static void keep_a_policy(Boat& boat) {
  auto transaction = Transaction::begin(boat.state);
  cr_assert(transaction.ok());
  cr_assert(boat.secrets.seal.begin(boat.world.time.ms).ok());
  cr_assert(boat.secrets.seal.init(1, 1, {"user 0", "[]", true}, boat.world.time.ms).ok());
  cr_assert(std::move(transaction).value().commit().ok());
  cr_assert(
      boat.shell.run("INSERT INTO policy (name, path, capabilities) VALUES ('no', 'app/*', 'deny')")
          .empty());
  boat.settle();
  const auto followed = boat.secrets.rights.follow(boat.world.time.ms);
  cr_assert(followed.ok() && !followed.value());
}

Test(controller, policies_that_others_changed_come_from_desired_db_again) {
  Boat boat;
  keep_a_policy(boat);
  Shell hands(boat.made.home.state_path());
  cr_assert(hands.run("UPDATE policy SET capabilities = 'read'").empty());

  const auto followed = boat.secrets.rights.follow(boat.world.time.ms);
  cr_assert(followed.ok() && followed.value());
  boat.controller->accept_anew();
  boat.settle();

  cr_expect(boat.text("SELECT capabilities FROM policy") == "deny");
  const auto again = boat.secrets.rights.follow(boat.world.time.ms);
  cr_expect(again.ok() && !again.value());
  cr_expect(boat.text("SELECT count(*) FROM rights_doubt") == "0");
  cr_expect(boat.text("SELECT count(*) FROM event WHERE name = 'policies'") == "2");
}

// Otherwise the hash of what is in force now would make theirs true.
Test(controller, an_edit_of_something_else_takes_back_what_others_changed) {
  Boat boat;
  keep_a_policy(boat);
  Shell hands(boat.made.home.state_path());
  cr_assert(hands.run("UPDATE policy SET capabilities = 'read'").empty());

  cr_assert(boat.shell.run("INSERT INTO api (name) VALUES ('api')").empty());
  boat.settle();

  cr_expect(boat.text("SELECT capabilities FROM policy") == "deny");
}

Test(controller, what_others_changed_gives_nothing_while_desired_db_is_refused) {
  Boat boat;
  keep_a_policy(boat);
  Shell hands(boat.made.home.state_path());
  cr_assert(hands.run("UPDATE policy SET capabilities = 'read'").empty());
  const std::string refused =
      "INSERT INTO job (name, image) VALUES ('web', 'good:1');"
      "INSERT INTO job_mount (job, path, type, source) VALUES ('web', '/p', 'bind', '/proc')";
  cr_assert(boat.shell.run(refused).empty());
  boat.controller->accept_anew();
  boat.settle();

  cr_assert(boat.secrets.rights.follow(boat.world.time.ms).ok());
  const rowlock::Actor actor{"token x", R"(["no"])", false};
  cr_expect(!boat.secrets.policies.require(actor, "read", "app/db").ok());
  cr_expect(boat.text("SELECT count(*) FROM rights_doubt") == "1");
  cr_assert(boat.shell.run("DELETE FROM job_mount").empty());
  boat.settle();
  cr_expect(boat.text("SELECT capabilities FROM policy") == "deny");
}
