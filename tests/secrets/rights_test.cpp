// Rows that give rights: what other hands write into them gives none, and is found.
#include "controller/secrets/rights.h"

#include "controller/crypto/encoding.h"
#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::ApiRig;
using rowlock::AuditReport;
using rowlock::Database;
using rowlock::Reply;
using rowlock::SecretBytes;
using rowlock::text_of;
using rowlock::Transaction;

namespace {

constexpr const char* kRead = "/v1/secret/data/app/db";

// A secret, rows that say who may read it, and a connection of somebody who has the file.
struct RightsRig : ApiRig {
  Database other;
  std::string token;

  RightsRig() : other(opened(folder / "state.db")) {
    cr_assert_eq(ask("POST", kRead, R"({"data":{"password":"hunter2"}})").status, 200);
    sql("INSERT INTO job (name, image) VALUES ('web', 'i:1');"
        "INSERT INTO policy (name, path, capabilities) VALUES ('no', 'app/*', 'deny');"
        "INSERT INTO job_policy (job, policy) VALUES ('web', 'no');"
        "INSERT INTO api (listen) VALUES ('127.0.0.1:8200');"
        "INSERT INTO trust (name, issuer, audience, claims, policies, keys)"
        " VALUES ('ci', 'https://ci', 'us', '{\"sub\":\"a\"}', '[\"no\"]', '/etc/keys')");
    token = token_for("app/db", "read");
    accept();
    cr_assert_eq(status(), 200);
  }

  static Database opened(const std::string& path) {
    auto database = Database::open(path, Database::Mode::read_write);
    cr_assert(database.ok());
    return std::move(database).value();
  }
  // As the controller does when desired.db says what the rows are.
  void accept() {
    auto transaction = Transaction::begin(state);
    cr_assert(transaction.ok());
    cr_assert(secrets.rights.accepted().ok());
    cr_assert(std::move(transaction).value().commit().ok());
  }
  void hands(const std::string& statements) {
    const auto done = other.run(statements);
    cr_assert(done.ok(), "%s: %s", statements.c_str(),
              done.ok() ? "" : done.error().message.c_str());
  }
  int status() { return ask_with(token, "GET", kRead).status; }
  bool follow() {
    const auto followed = secrets.rights.follow(now_ms);
    cr_assert(followed.ok(), "%s", followed.ok() ? "" : followed.error().message.c_str());
    return followed.value();
  }
  std::string doubt(const std::string& of) {
    return value("SELECT COALESCE((SELECT detail FROM rights_doubt WHERE of = '" + of + "'), '')");
  }
  std::vector<std::string> findings() {
    const auto report = secrets.audit.verification()();
    cr_assert(report.ok(), "%s", report.ok() ? "" : report.error().message.c_str());
    return report.value().findings;
  }
  void seal() { cr_assert_eq(ask("PUT", "/v1/sys/seal").status, 204); }
  void unseal() {
    const Reply reply = ask("PUT", "/v1/sys/unseal", "{\"key\":\"" + unseal_key + "\"}");
    cr_assert_eq(reply.status, 200, "%s", reply.text.c_str());
  }
  std::string made(const std::string& options) {
    const Reply reply = ask("POST", "/v1/auth/token/create", options);
    cr_assert_eq(reply.status, 200, "%s", reply.text.c_str());
    return reply.body["auth"]["client_token"].as_string();
  }
};

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

Test(secrets_rights, whatever_other_hands_change_of_policies_gives_nothing_and_is_found,
     .timeout = 60) {
  RightsRig rig;
  rig.hands("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF");
  cr_assert(rig.findings().empty(), "%s", rig.findings().front().c_str());
  int cells = 0;
  for (const std::string table : {"policy", "job_policy", "trust", "api"}) {
    const auto columns = rig.other.query("SELECT name FROM pragma_table_info('" + table + "')");
    cr_assert(columns.ok());
    rig.hands("CREATE TEMP TABLE saved AS SELECT * FROM main." + table);
    for (const auto& row : columns.value()) {
      const std::string column = row.text("name");
      for (const std::string& set :
           {fmt::format("\"{}\" || 'x'", column), fmt::format("CAST(\"{}\" AS BLOB)", column),
            std::string("'read'"), std::string("")}) {
        rig.hands(set.empty() ? fmt::format("DELETE FROM {0} WHERE rowid = (SELECT max(rowid) "
                                            "FROM {0})",
                                            table)
                              : fmt::format("UPDATE {0} SET \"{1}\" = {2} WHERE rowid = (SELECT "
                                            "max(rowid) FROM {0})",
                                            table, column, set));
        const std::string what = table + "." + column + ": " + set;
        const bool is_same =
            text_of(rig.other
                        .scalar(fmt::format("SELECT NOT EXISTS (SELECT * FROM saved EXCEPT "
                                            "SELECT * FROM main.{})",
                                            table))
                        .value()) == "1";

        if (!is_same) {
          ++cells;
          const Reply reply = rig.ask_with(rig.token, "GET", kRead);
          cr_expect_neq(reply.status, 200, "%s", what.c_str());
          cr_expect(!holds(reply.text, "hunter2"), "%s", what.c_str());
          cr_expect_eq(rig.findings().size(), 1u, "%s", what.c_str());
        }
        rig.hands(
            fmt::format("DELETE FROM main.{0}; INSERT INTO main.{0} SELECT * FROM saved", table));
        cr_expect_eq(rig.status(), 200, "%s", what.c_str());
      }
    }
    rig.hands("DROP TABLE saved");
  }
  cr_expect_geq(cells, 50);
}

Test(secrets_rights, a_deny_that_other_hands_turned_into_read_is_said_and_mended_by_an_acceptance) {
  RightsRig rig;
  rig.hands("UPDATE policy SET capabilities = 'read' WHERE name = 'no'");

  cr_expect(rig.follow());
  cr_expect(!rig.follow(), "it is said once");

  cr_expect(holds(rig.doubt("policies"), "rows of policy in state.db were changed by other hands"));
  cr_expect(holds(rig.value("SELECT detail FROM audit ORDER BY seq DESC LIMIT 1"), "other hands"));
  cr_expect_eq(rig.value("SELECT state FROM rights_status"), "failed");
  cr_expect(holds(rig.value("SELECT reason FROM rights_why"), "desired.db"));
  rig.sql("UPDATE policy SET capabilities = 'deny' WHERE name = 'no'");
  rig.accept();
  cr_expect(!rig.follow());
  cr_expect(rig.doubt("policies").empty());
  cr_expect_eq(rig.status(), 200);
  cr_expect(rig.findings().empty());
}

Test(secrets_rights, what_was_accepted_while_it_was_sealed_counts_and_what_others_did_does_not) {
  RightsRig rig;
  rig.seal();
  rig.sql("INSERT INTO policy (name, path) VALUES ('more', 'x')");
  rig.accept();
  rig.unseal();
  cr_expect_eq(rig.status(), 200);
  cr_expect(rig.findings().empty());

  rig.seal();
  rig.hands("UPDATE policy SET capabilities = 'read'");
  rig.unseal();
  cr_expect_neq(rig.status(), 200);
  cr_expect(rig.follow());
}

Test(secrets_rights, a_home_from_before_gets_its_proofs_when_it_is_opened) {
  RightsRig rig;
  rig.sql("BEGIN");
  cr_assert(rig.secrets.audit.prove({"", ""}).ok());
  rig.sql("COMMIT");
  rig.seal();
  rig.unseal();

  cr_expect_eq(rig.value("SELECT length(rights) || ' ' || length(tokens) FROM audit_head"),
               "256 64");
  cr_expect_eq(rig.status(), 200);
  cr_expect(rig.findings().empty());
}

// Revoked by its holder, by the operator, used up, fetched.
Test(secrets_rights, a_token_that_is_over_and_was_put_back_gives_nothing_and_is_found) {
  for (const std::string how : {"self", "operator", "uses", "fetched"}) {
    for (const bool is_followed : {false, true}) {
      RightsRig rig;
      std::string over =
          rig.made(how == "uses" ? R"({"policies":["p"],"num_uses":1})" : R"({"policies":["p"]})");
      if (how == "fetched") {
        auto request = ApiRig::request("GET", kRead, "");
        request.headers.emplace_back("X-Vault-Token", over);
        request.headers.emplace_back("X-Vault-Wrap-TTL", "60");
        over = rig.ask(request).body["wrap_info"]["token"].as_string();
      }
      rig.hands("CREATE TEMP TABLE saved AS SELECT * FROM token");
      const auto use = [&] {
        return how == "fetched" ? rig.ask_with(over, "POST", "/v1/sys/wrapping/unwrap")
                                : rig.ask_with(over, "GET", kRead);
      };
      if (how == "self") rig.ask_with(over, "POST", "/v1/auth/token/revoke-self");
      if (how == "operator") {
        const Reply self = rig.ask_with(over, "GET", "/v1/auth/token/lookup-self");
        const std::string accessor = self.data()["accessor"].as_string();
        rig.ask("POST", "/v1/auth/token/revoke-accessor", "{\"accessor\":\"" + accessor + "\"}");
      }
      if (how == "uses" || how == "fetched") cr_assert_eq(use().status, 200, "%s", how.c_str());
      if (is_followed) rig.follow();

      rig.hands("DELETE FROM token; INSERT INTO token SELECT * FROM saved");

      const Reply reply = use();
      cr_expect_neq(reply.status, 200, "%s: %s", how.c_str(), reply.text.c_str());
      cr_expect(!holds(reply.text, "hunter2"), "%s", how.c_str());
      const auto findings = rig.findings();
      cr_assert(!findings.empty(), "%s", how.c_str());
      cr_expect(holds(findings.front(), "rows of token"), "%s", findings.front().c_str());
      const bool is_named = findings.size() == 2 && holds(findings.back(), "revoked or fetched");
      cr_expect_eq(is_named, how != "uses", "%s", how.c_str());
      rig.follow();
      cr_expect(holds(rig.doubt("tokens"), "rowlock token revoke --all"), "%s", how.c_str());

      cr_expect_eq(rig.ask("POST", "/v1/auth/token/revoke-all").status, 204);
      rig.follow();
      cr_expect(rig.doubt("tokens").empty() && rig.findings().empty(), "%s", how.c_str());
      rig.token = rig.made(R"({"policies":["p"]})");
      cr_expect_eq(rig.status(), 200, "%s", how.c_str());
    }
  }
}

// Else a row of theirs in token_gone would let them put the token back.
Test(secrets_rights, what_other_hands_say_has_gone_lets_nothing_come_back) {
  RightsRig rig;
  const std::string over = rig.made(R"({"policies":["p"]})");
  rig.hands("CREATE TEMP TABLE saved AS SELECT * FROM token");
  rig.ask_with(over, "POST", "/v1/auth/token/revoke-self");
  rig.follow();
  cr_assert_eq(rig.value("SELECT count(*) FROM token_gone"), "0");

  rig.hands(
      "INSERT INTO token_gone SELECT hash, mac FROM saved WHERE hash NOT IN (SELECT hash FROM "
      "token)");
  rig.follow();
  rig.hands("INSERT OR IGNORE INTO token SELECT * FROM saved");
  rig.follow();

  cr_expect_neq(rig.ask_with(over, "GET", kRead).status, 200);
  cr_expect(!rig.doubt("tokens").empty());
}

Test(secrets_rights, what_comes_and_goes_by_itself_is_no_finding) {
  RightsRig rig;
  const std::string options = R"({"policies":["p"],"ttl":"2s","num_uses":3})";
  for (int round = 0; round < 40; ++round) {
    const std::string token = rig.made(options);
    cr_expect_eq(rig.ask_with(token, "GET", kRead).status, 200);
    if (round % 3 == 0) rig.ask_with(token, "POST", "/v1/auth/token/renew-self");
    if (round % 5 == 0) rig.ask_with(token, "POST", "/v1/auth/token/revoke-self");
    if (round % 7 == 0) rig.hands("UPDATE node SET name = name");
    if (round % 11 == 0) {
      rig.seal();
      rig.sql("DELETE FROM token WHERE hash = (SELECT min(hash) FROM token WHERE ttl_ms = 2000)");
      rig.unseal();
    }
    if (round % 4 == 0) rig.follow();
    rig.now_ms += 300;
    const auto findings = rig.findings();
    cr_expect(findings.empty(), "%d: %s", round, findings.empty() ? "" : findings.front().c_str());
    cr_expect_eq(rig.status(), 200, "%d", round);
  }
}
