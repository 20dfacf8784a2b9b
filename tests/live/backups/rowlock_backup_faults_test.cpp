// What befalls stores, servers, programs and Rowlock itself while a backup is made, restored to see
// or deleted: no half object is ever taken for a backup, the run is tried again and says in one
// sentence what is wrong, and nothing good is deleted.
#include "tests/live/backups/backup_faults_rig.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <functional>
#include <future>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace rowlock;
using namespace rowlock_live;

namespace {

using Asked = StandInS3::Asked;
using Mishap = StandInS3::Mishap;
using Faults = std::function<Mishap(const Asked&)>;

Faults all(Mishap fault) {
  return [fault](const Asked&) { return fault; };
}

Faults acts(const std::set<std::string>& which, Mishap fault) {
  return [=](const Asked& asked) { return which.contains(asked.act()) ? fault : Mishap::none; };
}

int part_number(const Asked& asked) {
  return asked.act() == "part" ? std::atoi(asked.query.at("partNumber").c_str()) : 0;
}

Faults parts_from(int number, Mishap fault) {
  return [=](const Asked& asked) { return part_number(asked) >= number ? fault : Mishap::none; };
}

// Of an object's content; a look at whether it is there asks for its first byte.
bool is_read(const Asked& asked) {
  const auto range = asked.headers.find("range");
  return asked.act() == "get" && range != asked.headers.end() && range->second != "bytes=0-0";
}

// The reads from the one of that number on; a backup is read to its end twice, to check it and to
// restore it.
Faults reads_from(int number, Mishap fault) {
  return [=, count = 0](const Asked& asked) mutable {
    return is_read(asked) && ++count >= number ? fault : Mishap::none;
  };
}
constexpr int kIntoTheRestore = 13;

// From that request on, the store does nothing any more.
Faults everything_from(const std::function<bool(const Asked&)>& is_first, Mishap first,
                       Mishap then) {
  return [=, is_over = false](const Asked& asked) mutable {
    if (is_over) return then;
    is_over = is_first(asked);
    return is_over ? first : Mishap::none;
  };
}

void await_asked(const BackupFaultsRig& rig, const StandInS3& s3, const std::string& act,
                 int times) {
  await_answer(
      "requests to " + act, [&] { return s3.asked(act) >= times ? "enough" : "not yet"; }, "enough",
      [&] { return rig.home.story(); });
}

}  // namespace

// ---- Stores ------------------------------------------------------------------------------------

Test(live_rowlock_backup_faults, a_store_that_fails_while_it_is_written_to_is_tried_again,
     .timeout = 300) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"full", "HTTP 507 InsufficientStorage"}, {"gateway", "HTTP 502"},
      {"error", "HTTP 500 InternalError"},      {"busy", "HTTP 503 SlowDown"},
      {"undone", "HTTP 200 InternalError"},     {"cut", "broke off its answer"}};
  BackupFaultsRig rig;
  for (const auto& each : cases) rig.add(each.first);
  rig.add("slow");
  rig.await_first();

  rig.s3("full").set_faults(parts_from(3, Mishap::full));
  rig.s3("gateway").set_faults(acts({"create"}, Mishap::bad_gateway));
  rig.s3("error").set_faults(parts_from(2, Mishap::internal_error));
  rig.s3("busy").set_faults(parts_from(2, Mishap::slow_down));
  rig.s3("undone").set_faults(acts({"complete"}, Mishap::error_in_200));
  rig.s3("cut").set_faults(
      everything_from([](const Asked& asked) { return part_number(asked) == 2; }, Mishap::dropped,
                      Mishap::dropped));
  rig.s3("slow").set_faults(all(Mishap::slow));
  for (const auto& each : cases) rig.ask(each.first);
  rig.ask("slow");
  for (const auto& [policy, words] : cases) {
    rig.await_failed(policy, words);
    rig.s3(policy).set_faults(nullptr);
  }

  for (const auto& each : cases) rig.await_renewed(each.first);
  rig.await_renewed("slow");
  cr_expect(rig.home.state("SELECT count(*) FROM event WHERE name = 'slow' AND what = 'failed'") ==
            "0");
}

Test(live_rowlock_backup_faults, what_somebody_must_mend_is_said_and_waited_for, .timeout = 300) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"denied", "HTTP 403 AccessDenied"},
      {"revoked", "HTTP 403 InvalidAccessKeyId"},
      {"skewed", " apart: this machine's says "},
      {"asked-again", "HTTP 403 AccessDenied"}};
  BackupFaultsRig rig;
  for (const auto& each : cases) rig.add(each.first);
  rig.await_first();

  rig.s3("denied").set_faults(parts_from(2, Mishap::denied));
  rig.s3("asked-again").set_faults(acts({"complete"}, Mishap::denied));
  rig.s3("skewed").set_faults(all(Mishap::skewed));
  rig.s3("revoked").set_faults([](const Asked& asked) {
    const bool is_new = asked.headers.at("authorization").find("AKIDNEW/") != std::string::npos;
    return is_new ? Mishap::none : Mishap::revoked;
  });
  for (const auto& each : cases) rig.ask(each.first);
  for (const auto& [policy, words] : cases) rig.await_failed(policy, words);
  for (const char* policy : {"denied", "asked-again", "skewed"}) rig.s3(policy).set_faults(nullptr);

  // Whoever mended it need not wait: neither who asks, nor who puts another key.
  rig.ask("asked-again");
  rig.await_renewed("asked-again");
  write(rig.folder / "access", "AKIDNEW");
  rig.home.must({"secret", "put", "store/s3", "access_key_id=@" + (rig.folder / "access"),
                 "secret_access_key=@" + (rig.folder / "key")});
  rig.await_renewed("revoked");
  rig.end_pauses();
  for (const auto& each : cases) rig.await_renewed(each.first);
}

Test(live_rowlock_backup_faults, a_backup_that_cannot_be_read_to_verify_it_is_not_condemned,
     .timeout = 300) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"revoked", "HTTP 403 InvalidAccessKeyId"},
      {"away", "broke off its answer"},
      {"error", "HTTP 500 InternalError"},
      {"cut", "broke off its answer"},
      {"restored", "broke off its answer"}};
  BackupFaultsRig rig;
  for (const auto& each : cases) rig.add(each.first);
  rig.await_first();

  rig.s3("revoked").set_faults(reads_from(2, Mishap::revoked));
  rig.s3("away").set_faults(everything_from(is_read, Mishap::dropped, Mishap::dropped));
  rig.s3("error").set_faults(reads_from(1, Mishap::internal_error));
  rig.s3("cut").set_faults(reads_from(3, Mishap::answer_cut));
  rig.s3("restored").set_faults(reads_from(kIntoTheRestore, Mishap::dropped));
  for (const auto& each : cases) rig.ask(each.first);
  for (const auto& [policy, words] : cases) {
    rig.await_unverified(policy, words);
    rig.s3(policy).set_faults(nullptr);
  }

  for (const auto& each : cases) {
    if (each.first != "revoked") rig.await_renewed(each.first);
  }
  rig.end_pauses();
  rig.await_renewed("revoked");
}

Test(live_rowlock_backup_faults, what_cannot_be_deleted_is_deleted_later, .timeout = 300) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"error", "HTTP 500 InternalError"},
      {"away", "broke off its answer"},
      {"lost", "broke off its answer"}};
  BackupFaultsRig rig;
  for (const auto& each : cases) rig.add(each.first);
  rig.s3("error").is_versioned = true;
  rig.await_first();

  rig.s3("error").set_faults(acts({"versions", "delete"}, Mishap::internal_error));
  rig.s3("away").set_faults(acts({"delete"}, Mishap::dropped));
  rig.s3("lost").set_faults(acts({"delete"}, Mishap::answer_lost));
  for (const auto& each : cases) rig.ask(each.first);
  for (const auto& [policy, words] : cases) {
    rig.await_newest(policy, "state", "verified");
    rig.home.await_why(policy, "cannot be deleted: ");
    rig.home.await_why(policy, words);
    cr_expect(rig.s3(policy).objects().size() == (policy == "lost" ? 1 : 2));
    rig.s3(policy).set_faults(nullptr);
  }

  for (const auto& each : cases) rig.await_renewed(each.first);
  cr_expect(rig.s3("error").versions_kept() == 1, "%d versions", rig.s3("error").versions_kept());
}

// ---- Programs and servers ----------------------------------------------------------------------

Test(live_rowlock_backup_faults, a_dump_whose_program_is_killed_is_none_and_is_made_again,
     .timeout = 300) {
  BackupFaultsRig rig(40);
  for (const char* database : {"globals", "begun", "early", "late"}) {
    rig.copy_database(database);
    rig.add(database, database);
  }
  rig.await_first();
  const pid_t controller = rig.home.process();

  for (const auto& [policy, program] :
       {std::pair("globals", "pg_dumpall"), std::pair("begun", "pg_dump")}) {
    auto killed = std::async(std::launch::async, kill_child_of, controller, program,
                             std::string("dbname='") + policy + "'");
    rig.ask(policy);
    killed.get();
  }
  for (const auto& [policy, part] : {std::pair("early", 1), std::pair("late", 3)}) {
    StandInS3& s3 = rig.s3(policy);
    const int before = s3.asked("part");
    s3.set_faults(parts_from(part, Mishap::held));
    rig.ask(policy);
    await_asked(rig, s3, "part", before + part);
    kill_child_of(controller, "pg_dump", std::string("dbname='") + policy + "'");
    s3.holds = false;
  }

  rig.await_failed("globals", "pg_dumpall was ended by signal 9");
  for (const char* policy : {"begun", "early", "late"}) {
    rig.await_failed(policy, "pg_dump was ended by signal 9");
  }
  for (const char* policy : {"globals", "begun", "early", "late"}) rig.await_renewed(policy);
}

Test(live_rowlock_backup_faults, a_server_that_stops_half_way_fails_no_backup_that_was_made,
     .timeout = 300) {
  BackupFaultsRig rig(40);
  StandInS3& dumped = rig.add("dumped");
  StandInS3& restored = rig.add("restored");
  rig.await_first();
  const int parts = dumped.asked("part");
  const int reads = restored.asked("get");

  dumped.set_faults(parts_from(2, Mishap::held));
  restored.set_faults(reads_from(2 * kIntoTheRestore, Mishap::held));
  rig.ask("dumped");
  rig.ask("restored");
  await_asked(rig, dumped, "part", parts + 2);
  await_asked(rig, restored, "get", reads + 2 * kIntoTheRestore);
  rig.server.stop();
  dumped.holds = false;
  restored.holds = false;
  rig.await_failed("dumped", "server closed the connection unexpectedly");
  rig.await_unverified("restored", "pg_restore ended with exit code 1: ");
  rig.server.start();

  rig.await_renewed("dumped");
  rig.await_renewed("restored");
}

// ---- Rowlock itself ----------------------------------------------------------------------------

Test(live_rowlock_backup_faults, killed_at_any_step_it_leaves_nothing_half_and_goes_on,
     .timeout = 300) {
  const std::vector<std::string> policies = {"first",  "last",    "done",
                                             "verify", "restore", "expire"};
  BackupFaultsRig rig;
  for (const std::string& policy : policies) rig.add(policy);
  rig.await_first();
  std::map<std::string, int> before;
  for (const std::string& policy : policies) {
    const StandInS3& s3 = rig.s3(policy);
    before[policy] = policy == "first" || policy == "last" ? s3.asked("part")
                     : policy == "done"                    ? s3.asked("complete")
                     : policy == "expire"                  ? s3.asked("delete")
                                                           : s3.asked("get");
  }

  rig.s3("first").clock_ahead_ms = 5 * 60'000;  // What was left there was begun later than now.
  rig.s3("first").set_faults(parts_from(1, Mishap::held));
  rig.s3("last").set_faults(parts_from(3, Mishap::held));
  rig.s3("done").set_faults(
      everything_from([](const Asked& asked) { return asked.act() == "complete"; },
                      Mishap::answer_lost, Mishap::held));
  rig.s3("verify").set_faults(reads_from(2, Mishap::held));
  rig.s3("restore").set_faults(reads_from(kIntoTheRestore, Mishap::held));
  rig.s3("expire").set_faults(acts({"delete"}, Mishap::held));
  // The first of all, for a server drops no database while a session of it waits for its client.
  rig.ask("expire");
  await_asked(rig, rig.s3("expire"), "delete", before["expire"] + 1);
  for (const std::string& policy : policies) {
    if (policy != "expire") rig.ask(policy);
  }
  await_asked(rig, rig.s3("first"), "part", before["first"] + 1);
  await_asked(rig, rig.s3("last"), "part", before["last"] + 3);
  await_asked(rig, rig.s3("done"), "complete", before["done"] + 1);
  await_asked(rig, rig.s3("verify"), "get", before["verify"] + 2);
  await_asked(rig, rig.s3("restore"), "get", before["restore"] + kIntoTheRestore);
  rig.home.kill();

  for (const std::string& policy : policies) {
    if (policy != "expire") rig.expect_unharmed(policy);
    rig.s3(policy).set_faults(nullptr);
  }
  for (const char* policy : {"first", "last"}) {
    cr_expect(rig.s3(policy).pending_uploads().size() == 1 && rig.s3(policy).objects().size() == 1);
  }
  rig.home.start();
  for (const std::string& policy : policies) rig.await_renewed(policy);
  cr_expect(rig.home.state("SELECT count(*) FROM event WHERE name = 'done' AND "
                           "detail = 'found whole in its store'") == "1");
}
