// Making the keys, opening and closing the store, and what it says of its state.
#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>

using rowlock::ApiRig;
using rowlock::Json;
using rowlock::Reply;

namespace {

Reply give(ApiRig& rig, const std::string& key) {
  return rig.ask_with("", "PUT", "/v1/sys/unseal",
                      Json::object({{"key", Json::string(key)}}).text());
}

}  // namespace

Test(serve_vault_api_seal, health_has_a_status_for_each_state_which_the_query_may_set) {
  ApiRig rig(false);
  const auto status = [&](const char* query) {
    return rig.ask_with("", "GET", std::string("/v1/sys/health") + query).status;
  };
  cr_expect_eq(status(""), 501);
  cr_expect_eq(status("?uninitcode=200"), 200);

  rig.ask("PUT", "/v1/sys/init", "{}");
  cr_expect_eq(status(""), 200);
  cr_expect_eq(status("?activecode=204"), 204);
  cr_expect_eq(status("?sealedcode=299"), 200);
  cr_expect_eq(rig.ask_with("", "HEAD", "/v1/sys/health").status, 200);
  cr_expect(rig.ask_with("", "GET", "/v1/sys/health").body["initialized"].as_boolean());

  rig.secrets.keyring.seal();
  cr_expect_eq(status(""), 503);
  cr_expect_eq(status("?sealedcode=299"), 299);
  cr_expect_eq(status("?sealedcode=x"), 400);
  cr_expect_eq(status("?sealedcode=7"), 400);
  cr_expect(rig.ask_with("", "GET", "/v1/sys/health?sealedcode=200").body["sealed"].as_boolean());
}

Test(serve_vault_api_seal, keys_are_made_once_and_by_the_operator) {
  ApiRig rig(false);
  cr_expect(!rig.ask_with("", "GET", "/v1/sys/init").body["initialized"].as_boolean(true));
  cr_expect_eq(rig.ask_with("", "PUT", "/v1/sys/init", "{}").status, 403);
  for (const char* body :
       {R"({"secret_shares":2,"secret_threshold":3})",
        R"({"secret_shares":0,"secret_threshold":0})",
        R"({"secret_shares":256,"secret_threshold":2})",
        R"({"secret_shares":4294967297,"secret_threshold":1})", R"({"secret_shares":"x"})"}) {
    cr_expect_eq(rig.ask("PUT", "/v1/sys/init", body).status, 400, "%s", body);
    cr_expect(rig.secrets.keyring.state() == rowlock::Keyring::State::absent);
  }

  const Reply made = rig.ask("PUT", "/v1/sys/init", R"({"secret_shares":3,"secret_threshold":2})");
  cr_assert_eq(made.status, 200);
  cr_expect_eq(made.body["keys"].items().size(), 3u);
  cr_expect(made.body["keys_base64"].text() == made.body["keys"].text());
  cr_expect(made.body["unseal_key"].is_null());
  cr_expect(rig.ask_with("", "GET", "/v1/sys/init").body["initialized"].as_boolean());
  cr_expect_eq(rig.ask("PUT", "/v1/sys/init", "{}").status, 400);
  cr_expect(rig.secrets.keyring.is_open(), "a refusal does not close it");
}

Test(serve_vault_api_seal, is_opened_by_shares_one_after_the_other) {
  ApiRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"v"}})");
  const std::string token = rig.token_for("x", "read");
  cr_expect_eq(rig.ask("PUT", "/v1/sys/seal").status, 204);
  Reply status = rig.ask_with("", "GET", "/v1/sys/seal-status");
  cr_expect(status.body["sealed"].as_boolean() && status.body["initialized"].as_boolean());

  for (const Reply& reply :
       {rig.ask("GET", "/v1/secret/data/x"), rig.ask_with(token, "GET", "/v1/secret/data/x"),
        rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"v"}})"),
        rig.ask("LIST", "/v1/secret/metadata"), rig.ask("POST", "/v1/sys/rotate")}) {
    cr_expect_eq(reply.status, 503, "%s", reply.text.c_str());
    cr_expect(reply.error() == "Vault is sealed");
    cr_expect(reply.error(1).starts_with("Rowlock's secret store is sealed"));
  }

  status = give(rig, rig.shares[2]);
  cr_expect_eq(status.status, 200);
  cr_expect_eq(status.body["progress"].as_integer(), 1);
  cr_expect_eq(status.body["t"].as_integer(), 2);
  cr_expect(status.body["sealed"].as_boolean());
  const std::string reset = R"({"reset":true})";
  cr_expect_eq(rig.ask_with("", "PUT", "/v1/sys/unseal", reset).status, 403);
  cr_expect_eq(rig.ask("GET", "/v1/sys/seal-status").body["progress"].as_integer(), 1);
  cr_expect_eq(rig.ask("PUT", "/v1/sys/unseal", reset).body["progress"].as_integer(1), 0);
  give(rig, rig.shares[2]);
  cr_expect_eq(give(rig, rig.shares[2]).body["progress"].as_integer(), 1, "the same one again");
  status = give(rig, rig.shares[0]);
  cr_expect(!status.body["sealed"].as_boolean(true));
  cr_expect_eq(rig.ask_with(token, "GET", "/v1/secret/data/x").status, 200);
}

Test(serve_vault_api_seal, shares_that_were_never_printed_are_in_nobodys_way) {
  ApiRig rig;
  rig.ask("PUT", "/v1/sys/seal");
  const rowlock::SecretBytes other(std::string(32, 'x'));
  const std::vector<std::string> forged = rowlock::split_secret(other, 3, 2);

  give(rig, forged[0]);
  give(rig, rig.shares[0]);
  cr_expect_eq(give(rig, forged[1]).status, 400, "all of a set, and not the key");
  for (int i = 0; i < 200; ++i) give(rig, rowlock::split_secret(other, 3, 2)[0]);
  give(rig, rig.shares[0]);

  cr_expect(!give(rig, rig.shares[1]).body["sealed"].as_boolean(true));
  cr_expect(rig.value("SELECT count(*) FROM audit WHERE operation = 'unseal' AND outcome = "
                      "'failed' AND actor = 'shares'") == "1");
}

Test(serve_vault_api_seal, who_knows_no_nonce_comes_into_nobodys_shares) {
  ApiRig rig;
  rig.ask("PUT", "/v1/sys/seal");
  const auto give_as = [&](const std::string& nonce, const std::string& share) {
    return rig.ask_with("", "PUT", "/v1/sys/unseal",
                        R"({"key":")" + share + R"(","nonce":")" + nonce + R"("})");
  };
  const auto operator_gives = [&](const std::string& share) {
    return rig.ask("PUT", "/v1/sys/unseal", R"({"key":")" + share + R"("})");
  };
  const std::string forged =
      rowlock::split_secret(rowlock::SecretBytes(std::string(32, 'x')), 3, 2)[1];

  const Reply mine = give_as("of-my-own", rig.shares[0]);
  cr_expect_eq(mine.body["progress"].as_integer(), 1);
  cr_expect(mine.body["nonce"].as_string() == "of-my-own");
  cr_expect_eq(give_as("another", rig.shares[0]).body["progress"].as_integer(), 1);
  cr_expect_eq(operator_gives(rig.shares[0]).body["progress"].as_integer(), 1);
  give_as("another", forged);

  // To drop shares takes their nonce, and drops no others.
  const auto reset = [&](const std::string& nonce) {
    return rig.ask_with("", "PUT", "/v1/sys/unseal",
                        R"({"reset":true,"nonce":")" + nonce + R"("})");
  };
  cr_expect_eq(rig.ask_with("", "PUT", "/v1/sys/unseal", R"({"reset":true})").status, 403);
  cr_expect_eq(reset("operator").status, 200);
  cr_expect_eq(reset("another").body["progress"].as_integer(1), 0);
  cr_expect_eq(reset("of-nobody").status, 200);

  cr_expect(!operator_gives(rig.shares[1]).body["sealed"].as_boolean(true));
}

Test(serve_vault_api_seal, what_happened_while_it_was_sealed_is_in_the_audit_log) {
  ApiRig rig;
  rig.ask("PUT", "/v1/sys/seal");
  const std::string sealed_at = rig.value("SELECT max(seq) FROM audit");
  give(rig, "rowlock-share-x");
  give(rig, rig.shares[0]);
  rig.ask("PUT", "/v1/sys/unseal", R"({"reset":true})");
  for (int i = 0; i < 300; ++i) give(rig, "AAAA");
  give(rig, rig.shares[1]);
  give(rig, rig.shares[2]);

  cr_assert(rig.secrets.keyring.is_open());
  const auto lines = [&](const std::string& where) {
    return rig.value("SELECT count(*) FROM audit WHERE operation = 'unseal' AND seq > " +
                     sealed_at + " AND " + where);
  };
  cr_expect(lines("actor = 'loopback' AND detail = 'share 1 of 2'") == "1");
  cr_expect(lines("detail = 'the shares given so far are dropped'") == "1");
  cr_expect(lines("outcome = 'failed' AND actor = 'loopback'") == "198");
  cr_expect(lines("detail = '105 more, not noted one by one'") == "1", "%s",
            rig.value("SELECT group_concat(DISTINCT detail) FROM audit").c_str());
  cr_expect(lines("actor = 'shares' AND outcome = 'allowed'") == "1");
  cr_expect(rig.secrets.audit.verify().ok());
}

Test(serve_vault_api_seal, what_an_unseal_that_was_not_committed_has_noted_is_not_lost) {
  ApiRig rig;
  rig.ask("PUT", "/v1/sys/seal");
  give(rig, "rowlock-share-x");
  const auto lines = [&] {
    return rig.value(
        "SELECT count(*) FROM audit WHERE operation = 'unseal' AND outcome = 'failed'");
  };
  const rowlock::Keyring::Mark sealed = rig.secrets.keyring.mark();
  {
    auto transaction = rowlock::Transaction::begin(rig.state);
    cr_assert(transaction.ok());
    for (const int number : {0, 1}) {
      cr_assert(rig.secrets.seal.give_share(rig.shares[number], "n", "user 0", rig.now_ms).ok());
    }
    cr_expect(rig.secrets.keyring.is_open() && lines() == "1");
  }  // It is not committed.
  rig.secrets.keyring.undo(sealed);
  cr_assert(!rig.secrets.keyring.is_open());
  cr_expect(lines() == "0");

  give(rig, rig.shares[0]);
  give(rig, rig.shares[1]);

  cr_expect(rig.secrets.keyring.is_open());
  cr_expect(lines() == "1");
}

Test(serve_vault_api_seal, is_opened_by_the_key_itself_and_by_no_other) {
  ApiRig rig;
  rig.ask("PUT", "/v1/sys/seal");

  for (const char* body :
       {"{}", R"({"key":""})", R"({"key":"rowlock-share-x"})", R"({"key":"AAAA"})",
        R"({"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})"}) {
    cr_expect_eq(rig.ask_with("", "PUT", "/v1/sys/unseal", body).status, 400, "%s", body);
    cr_expect(!rig.secrets.keyring.is_open());
  }
  cr_expect(!give(rig, rig.unseal_key).body["sealed"].as_boolean(true));
  cr_expect(rig.value("SELECT operation || ' ' || actor FROM audit ORDER BY seq DESC LIMIT 1") ==
            "unseal loopback");
}

Test(serve_vault_api_seal, a_rekey_makes_the_old_key_and_shares_useless) {
  ApiRig rig;
  const Reply made = rig.ask("POST", "/v1/rowlock/rekey",
                             R"({"secret_shares":1,"secret_threshold":1,"return_key":true})");
  cr_assert_eq(made.status, 200, "%s", made.text.c_str());
  const std::string share = made.body["keys"].items()[0].as_string();
  rig.ask("PUT", "/v1/sys/seal");

  cr_expect_eq(give(rig, rig.unseal_key).status, 400);
  give(rig, rig.shares[0]);
  cr_expect_eq(give(rig, rig.shares[1]).status, 400);
  cr_expect(!rig.secrets.keyring.is_open());
  cr_expect(!give(rig, share).body["sealed"].as_boolean(true));
}

Test(serve_vault_api_seal, a_rotation_leaves_everything_readable) {
  ApiRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"v"}})");

  const Reply rotated = rig.ask("PUT", "/v1/sys/rotate");
  cr_expect_eq(rotated.status, 200);
  cr_expect_eq(rotated.data()["data_keys"].as_integer(), 1);
  rig.ask("PUT", "/v1/sys/seal");
  give(rig, rig.unseal_key);
  cr_expect(rig.ask("GET", "/v1/secret/data/x").data()["data"]["k"].as_string() == "v");
}

Test(serve_vault_api_seal, a_rotation_that_fails_changes_nothing_and_seals_nothing) {
  ApiRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"v"}})");
  rig.ask("POST", "/v1/secret/data/y", R"({"data":{"k":"v"}})");
  rig.sql("UPDATE secret_version SET data_key = 'AAAA' WHERE path = 'y'");

  const Reply rotated = rig.ask("PUT", "/v1/sys/rotate");

  cr_expect_eq(rotated.status, 500);
  cr_expect(rotated.text.find("version 1 of y was changed by other hands") != std::string::npos,
            "%s", rotated.text.c_str());
  cr_expect(rig.secrets.keyring.is_open());
  cr_expect_eq(rig.secrets.keyring.keys().size(), 4u);
  cr_expect_eq(rig.ask("GET", "/v1/secret/data/x").status, 200);
}

Test(serve_vault_api_seal, rows_that_are_gone_are_an_error_and_end_nothing) {
  ApiRig rig;
  rig.sql("DELETE FROM secret_config");
  const Reply written = rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"v"}})");
  cr_expect_eq(written.status, 500);
  cr_expect(written.text.find("secret_config is gone") != std::string::npos, "%s",
            written.text.c_str());
  cr_expect_eq(rig.ask("GET", "/v1/secret/config").status, 500);
}

Test(serve_vault_api_seal, the_audit_log_is_verified_on_demand) {
  ApiRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"v"}})");

  Reply report = rig.ask("GET", "/v1/rowlock/audit/verify");
  cr_assert_eq(report.status, 200);
  cr_expect(report.data()["findings"].text() == "[]", "%s", report.text.c_str());
  cr_expect_geq(report.data()["lines"].as_integer(), 2);
  cr_expect(report.body["findings"].text() == "[]");

  rig.sql("UPDATE secret SET max_versions = 1");
  report = rig.ask("POST", "/v1/rowlock/audit/verify");
  cr_expect_neq(report.data()["findings"].items().size(), 0u);
}

Test(serve_vault_api_seal, identities_are_verified_by_published_documents) {
  ApiRig rig;
  for (const auto& [path, member] : std::vector<std::pair<const char*, const char*>>{
           {"/.well-known/openid-configuration", "issuer"},
           {"/.well-known/jwks.json", "keys"},
           {"/v1/identity/oidc/.well-known/openid-configuration", "issuer"},
           {"/v1/identity/oidc/.well-known/keys", "keys"}}) {
    const Reply reply = rig.ask_with("", "GET", path);
    cr_expect_eq(reply.status, 200, "%s", path);
    cr_expect(!reply.body[member].is_null(), "%s", path);
  }
}
