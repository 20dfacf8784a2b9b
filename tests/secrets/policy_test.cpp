// The rules of policies as users of Vault know them, case by case; each is asked of the script that
// the HTTP interface uses and of the view that the plan uses.
#include "controller/secrets/policies.h"
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::Actor;
using rowlock::Json;
using rowlock::PlanWorld;

namespace {

struct Row {
  const char* policy;
  const char* path;
  const char* capabilities;
};
struct Case {
  const char* rule;
  std::vector<Row> rows;
  const char* path;
  const char* expected;  // Sorted.
};

const std::vector<Case> kCases = {
    {"denied by default", {}, "a", ""},
    {"denied by default", {{"p", "b", "read"}}, "a", ""},
    {"exact", {{"p", "a", "read"}}, "a", "read"},
    {"exact is the whole path", {{"p", "a", "read"}}, "ab", ""},
    {"exact is the whole path", {{"p", "a", "read"}}, "a/b", ""},
    {"exact is the whole path", {{"p", "a/b", "read"}}, "a", ""},
    {"case counts", {{"p", "a", "read"}}, "A", ""},
    {"a folder is another path", {{"p", "a", "list"}}, "a/", ""},
    {"a folder by its slash", {{"p", "a/", "list"}}, "a/", "list"},
    {"star is a prefix", {{"p", "a/*", "read"}}, "a/b", "read"},
    {"star goes deep", {{"p", "a/*", "read"}}, "a/b/c/d", "read"},
    {"star may stand for nothing", {{"p", "a/*", "list"}}, "a/", "list"},
    {"star is no folder by itself", {{"p", "a/*", "read"}}, "a", ""},
    {"star ends a word too", {{"p", "a/b*", "read"}}, "a/bcd", "read"},
    {"star ends a word too", {{"p", "a/b*", "read"}}, "a/b", "read"},
    {"star ends a word too", {{"p", "a/b*", "read"}}, "a/b/c", "read"},
    {"star ends a word too", {{"p", "a/b*", "read"}}, "a/c", ""},
    {"star alone", {{"p", "*", "read"}}, "any/thing", "read"},
    {"plus is one part", {{"p", "a/+/c", "read"}}, "a/b/c", "read"},
    {"plus is one part", {{"p", "a/+/c", "read"}}, "a/c", ""},
    {"plus is one part", {{"p", "a/+/c", "read"}}, "a/b/b/c", ""},
    {"plus is one part", {{"p", "a/+/c", "read"}}, "a/b/d", ""},
    {"plus at the end", {{"p", "a/+", "read"}}, "a/b", "read"},
    {"plus at the end", {{"p", "a/+", "read"}}, "a/b/c", ""},
    {"plus at the end", {{"p", "a/+", "read"}}, "a", ""},
    {"plus at the beginning", {{"p", "+/b", "read"}}, "a/b", "read"},
    {"plus at the beginning", {{"p", "+/b", "read"}}, "b", ""},
    {"plus alone", {{"p", "+", "read"}}, "a", "read"},
    {"plus alone", {{"p", "+", "read"}}, "a/b", ""},
    {"two plusses", {{"p", "+/+/c", "read"}}, "a/b/c", "read"},
    {"two plusses", {{"p", "+/+/c", "read"}}, "a/b/c/d", ""},
    {"plus and star", {{"p", "a/+/c*", "read"}}, "a/b/cd", "read"},
    {"plus and star", {{"p", "a/+/c*", "read"}}, "a/b/c/d/e", "read"},
    {"plus and star", {{"p", "a/+/c*", "read"}}, "a/b/d", ""},
    {"plus and star", {{"p", "a/+/*", "read"}}, "a/b/c", "read"},
    {"plus and star", {{"p", "a/+/*", "list"}}, "a/b/", "list"},
    {"plus and star", {{"p", "a/+/*", "read"}}, "a/b", ""},
    {"exact before star", {{"p", "a/b", "read"}, {"p", "a/*", "update"}}, "a/b", "read"},
    {"exact before plus", {{"p", "a/b", "read"}, {"p", "a/+", "update"}}, "a/b", "read"},
    {"1: the later wildcard", {{"p", "a/*", "read"}, {"p", "a/b*", "update"}}, "a/bc", "update"},
    {"1: the later wildcard",
     {{"p", "+/b/c", "read"}, {"p", "a/+/c", "update"}},
     "a/b/c",
     "update"},
    {"1: plus early, star late",
     {{"p", "+/b/c*", "read"}, {"p", "a/*", "update"}},
     "a/b/c",
     "update"},
    {"2: no star at the end",
     {{"p", "a/+/*", "read"}, {"p", "a/+/c", "update"}},
     "a/b/c",
     "update"},
    {"3: fewer plusses", {{"p", "a/+/+", "read"}, {"p", "a/+/c", "update"}}, "a/b/c", "update"},
    {"4: the longer", {{"p", "a/+/*", "read"}, {"p", "a/+/c*", "update"}}, "a/b/cd", "update"},
    {"4: the longer", {{"p", "a/+/c/*", "read"}, {"p", "a/+/*", "update"}}, "a/b/c/d", "read"},
    {"several policies add up", {{"p", "a", "read"}, {"q", "a", "update"}}, "a", "read,update"},
    {"only of the same pattern", {{"p", "a", "read"}, {"q", "a*", "update"}}, "a", "read"},
    {"a list with blanks", {{"p", "a", "read, list"}}, "a", "list,read"},
    {"deny wins", {{"p", "a", "read"}, {"q", "a", "deny"}}, "a", ""},
    {"deny wins in one row", {{"p", "a", "read,deny"}}, "a", ""},
    {"deny of a prefix", {{"p", "a/*", "deny"}}, "a/b", ""},
    {"deny of the more special", {{"p", "a/*", "read"}, {"p", "a/b", "deny"}}, "a/b", ""},
    {"deny of the more special", {{"p", "a/*", "read"}, {"p", "a/b", "deny"}}, "a/c", "read"},
    {"deny of the less special", {{"p", "a/*", "deny"}, {"q", "a/b", "read"}}, "a/b", "read"},
    {"deny of the less special", {{"p", "+/b", "deny"}, {"q", "a/b", "read"}}, "a/b", "read"},
    {"everything",
     {{"p", "a", "create,read,update,patch,delete,list"}},
     "a",
     "create,delete,list,patch,read,update"},
    {"a policy that was not given", {{"other", "a", "read"}}, "a", ""},
    {"signs in a path are no signs", {{"p", "a/*", "read"}}, "a/[b]?\"\\'*", "read"},
    {"signs in a path are no signs", {{"p", "a/[b]", "read"}}, "a/b", ""},
    {"signs in a path are no signs", {{"p", "a/[b]", "read"}}, "a/[b]", "read"},
    {"signs in a path are no signs", {{"p", "a/?", "read"}}, "a/b", ""},
    {"signs in a path are no signs", {{"p", "+/x\"y", "read"}}, "a/x\"y", "read"},
    {"signs in a path are no signs", {{"p", "+/x\\y", "read"}}, "a/x\\y", "read"},
    {"a path that looks like a pattern", {{"p", "a/b", "read"}}, "a/+", ""},
    {"a path that looks like a pattern", {{"p", "a/b", "read"}}, "a/*", ""},
    {"letters of other tongues",
     {{"p", "schule/+/schlüssel*", "read"}},
     "schule/ä/schlüssel-1",
     "read"},
};

std::string joined(const std::set<std::string>& capabilities) {
  std::string all;
  for (const std::string& one : capabilities) all += (all.empty() ? "" : ",") + one;
  return all;
}

std::string quoted(const std::string& text) {
  std::string all = "'";
  for (const char c : text) all += c == '\'' ? std::string("''") : std::string(1, c);
  return all + "'";
}

}  // namespace

Test(secrets_policy, every_case_is_decided_alike_by_the_interface_and_by_the_plan) {
  cr_assert_geq(kCases.size(), 50);
  PlanWorld world;
  world.settle();
  for (const Case& one : kCases) {
    world.sql(
        "SAVEPOINT one; INSERT INTO job (name, image) VALUES ('web', 'good:1');"
        "INSERT INTO job_policy (job, policy) VALUES ('web', 'p'), ('web', 'q');");
    for (const Row& row : one.rows) {
      world.sql(fmt::format("INSERT INTO policy (name, path, capabilities) VALUES ({}, {}, {})",
                            quoted(row.policy), quoted(row.path), quoted(row.capabilities)));
    }
    const Json need = Json::object({{"path", Json::string(one.path)}});
    const Json body = Json::object({{"secrets", Json::object({{"needs", Json::array({need})}})}});
    world.sql(fmt::format(
        "INSERT INTO spec (id, job, body) VALUES (99, 'web', {});"
        "INSERT INTO instance (id, job, slot, spec, node, name, streak, cpus, memory_mb, "
        "stop_signal, stop_timeout_ms, placed_at_ms, since_ms) VALUES (99, 'web', 0, 99, 'local', "
        "'web-99', 0, 0, 0, 'SIGTERM', 0, 0, 0)",
        quoted(body.text())));

    const auto found =
        world.secrets().policies.capabilities(Actor{"test", R"(["p","q"])", false}, one.path);
    const bool is_banned =
        world.number("SELECT count(*) FROM delivery_ban WHERE instance = 99") > 0;

    cr_assert(found.ok());
    cr_expect(joined(found.value()) == one.expected, "%s: %s: '%s' and not '%s'", one.rule,
              one.path, joined(found.value()).c_str(), one.expected);
    cr_expect_eq(is_banned, !found.value().contains("read"), "%s: %s: the plan says otherwise",
                 one.rule, one.path);
    world.sql("ROLLBACK TO one; RELEASE one");
  }
}
