// What no row may do to the controller: every column of every desired table is given what is no
// text, and each is refused with its name or harms nothing.
#include "controller/base/json.h"
#include "controller/outcome.h"
#include "tests/controller/boat.h"

#include <fmt/format.h>

using namespace rowlock;

namespace {

// One row in each desired table, all of which fit together.
constexpr const char* kRows =
    "INSERT INTO job (name, image, command, user) VALUES ('web', 'good:1', '[\"a\"]', 'app');"
    "INSERT INTO job_env VALUES ('web', 'A', 'x');"
    "INSERT INTO job_port (job, label, port, host_port) VALUES ('web', 'http', 80, 0);"
    "INSERT INTO job_mount (job, path, source) VALUES ('web', '/data', 'data');"
    "INSERT INTO quota (policy) VALUES ('*');"
    "INSERT INTO backup_limit (name) VALUES ('limits');"
    "INSERT INTO job_constraint (job, attribute, value) VALUES ('web', 'site', 'local');"
    "INSERT INTO job_check (job, name, type, port, command) VALUES ('web', 'up', 'exec', 'http',"
    "  '[\"true\"]');"
    "INSERT INTO job_secret (job, path, key, name) VALUES ('web', 'a', 'k', 'n');"
    "INSERT INTO job_template (job, name, text) VALUES ('web', 'c', 'x');"
    "INSERT INTO policy (name, path) VALUES ('p', 'a/b');"
    "INSERT INTO job_policy VALUES ('web', 'p');"
    "INSERT INTO trust (name, issuer, audience, claims, keys)"
    "  VALUES ('ci', 'https://ci', 'us', '{\"sub\":\"x\"}', 'https://ci/keys');"
    "INSERT INTO api (name) VALUES ('api');"
    "INSERT INTO route (name, host, job, port) VALUES ('r', 'a.example.org', 'web', 'http');"
    "INSERT INTO route_header VALUES ('r', 'X-A', 'x');"
    "INSERT INTO certificate VALUES ('c', '/c.pem');"
    "INSERT INTO proxy (name) VALUES ('proxy');"
    "INSERT INTO retention (name) VALUES ('retention');"
    "INSERT INTO registry (host) VALUES ('registry.example.org');"
    "INSERT INTO database (name, url) VALUES ('db', 'postgresql://u@h:5432/d');"
    "INSERT INTO database_role (name, database) VALUES ('app', 'db');"
    "INSERT INTO object_store (name, url) VALUES ('s', 'file:///backups');"
    "INSERT INTO backup_policy (name, database, store, recipients)"
    "  VALUES ('b', 'db', 's', "
    "'[\"age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\"]');"
    "INSERT INTO backup_assertion VALUES ('b', 'some', 'SELECT 1');"
    "INSERT INTO backup_exception VALUES ('b', 'pg_cron', 'only one database has it');"
    "INSERT INTO backup_request (name, policy) VALUES ('now', 'b');"
    "INSERT INTO restore (name, policy, into_url) VALUES ('back', 'b', 'postgresql://u@h:5432/e');"
    "INSERT INTO invariant VALUES ('i', 'SELECT 1 WHERE 0', 'm');"
    "INSERT INTO approval (revision, table_name, deletes) VALUES (7, 'job', 1);";

// No cell may be any of these, whatever its column.
constexpr const char* kNever[] = {"CAST(X'41ff42' AS TEXT)",
                                  "CAST(X'4100' AS TEXT)",
                                  "CAST(X'eda080' AS TEXT)",
                                  "'a' || char(1) || 'b'",
                                  "'a' || char(27)",
                                  "replace(hex(zeroblob(524288)), 0, 'x')",
                                  "X'41'",
                                  "X'35'"};

// These may be good where the table says so, and then they harm nothing.
constexpr const char* kPerhaps[] = {"'[\"\\ud800\"]'", "''", "'a' || char(10) || '\" {{ %s'"};

std::vector<std::string> words(Database& database, const std::string& query) {
  std::vector<std::string> all;
  const auto rows = database.query(query);
  cr_assert(rows.ok(), "%s", rows.ok() ? "" : rows.error().message.c_str());
  for (const Row& row : rows.value()) all.push_back(text_of(row.cells().front()));
  return all;
}

bool is_refused(Boat& boat) { return boat.text("SELECT count(*) FROM violation") != "0"; }

// A home with a row in each desired table, whose file has lost all that guards it.
struct Unguarded : Boat {
  Unguarded() {
    cr_assert(shell.run(kRows).empty());
    settle();
    cr_assert(!is_refused(*this), "%s", text("SELECT message FROM violation").c_str());
    const char* one = "SELECT name FROM sqlite_schema WHERE type = 'trigger'";
    for (std::string name = shell.value(one); !name.empty(); name = shell.value(one)) {
      cr_assert(shell.run("DROP TRIGGER " + name).empty());
    }
    cr_assert(shell.run("PRAGMA ignore_check_constraints = ON").empty());
  }
  std::vector<std::string> columns(const std::string& table) {
    return words(state, fmt::format("SELECT name FROM pragma_table_info('{}')", table));
  }
  std::string was(const std::string& table, const std::string& column) {
    return shell.value(fmt::format("SELECT quote(\"{}\") FROM \"{}\"", column, table));
  }
};

std::string set(const std::string& column, const std::string& value) {
  return fmt::format("\"{}\" = {}", column, value);
}

}  // namespace

Test(broken_cells, no_cell_of_any_desired_table_may_be_what_is_no_text) {
  Unguarded boat;
  for (const TableText& table : boat.made.schema.desired_tables()) {
    std::string back;
    for (const std::string& column : boat.columns(table.name)) {
      back += (back.empty() ? "" : ", ") + set(column, boat.was(table.name, column));
    }
    for (const char* value : kNever) {
      std::string bad;
      for (const std::string& column : boat.columns(table.name)) {
        bad += (bad.empty() ? "" : ", ") + set(column, value);
      }
      cr_assert(boat.shell.run(fmt::format("UPDATE \"{}\" SET {}", table.name, bad)).empty());
      boat.pass();
      for (const std::string& column : boat.columns(table.name)) {
        cr_expect(boat.text(fmt::format("SELECT count(*) FROM refusal WHERE table_name = '{0}' AND "
                                        "message LIKE '{0}.{1} of %'",
                                        table.name, column)) == "1",
                  "%s.%s = %s", table.name.c_str(), column.c_str(), value);
      }
    }
    cr_assert(boat.shell.run(fmt::format("UPDATE \"{}\" SET {}", table.name, back)).empty());
    boat.pass();
    cr_expect(!is_refused(boat), "%s: mended, and held: %s", table.name.c_str(),
              boat.text("SELECT message FROM violation").c_str());
  }
}

Test(broken_cells, what_a_table_takes_is_planned_and_made) {
  for (const char* table : {"job", "job_env", "job_check", "route", "route_header"}) {
    Unguarded boat;
    for (const std::string& column : boat.columns(table)) {
      const std::string was = boat.was(table, column);
      for (const char* value : kPerhaps) {
        const auto update = [&](const std::string& to) {
          return boat.shell.run(fmt::format("UPDATE \"{}\" SET {}", table, set(column, to)));
        };
        cr_assert(update(value).empty());
        boat.settle();
        for (const char* view : {"plan", "status", "why", "violation"}) {
          cr_expect(boat.state.query(fmt::format("SELECT * FROM {}", view)).ok(),
                    "%s of %s.%s = %s", view, table, column.c_str(), value);
        }
        cr_assert(update(was).empty());
        boat.settle();
        cr_expect(!is_refused(boat), "%s.%s = %s: mended, and held", table, column.c_str(), value);
      }
    }
  }
}

Test(broken_cells, what_is_no_text_is_refused_with_row_and_column) {
  struct Case {
    const char* edit;
    const char* said;
  };
  const Case cases[] = {
      {"INSERT INTO job_env VALUES ('web', 'A', CAST(X'41ff42' AS TEXT))",
       "job_env.value of web/A must be UTF-8: byte 2 is no character"},
      {"INSERT INTO job_env VALUES ('web', 'A', X'4142')",
       "job_env.value of web/A must be text or a number, not a BLOB"},
      {"INSERT INTO job_env VALUES ('web', 'A', 'x' || char(27))",
       "job_env.value of web/A must hold no control characters but tabs and line breaks: byte 2"},
      {"INSERT INTO job_env VALUES ('web', 'A', hex(zeroblob(100000)))",
       "job_env.value of web/A must have at most 131072 bytes: it has 200000"},
      {"UPDATE job SET command = '[\"\\ud800\"]'", "job.command of web must be JSON that every"},
      {"UPDATE job SET command = '[\"a\\u0000\"]'",
       "job.command of web must be JSON without \\u0000"},
  };
  for (const Case& bad : cases) {
    Boat boat;
    cr_assert(boat.shell.run("INSERT INTO job (name, image) VALUES ('web', 'good:1')").empty());
    boat.settle();
    cr_assert(boat.shell.run(bad.edit).empty(), "%s", bad.edit);
    boat.settle();
    const std::string said = boat.text("SELECT group_concat(message) FROM violation");
    cr_expect(said.find(bad.said) != std::string::npos, "%s: %s", bad.edit, said.c_str());
  }
}

Test(broken_cells, what_the_world_answers_is_kept_as_text) {
  const Values kept = as_text({{"a", std::string("x\xff\0y", 4)}, {"b", std::int64_t{1}}});

  cr_expect(std::get<std::string>(kept[0].second) == "x\xef\xbf\xbd y");
  cr_expect(Json::parse(Json::string("a\xff").text()).ok());
}
