// Servers of our own, to restore into: what is in them, what is left of them, and what may go
// wrong.
#include "tests/live/postgres/postgres_dump_rig.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace rowlock;

namespace {

namespace fs = std::filesystem;

constexpr char kHome[] = "abcdef";

// All may enter it, as they may /var/tmp.
struct ScratchFolder {
  TempFolder folder;
  ScratchFolder() { ::chmod(folder.path().c_str(), 01777); }

  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& each : fs::directory_iterator(folder.path())) {
      found.push_back(each.path().filename());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
};

struct Case {
  PostgresDumpRig c;
  ScratchFolder folder;

  int major() const { return std::atoi(c.rig.ask("SHOW server_version").c_str()); }
  ScratchOrder order(const std::string& name, const std::string& home = kHome) const {
    return {folder.folder.path(), home, name, major()};
  }
  std::unique_ptr<ScratchServer> start(const std::string& name, const std::string& home = kHome) {
    auto started = c.dumps.scratch(order(name, home), c.ending);
    cr_assert(started.ok(), "%s", started.ok() ? "" : started.error().message.c_str());
    return std::move(started).value();
  }
  std::string ask(const ScratchServer& server, const std::string& query) {
    const auto answer = c.dumps.ask(server.address(), query);
    cr_assert(answer.ok(), "%s", answer.ok() ? "" : answer.error().message.c_str());
    return answer.value();
  }
};

bool says(const Error& error, const std::string& words) {
  return error.message.find(words) != std::string::npos;
}

}  // namespace

Test(live_postgres_scratch, what_is_restored_there_is_equal_and_nothing_is_left, .timeout = 240) {
  Case t;
  t.c.fill();
  MemoryMembers members;
  const auto dumped = t.c.dump(members);
  cr_assert(dumped.ok());
  auto server = t.start("1");
  cr_expect_eq(t.ask(*server, "SHOW listen_addresses"), "", "no port");
  cr_expect_eq(t.ask(*server, "SHOW wal_level"), "minimal");
  cr_expect_eq(t.ask(*server, "SHOW fsync"), "off");
  struct stat said {};
  cr_assert_eq(::stat((t.folder.folder / "rowlock-verify-abcdef-1").c_str(), &said), 0);
  cr_expect_eq(said.st_mode & 0777, 0700u, "nobody else may enter it");

  RestoreOrder order{server->address(), "copy"};
  const auto restored = t.c.dumps.restore(order, "", dump_in(members), t.c.ending);
  cr_assert(restored.ok(), "%s", restored.ok() ? "" : restored.error().message.c_str());
  PostgresAddress copy = server->address();
  copy.url.replace(copy.url.find("/postgres?"), 10, "/copy?");
  const auto facts = t.c.dumps.facts(copy, t.c.ending);
  cr_assert(facts.ok(), "%s", facts.ok() ? "" : facts.error().message.c_str());
  cr_expect_eq(difference(dumped.value().content, facts.value()), "");

  const auto room = t.c.dumps.room(server->address());
  cr_assert(room.ok() && room.value().has_value(), "its room is known");
  cr_expect(room.value()->log_max_bytes < (std::int64_t{2} << 30), "no log to speak of");

  server.reset();
  cr_expect(t.folder.names().empty(), "its folder is left");
  cr_expect(t.c.databases().find("copy") == std::string::npos, "it was on the other server");
}

Test(live_postgres_scratch, two_stand_side_by_side_and_what_a_killed_one_left_goes,
     .timeout = 240) {
  Case t;
  auto first = t.start("1");
  auto second = t.start("2");
  cr_expect_eq(t.folder.names().size(), 2u);
  auto of_others = t.start("9", "zzzzzz");

  // Whoever begins one is killed: the server ends too, and its folder stays.
  const ScratchOrder order = t.order("3");
  const pid_t child = ::fork();
  if (child == 0) {
    PostgresDumps dumps;
    const std::atomic<bool> never{false};
    const auto left = dumps.scratch(order, never);
    ::_exit(left.ok() ? 0 : 1);
  }
  int status = 0;
  cr_assert_eq(::waitpid(child, &status, 0), child);
  cr_assert_eq(status, 0);
  cr_expect_eq(t.folder.names().size(), 4u);

  auto next = t.start("4");
  const std::vector<std::string> expected = {"rowlock-verify-abcdef-1", "rowlock-verify-abcdef-2",
                                             "rowlock-verify-abcdef-4", "rowlock-verify-zzzzzz-9"};
  cr_expect(t.folder.names() == expected, "what was left goes, and nothing else");
  cr_expect_eq(t.ask(*first, "SELECT 1"), "1", "those that are in use serve on");
  cr_expect_eq(t.ask(*second, "SELECT 1"), "1");
  cr_expect_eq(t.ask(*of_others, "SELECT 1"), "1");
}

Test(live_postgres_scratch, one_that_holds_more_than_it_may_is_ended, .timeout = 240) {
  Case t;
  t.c.fill();
  t.c.run({"INSERT INTO big SELECT b.* FROM big AS b CROSS JOIN generate_series(1, 15)"});
  MemoryMembers members;
  cr_assert(t.c.dump(members).ok());
  auto server = t.start("1");
  RestoreOrder order{server->address(), "copy"};
  order.bytes_max = 64'000'000;  // An empty server has 40.
  const auto ended = t.c.dumps.restore(order, "", dump_in(members), t.c.ending);
  cr_assert(!ended.ok());
  cr_expect(says(ended.error(), "MB, and may hold 64 MB"), "%s", ended.error().message.c_str());
  cr_expect(ended.error().hint.find("backup_limit.verify_mb") != std::string::npos);
  order.bytes_max = 10'000'000'000;
  const auto restored = t.c.dumps.restore(order, "", dump_in(members), t.c.ending);
  cr_expect(restored.ok(), "%s", restored.ok() ? "" : restored.error().message.c_str());
}

Test(live_postgres_scratch, what_is_in_its_way_is_said_and_left_alone, .timeout = 240) {
  Case t;
  const auto refused = [&](const ScratchOrder& order, const PostgresDumpLimits& limits,
                           const std::string& words, const std::string& hint) {
    PostgresDumps dumps(limits);
    const auto started = dumps.scratch(order, t.c.ending);
    cr_assert(!started.ok(), "%s", words.c_str());
    cr_expect(says(started.error(), words), "%s", started.error().message.c_str());
    cr_expect(started.error().hint.find(hint) != std::string::npos, "%s",
              started.error().hint.c_str());
  };
  TempFolder empty;
  PostgresDumpLimits none;
  none.folders = {empty.path()};
  refused(t.order("1"), none, "is not installed on this machine",
          "install the package postgresql-");
  ScratchOrder other = t.order("1");
  other.major = t.major() - 1;
  refused(other, {}, "is not installed on this machine", "backup_policy.verify_database");
  ScratchOrder nowhere = t.order("1");
  nowhere.folder = "/no/such/folder";
  refused(nowhere, {}, "make the folder /no/such/folder/", "backup_limit.verify_folder");
  ScratchOrder deep = t.order("1");
  deep.folder = "/" + std::string(90, 'a');
  refused(deep, {}, "too long a name", "backup_limit.verify_folder");
  // Somebody else has made what we would, with a file of theirs in it.
  if (::geteuid() == 0) {
    const fs::path theirs = t.folder.folder / "rowlock-verify-abcdef-1";
    fs::create_directory(theirs);
    write(theirs / "file", "theirs");
    refused(t.order("1"), {}, "File exists", "somebody else's");
    cr_expect(fs::exists(theirs / "file"));
    fs::remove_all(theirs);
  }
  t.c.ending = true;
  const auto started = t.c.dumps.scratch(t.order("1"), t.c.ending);
  cr_expect(!started.ok(), "Rowlock is stopping");
  cr_expect(t.folder.names().empty(), "nothing is left of what failed");
}
