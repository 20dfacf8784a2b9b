// How much the holder of a token may ask for and leave behind, and that what is refused is counted
// where it is not written down.
#include "controller/serve/vault/denials.h"
#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::ApiRig;
using rowlock::Denials;
using rowlock::HttpRequest;
using rowlock::Reply;

namespace {

constexpr std::int64_t kMinuteMs = 60'000;

Reply wrap(ApiRig& rig, const std::string& token, std::size_t bytes) {
  HttpRequest asked = ApiRig::request("POST", "/v1/sys/wrapping/wrap",
                                      fmt::format(R"({{"x":"{}"}})", std::string(bytes, 'a')));
  asked.headers.emplace_back("X-Vault-Token", token);
  asked.headers.emplace_back("X-Vault-Wrap-TTL", "300");
  return rig.ask(std::move(asked));
}

// The line of a token as `rowlock token list` has it.
rowlock::Json looked_up(ApiRig& rig, const std::string& token) {
  const Reply self = rig.ask_with(token, "GET", "/v1/auth/token/lookup-self");
  const std::string accessor = self.data()["accessor"].as_string();
  return rig
      .ask("POST", "/v1/auth/token/lookup-accessor",
           fmt::format(R"({{"accessor":"{}"}})", accessor))
      .data();
}

}  // namespace

Test(serve_vault_api_quota, a_token_makes_so_many_requests_a_minute) {
  ApiRig rig;
  rig.sql("INSERT INTO quota (policy, requests_per_minute) VALUES ('*', 5)");
  const std::string token = rig.token_for("db/*", "read");
  const std::string other = rig.token_for("db/*", "read");

  for (int i = 0; i < 5; ++i) {
    cr_expect_eq(rig.ask_with(token, "GET", "/v1/secret/data/db/x").status, 404);
  }
  HttpRequest asked = ApiRig::request("GET", "/v1/secret/data/db/x", "");
  asked.headers.emplace_back("X-Vault-Token", token);
  auto transaction = rowlock::Transaction::begin(rig.state);
  const auto answer = rig.api.answer(asked, rig.now_ms + 20'000);
  cr_assert(answer.ok() && transaction.ok());
  cr_assert(std::move(transaction).value().commit().ok());

  cr_expect_eq(answer.value().response.status, 429);
  cr_expect(answer.value().response.body.find(
                "this token may make 5 requests a minute, and has: wait, or have "
                "quota.requests_per_minute raised") != std::string::npos,
            "%s", answer.value().response.body.c_str());
  const auto& headers = answer.value().response.headers;
  cr_expect(std::find(headers.begin(), headers.end(),
                      std::pair<std::string, std::string>("Retry-After", "40")) != headers.end());
  cr_expect_eq(rig.ask_with(other, "GET", "/v1/secret/data/db/x").status, 404, "each its own");
  rig.now_ms += kMinuteMs;
  cr_expect_eq(rig.ask_with(token, "GET", "/v1/secret/data/db/x").status, 404);
}

Test(serve_vault_api_quota, the_holders_of_a_policy_share_its_quota) {
  ApiRig rig;
  const std::string token = rig.token_for("db/*", "read");
  const std::string other = rig.token_for("db/*", "read");
  rig.sql("INSERT INTO quota (policy, requests_per_minute) VALUES ('p', 3)");

  rig.ask_with(token, "GET", "/v1/secret/data/db/x");
  rig.ask_with(other, "GET", "/v1/secret/data/db/x");
  rig.ask_with(token, "GET", "/v1/secret/data/db/x");
  const Reply refused = rig.ask_with(other, "GET", "/v1/secret/data/db/x");

  cr_expect_eq(refused.status, 429);
  cr_expect(refused.error().starts_with("the holders of policy 'p' may make 3 requests a minute"));
  rig.sql("UPDATE quota SET requests_per_minute = 4");
  cr_expect_eq(rig.ask_with(other, "GET", "/v1/secret/data/db/x").status, 404, "at once");
}

Test(serve_vault_api_quota, so_much_waits_wrapped_and_no_more) {
  ApiRig rig;
  rig.sql("INSERT INTO quota (policy, wrapped_kb) VALUES ('*', 100)");
  const std::string token = rig.token_for("db/*", "read");

  std::vector<std::string> wrapped;
  Reply reply;
  while ((reply = wrap(rig, token, 20'000)).status == 200) {
    wrapped.push_back(reply.body["wrap_info"]["token"].as_string());
    cr_assert_lt(wrapped.size(), 10u);
  }
  cr_expect_eq(reply.status, 429);
  cr_expect(reply.error().starts_with("this token may have 100 KB wait wrapped, and there are"),
            "%s", reply.error().c_str());
  cr_expect_eq(wrapped.size(), 3u);
  cr_expect_eq(looked_up(rig, token)["wrapped_kb"]["most"].as_integer(), 100);
  cr_expect_geq(looked_up(rig, token)["wrapped_kb"]["taken"].as_integer(), 60);

  // What is wrapped anew stays who had it wrapped's; what was fetched does not.
  const Reply again = rig.ask_with("", "POST", "/v1/sys/wrapping/rewrap",
                                   fmt::format(R"({{"token":"{}"}})", wrapped[0]));
  cr_expect_eq(again.status, 200);
  cr_expect_eq(wrap(rig, token, 20'000).status, 429);
  rig.ask_with(wrapped[1], "POST", "/v1/sys/wrapping/unwrap");
  cr_expect_eq(wrap(rig, token, 20'000).status, 200);
  rig.now_ms += 300'000;
  cr_expect_eq(wrap(rig, token, 20'000).status, 200, "what has expired does not wait");
  cr_expect_eq(rig.ask_with(token, "GET", "/v1/auth/token/lookup-self").status, 200);
}

Test(serve_vault_api_quota, what_was_wrapped_by_all_holders_counts_for_their_policy) {
  ApiRig rig;
  const std::string token = rig.token_for("db/*", "read");
  const std::string other = rig.token_for("db/*", "read");
  rig.sql("INSERT INTO quota (policy, wrapped_kb) VALUES ('p', 50)");

  cr_expect_eq(wrap(rig, token, 20'000).status, 200);
  const Reply refused = wrap(rig, other, 20'000);

  cr_expect_eq(refused.status, 429);
  cr_expect(refused.error().starts_with("the holders of policy 'p' may have 50 KB wait wrapped"));
  cr_expect_eq(rig.ask_with(token, "POST", "/v1/auth/token/revoke-self").status, 204);
  cr_expect_eq(wrap(rig, other, 20'000).status, 429, "it still waits");
}

// What others have wrapped is megabytes, and this is asked on the loop.
Test(serve_vault_api_quota, what_waits_is_counted_without_reading_it) {
  ApiRig rig;
  for (const char* script : {"quota.wrapped", "quota.wrapped_by_policy"}) {
    const auto plan = rig.state.query("EXPLAIN QUERY PLAN " + *rig.schema.script(script));
    cr_assert(plan.ok());
    const std::string first = plan.value().front().text("detail");
    cr_expect(first.find("USING COVERING INDEX token_by_maker") != std::string::npos, "%s: %s",
              script, first.c_str());
  }
}

Test(serve_vault_api_quota, a_list_of_tokens_says_what_each_has_taken) {
  ApiRig rig;
  const std::string token = rig.token_for("db/*", "read");
  for (int i = 0; i < 4; ++i) rig.ask_with(token, "GET", "/v1/secret/data/db/x");

  const rowlock::Json said = looked_up(rig, token);  // Which asks once itself.

  cr_expect_eq(said["requests_in_minute"]["taken"].as_integer(), 5);
  cr_expect_eq(said["requests_in_minute"]["most"].as_integer(), 6000);
  cr_expect(said["requests_in_minute"]["policy"].as_string() == "*");
  cr_expect_eq(said["wrapped_kb"]["taken"].as_integer(-1), 0);
  cr_expect_eq(said["wrapped_kb"]["most"].as_integer(), 4096);

  // The bound that leaves it the least is the one that counts.
  rig.sql("INSERT INTO quota (policy, requests_per_minute) VALUES ('p', 50)");
  const rowlock::Json less = looked_up(rig, token);
  cr_expect_eq(less["requests_in_minute"]["most"].as_integer(), 50);
  cr_expect_eq(less["requests_in_minute"]["taken"].as_integer(), 1);
  cr_expect(less["requests_in_minute"]["policy"].as_string() == "p");
}

Test(serve_vault_api_quota, logins_of_one_count_together) {
  ApiRig rig;
  rig.sql("INSERT INTO quota (policy, requests_per_minute) VALUES ('*', 2)");
  const std::int64_t instance = rig.instance("web", "web-1");
  const std::string jwt = rig.identity(instance);

  cr_expect_eq(rig.log_in("web", jwt).status, 200);
  cr_expect_eq(rig.log_in("web", jwt).status, 200);
  const std::string tokens = rig.value("SELECT count(*) FROM token");
  cr_expect_eq(rig.log_in("web", jwt).status, 429);
  cr_expect(rig.value("SELECT count(*) FROM token") == tokens, "nothing is left of it");
}

Test(serve_vault_api_quota, denials_are_sampled_and_counted) {
  ApiRig rig;
  const std::string token = rig.token_for("db/*", "read");
  const std::string before = rig.value("SELECT max(seq) FROM audit");
  const std::string where = "FROM audit WHERE outcome = 'denied' AND seq > " + before;

  for (int i = 0; i < Denials::kWrittenMax + 40; ++i) {
    cr_expect_eq(rig.ask_with(token, "GET", "/v1/secret/data/other").status, 403);
  }
  for (int i = 0; i < Denials::kWrittenMax + 7; ++i) {
    rig.ask_with("rlk.no-token", "GET", "/v1/secret/data/other");
  }
  cr_expect(rig.value("SELECT count(*) " + where) == std::to_string(2 * Denials::kWrittenMax));
  cr_expect(rig.api.has_left_out());
  cr_assert(rig.api.write_left_out(rig.now_ms).ok());
  cr_expect(rig.api.has_left_out(), "not before the while is over");

  cr_assert(rig.api.write_left_out(rig.now_ms + Denials::kWhileMs).ok());

  cr_expect(!rig.api.has_left_out());
  cr_expect(rig.value("SELECT count(*) " + where +
                      " AND actor LIKE 'token %' AND detail = '40 "
                      "more, not written one by one'") == "1");
  cr_expect(rig.value("SELECT count(*) " + where +
                      " AND actor = 'strangers' AND detail = '7 "
                      "more, not written one by one'") == "1");
  cr_expect(rig.secrets.audit.verify().ok());
}

Test(denials, of_many_askers_none_is_forgotten) {
  Denials denials;
  for (std::size_t i = 0; i < Denials::kAskersMax + 500; ++i) {
    const std::string asker = "token " + std::to_string(i);
    for (int k = 0; k < Denials::kWrittenMax; ++k) (void)denials.may_be_written(asker, 0);
    cr_expect(!denials.may_be_written(asker, 0));
  }
  std::int64_t left_out = 0;
  for (const Denials::LeftOut& each : denials.take_left_out(Denials::kWhileMs)) {
    left_out += each.count;
  }
  const auto others = static_cast<std::int64_t>(500 * (Denials::kWrittenMax + 1));
  cr_expect_eq(left_out,
               static_cast<std::int64_t>(Denials::kAskersMax) + others - Denials::kWrittenMax,
               "%ld", left_out);
  cr_expect(!denials.has_left_out());
}
