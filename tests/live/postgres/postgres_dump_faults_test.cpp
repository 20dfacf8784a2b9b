// What can go wrong while a database is dumped: those who write meanwhile, programs that die,
// servers that stop or stand still, users who may not, files that are broken. A dump is whole or an
// error.
#include "tests/live/haproxy/haproxy_rig.h"
#include "tests/live/postgres/postgres_dump_rig.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace rowlock;

namespace {

namespace fs = std::filesystem;

template <typename T>
void fails(const Result<T>& result, Fault fault, const std::string& words) {
  cr_assert(!result.ok(), "expected an error with: %s", words.c_str());
  const Error& error = result.error();
  cr_expect(error.fault == fault && error.message.find(words) != std::string::npos,
            "fault %d: %s, expected: %s", static_cast<int>(error.fault), error.message.c_str(),
            words.c_str());
  cr_expect(fault != Fault::rejected || !error.hint.empty(), "no hint: %s", error.message.c_str());
}

// A program that stands before the real one.
void stands_in(const TempFolder& folder, const std::string& name, const std::string& version,
               const std::string& script) {
  const std::string path = folder / name;
  write(path, "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '" + name + " (PostgreSQL) " +
                  version + "'; exit; fi\n" + script + "\n");
  fs::permissions(path, fs::perms{0755});
}

// Where the real ones are.
std::string real_folder() {
  for (const std::string& folder : postgres_folders()) {
    if (fs::exists(folder + "/pg_dump")) return folder;
  }
  return "";
}

PostgresDumpLimits impatient() {
  PostgresDumpLimits limits;
  limits.connect_ms = 2000;
  limits.stall_ms = 1000;
  return limits;
}

}  // namespace

// ---- Those who write meanwhile ------------------------------------------------------------------

Test(live_postgres_dump_faults, what_is_said_is_what_is_restored_while_others_write,
     .timeout = 120) {
  PostgresDumpRig c;
  c.fill();
  c.run({"CREATE SEQUENCE counted"});
  std::atomic<bool> has_ended{false};
  std::thread writer([&] {
    PostgresClient client(c.rig.socket_folder(), c.rig.port(), "postgres", "", "app");
    for (int round = 0; !has_ended; ++round) {
      client.ask("UPDATE big SET t = t || 'x' WHERE n % 1000 = " + std::to_string(round % 1000));
      client.ask("INSERT INTO small (t) VALUES (nextval('counted'))");
      client.ask("DELETE FROM big WHERE n = " + std::to_string(round));
      client.ask("SELECT lo_from_bytea(0, 'large')");
    }
  });

  for (int round = 0; round < 4; ++round) {
    c.jobs = round % 2 == 0 ? 1 : 3;
    MemoryMembers members;
    const auto dumped = c.dump(members);
    cr_expect(dumped.ok(), "%s", dumped.ok() ? "" : dumped.error().message.c_str());
    const auto restored = c.restore(members);
    cr_expect(restored.ok(), "%s", restored.ok() ? "" : restored.error().message.c_str());
    if (!dumped.ok() || !restored.ok()) break;
    const std::string differs = difference(dumped.value().content, c.facts("copy"));
    cr_expect(differs.empty(), "%s", differs.c_str());
    cr_expect(c.dumps.drop(c.address("postgres"), "copy").ok());
  }

  has_ended = true;
  writer.join();
}

Test(live_postgres_dump_faults, whoever_wants_a_table_for_itself_gets_it_first, .timeout = 120) {
  PostgresDumpRig c;
  c.fill();
  TempFolder folder;
  PostgresDumpLimits limits;
  limits.folders = {folder.path(), real_folder()};
  PostgresDumps dumps(limits);
  // Between the moment that is seen and pg_dump's own look at the table, once.
  stands_in(folder, "pg_dump", "15.0",
            "if mkdir " + (folder / "once") + " 2>/dev/null; then\n" + real_folder() + "/psql -h " +
                c.rig.socket_folder() + " -p " + std::to_string(c.rig.port()) +
                " -U postgres -c 'TRUNCATE small' app >/dev/null 2>&1 </dev/null &\n" + "until " +
                real_folder() + "/psql -h " + c.rig.socket_folder() + " -p " +
                std::to_string(c.rig.port()) +
                " -U postgres -Atc 'SELECT count(*) FROM pg_locks WHERE NOT granted' app | "
                "grep -q 1; do :; done\nfi\nexec " +
                real_folder() + "/pg_dump \"$@\"");

  for (const int jobs : {1, 3}) {
    MemoryMembers members;
    const auto dumped = dumps.dump({c.address("app")}, jobs, members, c.ending);

    cr_assert(dumped.ok(), "%s", dumped.ok() ? "" : dumped.error().message.c_str());
    const auto restored = c.restore(members);
    cr_assert(restored.ok(), "%s", restored.ok() ? "" : restored.error().message.c_str());
    cr_expect(difference(dumped.value().content, c.facts("copy")).empty());
    cr_expect(c.rig.ask("SELECT count(*) FROM small", "copy") == "0");
    cr_expect(c.dumps.drop(c.address("postgres"), "copy").ok());
    c.run({"INSERT INTO small (t) VALUES ('again')"});
    fs::remove(folder / "once");
  }
}

// ---- Programs -----------------------------------------------------------------------------------

Test(live_postgres_dump_faults, a_dump_whose_program_is_killed_is_none, .timeout = 120) {
  PostgresDumpRig c;
  c.fill();
  MemoryMembers whole;
  int writes = 0;
  whole.on_write = [&]() -> Result<> {
    ++writes;
    return Done{};
  };
  cr_assert(c.dump(whole).ok());

  for (int at = 2; at < writes; at += 1 + writes / 8) {
    MemoryMembers members;
    int count = 0;
    bool was_killed = false;
    members.on_write = [&]() -> Result<> {
      if (++count < at || was_killed) return Done{};
      for (const pid_t child : own_children("pg_dump")) {
        was_killed = ::kill(child, SIGKILL) == 0;
      }
      return Done{};
    };
    const auto dumped = c.dump(members);
    // Near the end it may have ended by itself.
    if (was_killed && count < writes - 8) fails(dumped, Fault::transient, "signal 9");
    cr_expect(dumped.ok() || members.is_open, "killed at %d: the member was ended", at);
  }
}

Test(live_postgres_dump_faults, one_of_several_that_is_killed_ends_the_others, .timeout = 120) {
  PostgresDumpRig c;
  c.fill();
  c.jobs = 3;
  MemoryMembers whole;
  int writes = 0;
  whole.on_write = [&]() -> Result<> {
    ++writes;
    return Done{};
  };
  cr_assert(c.dump(whole).ok());

  int killed = 0;
  for (int at = 1; at < writes; ++at) {
    MemoryMembers members;
    int count = 0;
    bool was_killed = false;
    members.on_write = [&]() -> Result<> {
      const std::vector<pid_t> children = own_children("pg_dump");
      if (++count < at || was_killed || children.empty()) return Done{};
      was_killed = ::kill(children[static_cast<std::size_t>(at) % children.size()], SIGKILL) == 0;
      return Done{};
    };
    const auto dumped = c.dump(members);
    // One that had said all it has to say was not needed any more.
    if (!dumped.ok()) fails(dumped, Fault::transient, "signal 9");
    killed += dumped.ok() ? 0 : 1;
    cr_expect(own_children("pg_dump").empty(), "killed at %d: others are left", at);
  }
  cr_expect_gt(killed, 0);
}

Test(live_postgres_dump_faults, a_program_that_ends_badly_has_dumped_nothing, .timeout = 120) {
  PostgresDumpRig c;
  c.fill();
  TempFolder folder;
  PostgresDumpLimits limits;
  limits.folders = {folder.path(), real_folder()};
  PostgresDumps dumps(limits);
  MemoryMembers members;

  stands_in(folder, "pg_dump", "15.0",
            real_folder() + "/pg_dump \"$@\"; echo 'it went wrong' >&2; exit 3");
  const auto dumped = dumps.dump({c.address("app")}, 1, members, c.ending);
  fails(dumped, Fault::transient, "pg_dump ended with exit code 3: it went wrong");
  cr_expect(members.is_open && members.member("dump").size() > 1'000'000);

  stands_in(folder, "pg_dumpall", "15.0", "echo 'no globals' >&2; exit 1");
  fails(dumps.dump({c.address("app")}, 1, members, c.ending), Fault::transient,
        "pg_dumpall ended with exit code 1: no globals");
}

Test(live_postgres_dump_faults, a_program_older_than_the_server_is_named, .timeout = 120) {
  PostgresDumpRig c;
  TempFolder folder;
  PostgresDumpLimits limits;
  limits.folders = {folder.path()};
  PostgresDumps dumps(limits);
  MemoryMembers members;
  const std::string major = c.rig.ask("SELECT current_setting('server_version_num')::int / 10000");

  fails(dumps.dump({c.address("app")}, 1, members, c.ending), Fault::rejected,
        "there is no pg_dump");
  stands_in(folder, "pg_dump", "9.6.24", "exit 0");
  const auto dumped = dumps.dump({c.address("app")}, 1, members, c.ending);
  fails(dumped, Fault::rejected, "pg_dump 9 is the newest on this machine");
  cr_expect(dumped.error().hint == "install the package postgresql-client-" + major, "%s",
            dumped.error().hint.c_str());
  cr_expect(members.members.empty());
}

Test(live_postgres_dump_faults, a_program_sees_the_password_in_its_own_file_alone, .timeout = 120) {
  PostgresDumpRig c;
  c.fill();
  c.run({"ALTER ROLE postgres PASSWORD 'Odd:Pass\\word 8'"});
  ::setenv("PGOPTIONS", "-c statement_timeout=1", 1);
  PostgresAddress address = c.address("app");
  address.password = std::make_shared<const SecretBytes>(std::string_view("Odd:Pass\\word 8"));
  MemoryMembers members;
  std::string seen;
  members.on_write = [&]() -> Result<> {
    for (const char* name : {"pg_dump", "pg_dumpall"}) {
      for (const pid_t child : own_children(name)) {
        const std::string process = "/proc/" + std::to_string(child);
        seen += contents(process + "/environ") + contents(process + "/cmdline");
      }
    }
    return Done{};
  };

  const auto dumped = c.dumps.dump({address}, 1, members, c.ending);

  cr_assert(dumped.ok(), "%s", dumped.ok() ? "" : dumped.error().message.c_str());
  cr_expect(seen.find("PGPASSFILE") != std::string::npos);
  cr_expect(seen.find("Odd:") == std::string::npos && seen.find("PGOPTIONS") == std::string::npos);
  address.password = std::make_shared<const SecretBytes>(std::string_view("Two\nlines"));
  cr_expect(!c.dumps.dump({address}, 1, members, c.ending).ok());
}

// ---- Servers ------------------------------------------------------------------------------------

Test(live_postgres_dump_faults, a_server_that_stops_half_way_fails_the_dump, .timeout = 120) {
  PostgresDumpRig c;
  c.fill();
  MemoryMembers members;
  int count = 0;
  members.on_write = [&]() -> Result<> {
    if (++count == 4) c.rig.stop();
    return Done{};
  };

  const auto dumped = c.dump(members);
  cr_expect(!dumped.ok() && dumped.error().fault == Fault::transient);
  MemoryMembers none;
  fails(c.dump(none), Fault::transient, "refused");

  c.rig.start();
  MemoryMembers again;
  cr_expect(c.dump(again).ok());
}

Test(live_postgres_dump_faults, a_server_that_stands_still_is_given_up, .timeout = 120) {
  PostgresDumpRig c(impatient());
  c.fill();
  MemoryMembers members;
  pid_t stopped = 0;
  members.on_write = [&]() -> Result<> {
    if (stopped != 0 || members.members.back().first != "dump") return Done{};
    stopped = std::atoi(
        c.rig.ask("SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY %'", "postgres")
            .c_str());
    if (stopped != 0) ::kill(stopped, SIGSTOP);
    return Done{};
  };
  const auto dumped = c.dump(members);
  cr_expect(stopped != 0);
  if (stopped != 0) ::kill(stopped, SIGCONT);
  fails(dumped, Fault::transient, "pg_dump stood still for 1000 ms");

  c.rig.freeze();
  MemoryMembers none;
  const auto frozen = c.dump(none);
  const auto read = c.dumps.facts(c.address("app"), c.ending);
  c.rig.thaw();
  fails(frozen, Fault::transient, "no connection within 2000 ms");
  fails(read, Fault::transient, "no connection within 2000 ms");
}

Test(live_postgres_dump_faults, whoever_holds_a_table_is_not_waited_for_for_ever, .timeout = 120) {
  PostgresDumpRig c(impatient());
  c.fill();
  PostgresClient other(c.rig.socket_folder(), c.rig.port(), "postgres", "", "app");
  other.ask("BEGIN; LOCK TABLE small");

  MemoryMembers members;
  fails(c.dump(members), Fault::transient, "SQLSTATE 55P03");
  other.ask("ROLLBACK");
  cr_expect(c.dump(members).ok());
}

// For longer than the patience of whoever looks who it is.
Test(live_postgres_dump_faults, whoever_holds_a_table_is_named, .timeout = 120) {
  PostgresDumpLimits limits;
  limits.stall_ms = 8000;
  PostgresDumpRig c(limits);
  c.fill();
  PostgresClient other(c.rig.socket_folder(), c.rig.port(), "postgres", "", "app");
  other.ask("SET application_name = 'migration'");
  other.ask("BEGIN; LOCK TABLE small");
  const std::string session = c.rig.ask(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'migration'", "postgres");

  std::mutex mutex;
  std::string told;
  MemoryMembers members;
  const auto dumped =
      c.dumps.dump({c.address("app")}, 1, members, c.ending, [&](const std::string& why) {
        const std::lock_guard<std::mutex> lock(mutex);
        told = why;
      });
  const std::string expected =
      "waits for a lock on public.small, which session " + session + " of postgres (migration) ";
  cr_expect(told.starts_with(expected), "%s", told.c_str());
  cr_expect(told.find("s, idle in transaction: BEGIN") != std::string::npos ||
                told.find("s, idle in transaction: LOCK TABLE") != std::string::npos,
            "%s", told.c_str());
  fails(dumped, Fault::transient, "it " + expected);
  const std::string statement = "SELECT pg_terminate_backend(" + session + ")";
  cr_assert(!dumped.ok() && dumped.error().hint.find(statement) != std::string::npos);
  cr_expect_eq(c.rig.ask(statement, "postgres"), "t");
  MemoryMembers again;
  cr_expect(c.dump(again).ok(), "what the hint says helps");
}

Test(live_postgres_dump_faults, nine_of_ten_databases_are_dumped_when_one_is_broken,
     .timeout = 300) {
  PostgresDumpRig c;
  std::string file;
  for (int i = 0; i < 10; ++i) {
    const std::string name = "many_" + std::to_string(i);
    c.run({"CREATE DATABASE " + name}, "postgres");
    c.run({"CREATE TABLE t AS SELECT n, md5(n::text) AS t FROM generate_series(1, 5000) AS n"},
          name);
    if (i == 4) {
      file = c.rig.ask(
          "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('t')", name);
    }
  }
  c.run({"CHECKPOINT"}, "postgres");
  c.rig.stop();
  // All but its first pages are another file's now.
  std::fstream broken(file, std::ios::in | std::ios::out | std::ios::binary);
  broken.seekp(8 * 8192);
  broken << std::string(4 * 8192, 'x');
  broken.close();
  c.rig.start();

  for (int i = 0; i < 10; ++i) {
    MemoryMembers members;
    const auto dumped = c.dump(members, "many_" + std::to_string(i));
    if (i == 4) {
      fails(dumped, Fault::transient, "invalid page");
      cr_expect(dumped.error().message.find("many_4") != std::string::npos);
    } else {
      cr_expect(dumped.ok(), "%s", dumped.ok() ? "" : dumped.error().message.c_str());
    }
  }
}

// ---- Users --------------------------------------------------------------------------------------

Test(live_postgres_dump_faults, a_user_who_may_not_is_told_what_is_missing, .timeout = 120) {
  PostgresDumpRig c;
  c.fill();
  c.run({"CREATE ROLE clerk LOGIN PASSWORD 'Clerk0'", "CREATE TABLE hidden (n int)",
         "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY", "INSERT INTO hidden VALUES (1)"});
  const auto dump_as = [&](const std::string& user, const std::string& password,
                           const std::string& database) {
    MemoryMembers members;
    return c.dumps.dump({c.rig.as(user, password, database)}, 1, members, c.ending);
  };

  fails(dump_as("clerk", "Wrong0", "app"), Fault::rejected, "SQLSTATE 28P01");
  fails(dump_as("postgres", "Superuser0Password", "missing"), Fault::rejected, "SQLSTATE 3D000");
  fails(dump_as("clerk", "Clerk0", "app"), Fault::rejected,
        "the user clerk may not read public.big");
  c.run({"GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk",
         "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO clerk"});
  const auto hidden = dump_as("clerk", "Clerk0", "app");
  fails(hidden, Fault::rejected, "row-level security hides rows of public.hidden");
  cr_expect(hidden.error().hint.find("BYPASSRLS") != std::string::npos);
  c.run({"ALTER ROLE clerk BYPASSRLS"});

  MemoryMembers members;
  const auto dumped = c.dumps.dump({c.rig.as("clerk", "Clerk0")}, 1, members, c.ending);
  cr_assert(dumped.ok(), "%s", dumped.ok() ? "" : dumped.error().message.c_str());
  cr_expect(difference(dumped.value().content, c.facts("app")).empty());
  const std::string globals = members.member("globals.sql");
  cr_expect(globals.find("CREATE ROLE clerk") != std::string::npos);
  cr_expect(globals.find("SCRAM-SHA-256") == std::string::npos);
}

// Applications are not met by `too many clients` because a backup came first.
Test(live_postgres_dump_faults, a_server_with_few_connections_left_is_left_alone, .timeout = 120) {
  PostgresDumpRig c;
  c.run({"ALTER SYSTEM SET max_connections = 20"});
  c.rig.stop();
  c.rig.start();
  std::vector<std::unique_ptr<PostgresClient>> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(std::make_unique<PostgresClient>(c.rig.socket_folder(), c.rig.port(),
                                                       "postgres", "", "app"));
    cr_assert(clients.back()->is_connected());
  }

  MemoryMembers members;
  const auto refused = c.dump(members);

  cr_assert(!refused.ok());
  cr_expect(refused.error().message.find("of 20 connections free: the run needs 2 and leaves 3 to "
                                         "others") != std::string::npos,
            "%s", refused.error().message.c_str());
  cr_expect(refused.error().fault == Fault::transient);
  clients.clear();
  cr_expect(eventually([&] {
    MemoryMembers again;
    return c.dump(again).ok();
  }));
}
