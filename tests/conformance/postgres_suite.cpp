// Whether a role is right is asked of the server as a client would: by logging in with it.
#include "tests/conformance/postgres_suite.h"

#include "tests/conformance/suite_case.h"

#include <criterion/criterion.h>

#include <thread>
#include <utility>
#include <vector>

namespace rowlock {

namespace {

using Names = std::vector<std::string>;

constexpr char kCreate[] =
    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
constexpr std::int64_t kHourMs = 3'600'000;

class Case : public SuiteCase {
 public:
  Case(std::string title, Postgres& under_test, const PostgresFixture& given)
      : SuiteCase(std::move(title)), postgres(under_test), fixture(given) {}
  ~Case() {
    for (const std::string& name : list("rl_")) succeeds(drop(name), "drop");
  }

  Result<> create(const std::string& name, const std::string& password,
                  const Names& statements = {kCreate}, std::int64_t life_ms = kHourMs) const {
    PostgresRole role;
    role.name = name;
    role.password = std::make_shared<const SecretBytes>(password);
    role.valid_until_ms = fixture.now_ms + life_ms;
    role.statements = statements;
    return postgres.create_role(fixture.server, role);
  }
  Result<> renew(const std::string& name, std::int64_t life_ms) const {
    return postgres.renew_role(fixture.server, name, fixture.now_ms + life_ms);
  }
  Result<> drop(const std::string& name, const Names& statements = {}) const {
    return postgres.drop_role(fixture.server, name, statements);
  }
  Names list(const std::string& prefix) const {
    const auto listed = postgres.roles(fixture.server, prefix);
    succeeds(listed, "roles");
    return listed.ok() ? listed.value() : Names{};
  }

  Postgres& postgres;
  const PostgresFixture& fixture;
};

void a_role_logs_in_with_its_password_alone(const Case& c) {
  c.expect(c.list("rl_").empty(), "no roles");
  c.succeeds(c.create("rl_web_1", "Secret1"), "create");
  c.expect(c.fixture.can_log_in("rl_web_1", "Secret1"), "it to log in");
  c.expect(!c.fixture.can_log_in("rl_web_1", "Secret2"), "no other password to do");
  c.expect(c.list("rl_") == Names{"rl_web_1"}, "one role");
}

void one_that_is_there_is_made_anew(const Case& c) {
  c.succeeds(c.create("rl_web_1", "Secret1"), "create");
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.create("rl_web_1", "Secret2"), "create again");
    c.expect(c.fixture.can_log_in("rl_web_1", "Secret2"), "the new password to do");
    c.expect(!c.fixture.can_log_in("rl_web_1", "Secret1"), "the old password not to do");
    c.expect(c.list("rl_") == Names{"rl_web_1"}, "one role");
  }
}

void a_life_ends_and_is_prolonged(const Case& c) {
  c.succeeds(c.create("rl_web_1", "Secret1", {kCreate}, -kHourMs), "create");
  c.expect(!c.fixture.can_log_in("rl_web_1", "Secret1"), "it to be over");
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.renew("rl_web_1", kHourMs), "renew");
    c.expect(c.fixture.can_log_in("rl_web_1", "Secret1"), "it to go on");
  }
  const Result<> none = c.renew("rl_web_2", kHourMs);
  c.expect(!none.ok() && none.error().cause == Cause::not_found, "no such role");
  c.expect(c.list("rl_") == Names{"rl_web_1"}, "none made by that");
}

void a_role_without_an_end_is_given_it(const Case& c) {
  const Names statements = {"CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"};
  c.succeeds(c.create("rl_web_1", "Secret1", statements, -kHourMs), "create");
  c.expect(!c.fixture.can_log_in("rl_web_1", "Secret1"), "it to be over");
}

void drop_ends_its_sessions(const Case& c) {
  c.succeeds(c.create("rl_web_1", "Secret1"), "create");
  c.succeeds(c.create("rl_web_2", "Secret2"), "create");
  c.expect(c.fixture.open_session("rl_web_1", "Secret1"), "a session");
  c.expect(c.fixture.open_session("rl_web_1", "Secret1"), "another session");
  c.expect(c.fixture.open_session("rl_web_2", "Secret2"), "a session of another role");
  c.expect(c.fixture.sessions("rl_web_1") == 2, "two sessions");
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.drop("rl_web_1"), "drop");
    c.expect(c.fixture.sessions("rl_web_1") == 0, "no sessions");
    c.expect(!c.fixture.can_log_in("rl_web_1", "Secret1"), "it to be gone");
    c.expect(c.list("rl_") == Names{"rl_web_2"}, "the other role");
    c.expect(c.fixture.sessions("rl_web_2") == 1, "the other session");
  }
  c.succeeds(c.drop("rl_never_was"), "drop none");
}

void the_drop_statements_are_run_with_its_name(const Case& c) {
  c.succeeds(c.create("rl_web_1", "Secret1", {kCreate, "COMMENT ON ROLE \"{{name}}\" IS 'mine'"}),
             "create");
  c.succeeds(c.drop("rl_web_1", {"COMMENT ON ROLE \"{{name}}\" IS NULL"}), "drop");
  c.expect(c.list("rl_").empty(), "no roles");
}

void statements_that_fail_leave_no_role(const Case& c) {
  const Result<> bad = c.create("rl_web_1", "Secret1", {kCreate, "NONSENSE {{name}}"});
  c.is_rejected(bad, "what is no statement");
  c.expect(!bad.ok() && bad.error().message.find(
                            "statement 2 of database_role.create_statements") != std::string::npos,
           "which statement it was");
  c.is_rejected(c.create("rl_web_1", "Secret1", {"SELECT 1"}), "statements that make no role");
  c.is_rejected(c.create("rl_web_1", "Secret1", {"CREATE ROLE \"{{name}}\" NOLOGIN"}),
                "a role that cannot log in");
  c.expect(c.list("rl_").empty(), "no roles");

  c.succeeds(c.create("rl_web_1", "Secret1"), "create");
  c.is_rejected(c.create("rl_web_1", "Secret2", {kCreate, "NONSENSE"}), "what is no statement");
  c.expect(c.fixture.can_log_in("rl_web_1", "Secret1"), "the one before to stay");
}

void one_whose_drop_statements_fail_logs_in_no_more(const Case& c) {
  c.succeeds(c.create("rl_web_1", "Secret1"), "create");
  const Result<> bad = c.drop("rl_web_1", {"NONSENSE {{name}}"});
  c.is_rejected(bad, "what is no statement");
  c.expect(c.list("rl_") == Names{"rl_web_1"}, "it to be there still");
  c.expect(!c.fixture.can_log_in("rl_web_1", "Secret1"), "it not to log in");
  c.succeeds(c.drop("rl_web_1"), "drop");
}

void roles_are_listed_by_their_beginning(const Case& c) {
  for (const char* name : {"rl_a_web_1", "rl_a_web_2", "rl_b_web_1", "rl_ab_web_1"}) {
    c.succeeds(c.create(name, "Secret1"), "create");
  }
  c.expect(c.list("rl_a_") == Names{"rl_a_web_1", "rl_a_web_2"}, "no other character for '_'");
  c.expect(c.list("rl_c_").empty(), "none of a home without any");
}

void odd_names_are_rejected(const Case& c) {
  for (const std::string& name : Names{"", "Web", "a-b", "a b", "a\"b", std::string(64, 'a')}) {
    c.is_rejected(c.create(name, "Secret1"), "role " + name);
    c.is_rejected(c.renew(name, kHourMs), "role " + name);
    c.is_rejected(c.drop(name), "role " + name);
  }
  c.is_rejected(c.postgres.roles(c.fixture.server, "a%"), "prefix a%");
  c.succeeds(c.create("rl_" + std::string(60, 'a'), "Secret1"), "create of a long name");
}

void a_server_that_is_not_to_be_had_is_told_apart(const Case& c) {
  const auto roles = [&](const std::string& url, const char* password) {
    return c.postgres.roles(
        {url, password == nullptr ? nullptr : std::make_shared<const SecretBytes>(password)},
        "rl_");
  };
  c.is_rejected(roles(c.fixture.server.url, "wrong"), "another password");
  c.is_rejected(roles(c.fixture.server.url, nullptr), "no password");
  c.is_rejected(roles("postgresql://admin:pw@127.0.0.1:1/app", nullptr), "a password in the url");
  c.is_rejected(roles("mysql://127.0.0.1", nullptr), "a url of something else");
  const auto none = roles(c.fixture.url_of_none, "Secret1");
  c.expect(!none.ok() && none.error().fault == Fault::transient &&
               none.error().cause == Cause::unreachable,
           "no server there");
}

void several_are_made_at_once(const Case& c) {
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&c, name = "rl_web_" + std::to_string(i)] {
      for (int round = 0; round < 3; ++round) {
        c.succeeds(c.create(name, "Secret1"), "create");
        c.succeeds(c.create("rl_shared", "Secret1"), "create one that others make, too");
        c.succeeds(c.drop("rl_shared"), "drop one that others drop, too");
        c.succeeds(c.renew(name, kHourMs), "renew");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  c.expect(c.list("rl_").size() == kThreads, "as many roles as threads");
}

constexpr std::pair<const char*, void (*)(const Case&)> kCases[] = {
    {"a role logs in with its password alone", a_role_logs_in_with_its_password_alone},
    {"one that is there is made anew", one_that_is_there_is_made_anew},
    {"a life ends and is prolonged", a_life_ends_and_is_prolonged},
    {"a role without an end is given it", a_role_without_an_end_is_given_it},
    {"drop ends its sessions", drop_ends_its_sessions},
    {"the drop statements are run with its name", the_drop_statements_are_run_with_its_name},
    {"statements that fail leave no role", statements_that_fail_leave_no_role},
    {"one whose drop statements fail logs in no more",
     one_whose_drop_statements_fail_logs_in_no_more},
    {"roles are listed by their beginning", roles_are_listed_by_their_beginning},
    {"odd names are rejected", odd_names_are_rejected},
    {"a server that is not to be had is told apart", a_server_that_is_not_to_be_had_is_told_apart},
    {"several are made at once", several_are_made_at_once},
};

}  // namespace

void check_postgres(Postgres& postgres, const PostgresFixture& fixture) {
  for (const auto& [title, run] : kCases) run(Case(title, postgres, fixture));
}

}  // namespace rowlock
