// Each case begins with the same small database, made by the fixture, and compares what the port
// says of it with what came back.
#include "tests/conformance/dumps_suite.h"

#include "tests/conformance/suite_case.h"
#include "tests/fakes/memory_members.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

namespace rowlock {

namespace {

using Names = std::vector<std::string>;

class Case : public SuiteCase {
 public:
  Case(std::string title, DatabaseDumps& under_test, const DumpsFixture& given)
      : SuiteCase(std::move(title)), dumps(under_test), fixture(given) {}
  ~Case() {
    for (const std::string& name : names()) succeeds(drop(name), "drop " + name);
  }

  // Those of the suite, by name.
  Names names() const {
    const auto listed = dumps.list(fixture.server);
    succeeds(listed, "list");
    Names result;
    if (!listed.ok()) return result;
    for (const ServerDatabase& each : listed.value()) {
      if (each.name.starts_with("rl_")) result.push_back(each.name);
    }
    return result;
  }
  DumpFacts dump(const std::string& database, MemoryMembers& members) const {
    const auto dumped = dumps.dump({fixture.address_of(database)}, 1, members, never);
    succeeds(dumped, "dump");
    return dumped.ok() ? dumped.value() : DumpFacts{};
  }
  Result<RestoredDump> restore(const std::string& database, const Source& source) const {
    return dumps.restore({fixture.server, database}, "", dump_of(source), never);
  }
  DatabaseFacts facts(const std::string& database) const {
    const auto read = dumps.facts(fixture.address_of(database), never);
    succeeds(read, "facts");
    return read.ok() ? read.value() : DatabaseFacts{};
  }
  Result<> drop(const std::string& database) const { return dumps.drop(fixture.server, database); }
  Result<> rename(const std::string& from, const std::string& to,
                  const std::string& aside = "") const {
    return dumps.rename(fixture.server, from, to, aside);
  }

  template <typename T>
  void fails(const Result<T>& result, Fault fault, const std::string& what) const {
    const bool is_so = !result.ok() && result.error().fault == fault;
    expect(is_so && (fault != Fault::rejected || !result.error().hint.empty()),
           "an error of " + what + (result.ok() ? "" : ", not: " + result.error().message));
  }
  void are_equal(const DatabaseFacts& left, const DatabaseFacts& right,
                 const std::string& what) const {
    bool is_so = left.tables.size() == right.tables.size() &&
                 left.hash_method == right.hash_method && left.extensions == right.extensions;
    for (std::size_t i = 0; is_so && i < left.tables.size(); ++i) {
      const TableFacts& one = left.tables[i];
      const TableFacts& other = right.tables[i];
      is_so = one.name == other.name && one.rows == other.rows && one.hash == other.hash;
    }
    expect(is_so, "equal content " + what);
  }

  DatabaseDumps& dumps;
  const DumpsFixture& fixture;
  const std::atomic<bool> never{false};
};

void what_is_dumped_is_restored(const Case& c) {
  c.fixture.make("rl_one");
  MemoryMembers members;
  const DumpFacts dumped = c.dump("rl_one", members);
  c.expect(members.members.size() == 2 && members.members[0].first == "globals.sql" &&
               members.members[1].first == "dump" && !members.is_open,
           "the members globals.sql and dump");
  const std::string dump = members.member("dump");
  c.expect(dumped.dump_bytes == static_cast<std::int64_t>(dump.size()), "the size of the dump");
  c.expect(!dumped.program.empty() && !dumped.content.server_version.empty(), "versions");
  c.expect(dumped.content.tables.size() >= 4, "two tables, a sequence and a large object");
  c.are_equal(dumped.content, c.facts("rl_one"), "of the dump and what was dumped");

  c.succeeds(c.restore("rl_two", source_of(dump, 1000)), "restore");
  c.are_equal(dumped.content, c.facts("rl_two"), "of the dump and what was restored");
  c.expect(c.names() == Names{"rl_one", "rl_two"}, "both databases");
}

void what_is_dumped_in_parts_is_restored(const Case& c) {
  c.fixture.make("rl_one");
  MemoryMembers members;
  const auto dumped = c.dumps.dump({c.fixture.address_of("rl_one")}, 2, members, c.never);
  c.succeeds(dumped, "dump in parts");
  Names names;
  for (const auto& [name, bytes] : members.members) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  c.expect(names.size() >= 4 && names[0] == "globals.sql" && names[1] == "before" &&
               names[2].starts_with("data.") && names.back() == "after" && !members.is_open,
           "the members globals.sql, before, data.1 and after");

  c.succeeds(c.dumps.restore({c.fixture.server, "rl_two"}, "", dump_in(members), c.never),
             "restore from parts");
  if (dumped.ok()) {
    c.are_equal(dumped.value().content, c.facts("rl_two"), "of the dump and what was restored");
  }
  std::string& part = std::find_if(members.members.begin(), members.members.end(), [](auto& each) {
                        return each.first == "data.1";
                      })->second;
  part.resize(part.size() / 2);
  c.expect(!c.dumps.restore({c.fixture.server, "rl_three"}, "", dump_in(members), c.never).ok(),
           "half a part to be none");
  c.expect(c.names() == Names{"rl_one", "rl_two"}, "nothing of what failed");
}

void one_row_that_differs_is_seen(const Case& c) {
  c.fixture.make("rl_one");
  const DatabaseFacts before = c.facts("rl_one");
  c.are_equal(before, c.facts("rl_one"), "of the same, read twice");
  c.fixture.change_one_row("rl_one");
  const DatabaseFacts after = c.facts("rl_one");
  int differing = 0;
  c.expect(before.tables.size() == after.tables.size(), "as many tables");
  for (std::size_t i = 0; i < std::min(before.tables.size(), after.tables.size()); ++i) {
    if (before.tables[i].hash != after.tables[i].hash) ++differing;
  }
  c.expect(differing == 1, "one table to differ");
}

void nothing_is_restored_over_another_database(const Case& c) {
  c.fixture.make("rl_one");
  MemoryMembers members;
  c.dump("rl_one", members);
  c.fixture.change_one_row("rl_one");
  const DatabaseFacts before = c.facts("rl_one");
  c.fails(c.restore("rl_one", source_of(members.member("dump"))), Fault::rejected,
          "a restore over one that is there");
  c.are_equal(before, c.facts("rl_one"), "before and after");
}

void a_restore_that_fails_leaves_nothing(const Case& c) {
  c.fixture.make("rl_one");
  MemoryMembers members;
  c.dump("rl_one", members);
  const std::string dump = members.member("dump");
  for (const std::size_t cut : {std::size_t{0}, dump.size() / 2, dump.size() - 1}) {
    const auto restored = c.restore("rl_two", cut_off(dump, cut));
    c.fails(restored, Fault::transient, "a source that is cut off");
    c.expect(!restored.ok() && restored.error().message.find("cut off") != std::string::npos,
             "the source's own words");
  }
  c.expect(!c.restore("rl_two", source_of(dump.substr(0, dump.size() / 2))).ok(),
           "half a dump to be none");
  c.fails(c.restore("rl_two", source_of("no dump at all")), Fault::rejected, "no dump");
  const std::atomic<bool> now{true};
  c.expect(!c.dumps.restore({c.fixture.server, "rl_two"}, "", dump_of(source_of(dump)), now).ok(),
           "a restore that shall end to end");
  c.expect(c.names() == Names{"rl_one"}, "no other database");
}

void a_dump_ends_when_it_is_told_to(const Case& c) {
  c.fixture.make("rl_one");
  std::atomic<bool> ending{false};
  MemoryMembers members;
  members.on_write = [&]() -> Result<> {
    ending = true;
    return Done{};
  };
  c.expect(!c.dumps.dump({c.fixture.address_of("rl_one")}, 1, members, ending).ok(),
           "a dump that shall end to fail");
  c.expect(!c.dumps.facts(c.fixture.address_of("rl_one"), ending).ok(),
           "facts that shall end to fail");
}

void a_writer_that_fails_fails_the_dump(const Case& c) {
  c.fixture.make("rl_one");
  MemoryMembers members;
  members.on_write = []() -> Result<> {
    return Error{Fault::transient, Cause::other, "the store is full", ""};
  };
  const auto dumped = c.dumps.dump({c.fixture.address_of("rl_one")}, 1, members, c.never);
  c.expect(!dumped.ok() && dumped.error().message.find("the store is full") != std::string::npos,
           "the writer's own words");
}

void one_takes_the_place_of_another(const Case& c) {
  c.fixture.make("rl_new");
  c.fixture.make("rl_app");
  c.fixture.change_one_row("rl_new");
  const DatabaseFacts fresh = c.facts("rl_new");
  const DatabaseFacts old = c.facts("rl_app");
  c.fixture.open_session("rl_app");
  c.fails(c.rename("rl_new", "rl_app"), Fault::rejected, "a name that is taken");
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.rename("rl_new", "rl_app", "rl_old"), "rename");
    c.expect(c.names() == Names{"rl_app", "rl_old"}, "the new one and the old one");
  }
  c.are_equal(fresh, c.facts("rl_app"), "of the new one");
  c.are_equal(old, c.facts("rl_old"), "of the old one");
  c.succeeds(c.rename("rl_old", "rl_older"), "rename where nothing is in the way");
  c.fails(c.rename("rl_none", "rl_nowhere"), Fault::rejected, "one that is not there");
  c.expect(c.names() == Names{"rl_app", "rl_older"}, "nothing else");
}

void a_drop_ends_sessions_and_may_be_repeated(const Case& c) {
  c.fixture.make("rl_one");
  c.fixture.open_session("rl_one");
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.drop("rl_one"), "drop");
    c.expect(c.names().empty(), "none");
  }
  c.expect(!c.dumps.facts(c.fixture.address_of("rl_one"), c.never).ok(), "no facts of none");
  MemoryMembers members;
  c.fails(c.dumps.dump({c.fixture.address_of("rl_one")}, 1, members, c.never), Fault::rejected,
          "a dump of none");
}

void a_question_changes_nothing(const Case& c) {
  c.fixture.make("rl_one");
  const DatabaseFacts before = c.facts("rl_one");
  const PostgresAddress database = c.fixture.address_of("rl_one");
  const auto answer = c.dumps.ask(database, c.fixture.query);
  c.succeeds(answer, "ask");
  c.expect(answer.ok() && answer.value() == c.fixture.answer, c.fixture.answer);
  c.fails(c.dumps.ask(database, c.fixture.change), Fault::rejected, "a question that changes");
  c.fails(c.dumps.ask(database, "COMMIT; " + c.fixture.change), Fault::rejected,
          "two questions in one");
  c.fails(c.dumps.ask(database, "what is this"), Fault::rejected, "no question");
  c.are_equal(before, c.facts("rl_one"), "before and after");
}

void where_no_server_answers_nothing_is_known(const Case& c) {
  const PostgresAddress none{c.fixture.url_of_none, nullptr};
  const auto is_unreachable = [&](const auto& result, const std::string& what) {
    c.expect(!result.ok() && result.error().cause == Cause::unreachable, what + " to be unknown");
  };
  MemoryMembers members;
  is_unreachable(c.dumps.dump({none}, 1, members, c.never), "dump");
  is_unreachable(c.dumps.facts(none, c.never), "facts");
  is_unreachable(c.dumps.list(none), "list");
  is_unreachable(c.dumps.room(none), "room");
  is_unreachable(c.dumps.drop(none, "rl_one"), "drop");
  is_unreachable(c.dumps.rename(none, "rl_one", "rl_two", ""), "rename");
  is_unreachable(c.dumps.ask(none, c.fixture.query), "ask");
}

}  // namespace

void check_dumps(DatabaseDumps& dumps, const DumpsFixture& fixture) {
  const std::pair<const char*, void (*)(const Case&)> cases[] = {
      {"what is dumped is restored", what_is_dumped_is_restored},
      {"what is dumped in parts is restored", what_is_dumped_in_parts_is_restored},
      {"one row that differs is seen", one_row_that_differs_is_seen},
      {"nothing is restored over another database", nothing_is_restored_over_another_database},
      {"a restore that fails leaves nothing", a_restore_that_fails_leaves_nothing},
      {"a dump ends when it is told to", a_dump_ends_when_it_is_told_to},
      {"a writer that fails fails the dump", a_writer_that_fails_fails_the_dump},
      {"one takes the place of another", one_takes_the_place_of_another},
      {"a drop ends sessions and may be repeated", a_drop_ends_sessions_and_may_be_repeated},
      {"a question changes nothing", a_question_changes_nothing},
      {"where no server answers nothing is known", where_no_server_answers_nothing_is_known}};
  for (const auto& [title, run] : cases) run(Case(title, dumps, fixture));
}

}  // namespace rowlock
