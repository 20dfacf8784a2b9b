// Tokens: how long they live, with whom they end, and that nothing of them is in the file.
#include "controller/secrets/tokens.h"

#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>

using rowlock::ApiRig;
using rowlock::Cause;
using rowlock::MadeToken;
using rowlock::Tokens;
using rowlock::TokenWish;

namespace {

MadeToken made(ApiRig& rig, const TokenWish& wish) {
  auto token = rig.secrets.tokens.make(wish, rig.now_ms);
  cr_assert(token.ok(), "%s", token.ok() ? "" : token.error().message.c_str());
  return std::move(token).value();
}

TokenWish person(std::int64_t ttl_ms) {
  TokenWish wish;
  wish.name = "anna";
  wish.policies = R"(["ops"])";
  wish.ttl_ms = ttl_ms;
  return wish;
}

bool is_known(ApiRig& rig, const std::string& text) {
  const auto found = rig.secrets.tokens.find(text, rig.now_ms);
  cr_assert(found.ok() || found.error().cause == Cause::not_found);
  return found.ok();
}

}  // namespace

Test(secrets_tokens, is_found_by_its_text_until_it_expires) {
  ApiRig rig;
  const MadeToken token = made(rig, person(1000));

  cr_expect(token.text.starts_with("rlk."));
  cr_expect_eq(token.text.size(), 47u);
  cr_expect(is_known(rig, token.text));
  const auto found = rig.secrets.tokens.find(token.text, rig.now_ms);
  cr_expect(found.value().policies == R"(["ops"])");
  cr_expect(found.value().actor().name == "token " + token.token.accessor + " (anna)");
  cr_expect(!is_known(rig, token.text + "x"));
  cr_expect(!is_known(rig, "rlk." + std::string(43, 'A')));
  cr_expect(!is_known(rig, ""));

  rig.now_ms += 1000;
  cr_expect(!is_known(rig, token.text));
}

Test(secrets_tokens, its_text_is_not_in_the_file) {
  ApiRig rig;
  const MadeToken token = made(rig, person(1000));

  const std::string random = token.text.substr(4);
  for (const char* file : {"state.db", "state.db-wal"}) {
    cr_expect(rowlock::contents(rig.folder / file).find(random) == std::string::npos, "%s", file);
  }
}

Test(secrets_tokens, is_renewed_but_not_beyond_its_end) {
  ApiRig rig;
  TokenWish wish = person(1000);
  wish.max_ttl_ms = 2500;
  const MadeToken token = made(rig, wish);

  rig.now_ms += 900;
  auto renewed = rig.secrets.tokens.renew(token.token, 0, rig.now_ms);
  cr_assert(renewed.ok());
  cr_expect_eq(renewed.value().expires_at_ms, ApiRig::kStartMs + 1900);
  renewed = rig.secrets.tokens.renew(token.token, 1'000'000'000, rig.now_ms);
  cr_assert(renewed.ok());
  cr_expect_eq(renewed.value().expires_at_ms, ApiRig::kStartMs + 2500);

  rig.now_ms = ApiRig::kStartMs + 2499;
  cr_expect(is_known(rig, token.text));
  rig.now_ms += 1;
  cr_expect(!is_known(rig, token.text));
}

Test(secrets_tokens, nothing_lives_longer_than_32_days) {
  ApiRig rig;
  TokenWish wish = person(10 * Tokens::kMaxTtlMs);
  wish.max_ttl_ms = 10 * Tokens::kMaxTtlMs;

  for (const MadeToken& token : {made(rig, wish), made(rig, person(0))}) {
    cr_expect_eq(token.token.expires_at_ms, rig.now_ms + Tokens::kMaxTtlMs);
    const auto renewed =
        rig.secrets.tokens.renew(token.token, 10 * Tokens::kMaxTtlMs, rig.now_ms + 5);
    cr_assert(renewed.ok());
    cr_expect_eq(renewed.value().expires_at_ms, rig.now_ms + Tokens::kMaxTtlMs);
  }
}

Test(secrets_tokens, can_be_used_so_many_times) {
  ApiRig rig;
  TokenWish wish = person(1000);
  wish.uses = 2;
  const MadeToken token = made(rig, wish);

  cr_expect(is_known(rig, token.text));
  cr_assert(rig.secrets.tokens.use(token.token).ok());
  cr_expect(is_known(rig, token.text));
  cr_assert(rig.secrets.tokens.use(token.token).ok());
  cr_expect(!is_known(rig, token.text));
}

Test(secrets_tokens, is_revoked_by_itself_and_by_its_accessor) {
  ApiRig rig;
  const MadeToken one = made(rig, person(1000));
  const MadeToken other = made(rig, person(1000));
  cr_expect_eq(rig.secrets.tokens.accessors(rig.now_ms).value().size(), 2u);

  const auto found = rig.secrets.tokens.find_by_accessor(one.token.accessor, rig.now_ms);
  cr_assert(found.ok());
  cr_assert(rig.secrets.tokens.revoke(found.value()).ok());

  cr_expect(!is_known(rig, one.text));
  cr_expect(!rig.secrets.tokens.find_by_accessor(one.token.accessor, rig.now_ms).ok());
  cr_expect(is_known(rig, other.text));
  cr_expect(rig.secrets.tokens.accessors(rig.now_ms).value() ==
            std::vector<std::string>{other.token.accessor});
}

Test(secrets_tokens, of_an_instance_ends_with_it_and_has_the_policies_its_job_has_now) {
  ApiRig rig;
  TokenWish wish;
  wish.kind = "instance";
  wish.name = "web-0";
  wish.instance = rig.instance("web", "web-0");
  const MadeToken token = made(rig, wish);

  cr_expect(rig.secrets.tokens.find(token.text, rig.now_ms).value().policies == "[]");
  rig.sql("INSERT INTO job_policy VALUES ('web', 'db'), ('web', 'app'), ('api', 'api')");
  const auto found = rig.secrets.tokens.find(token.text, rig.now_ms);
  cr_expect(found.value().policies == R"(["app","db"])");
  cr_expect(found.value().actor().name == "instance web-0");
  rig.sql("DELETE FROM job_policy WHERE policy = 'db'");
  cr_expect(rig.secrets.tokens.find(token.text, rig.now_ms).value().policies == R"(["app"])");

  rig.sql("UPDATE instance SET run = 0");
  cr_expect(!is_known(rig, token.text));
}

Test(secrets_tokens, of_somebody_trusted_ends_with_the_row_of_trust) {
  ApiRig rig;
  rig.sql(
      "INSERT INTO trust (name, issuer, audience, claims, keys) "
      "VALUES ('ci', 'i', 'a', '{\"sub\":\"*\"}', '/keys')");
  TokenWish wish;
  wish.kind = "trusted";
  wish.name = "ci: repo:school/api";
  const MadeToken token = made(rig, wish);

  cr_expect(is_known(rig, token.text));
  rig.sql("UPDATE trust SET name = 'ci-2'");
  cr_expect(!is_known(rig, token.text));
}

Test(secrets_tokens, of_somebody_trusted_may_what_its_row_says_now_and_is_not_a_later_rows) {
  ApiRig rig;
  rig.sql(
      "INSERT INTO policy (name, path) VALUES ('all', '*'), ('one', 'db/one');"
      "INSERT INTO trust (name, issuer, audience, claims, keys, policies) "
      "VALUES ('ci', 'i', 'a', '{\"sub\":\"*\"}', '/keys', '[\"all\"]')");
  TokenWish wish;
  wish.kind = "trusted";
  wish.name = "ci: repo:school/api";
  wish.policies = "[\"all\"]";
  const MadeToken token = made(rig, wish);

  rig.sql("UPDATE trust SET policies = '[\"one\"]'");
  const auto found = rig.secrets.tokens.find(token.text, ApiRig::kStartMs);
  cr_assert(found.ok());
  cr_expect(found.value().policies == "[\"one\"]", "%s", found.value().policies.c_str());
  rig.sql(
      "DELETE FROM trust; INSERT INTO trust (name, issuer, audience, claims, keys) "
      "VALUES ('ci', 'another', 'a', '{\"sub\":\"*\"}', '/keys')");
  cr_expect(!is_known(rig, token.text));
}

Test(secrets_tokens, a_wrapped_answer_is_fetched_once_and_opens_with_its_token_alone) {
  ApiRig rig;
  const auto token = rig.secrets.tokens.wrap("the answer", "secret/data/x", 1000, rig.now_ms);
  const auto other = rig.secrets.tokens.wrap("another", "secret/data/y", 1000, rig.now_ms);
  cr_assert(token.ok() && other.ok());
  cr_expect(rig.value("SELECT group_concat(wrapped, '') FROM token").find("answer") ==
            std::string::npos);

  auto answer = rig.secrets.tokens.unwrap(token.value().text, rig.now_ms);
  cr_assert(answer.ok());
  cr_expect(answer.value().view() == "the answer");
  answer = rig.secrets.tokens.unwrap(token.value().text, rig.now_ms);
  cr_expect(!answer.ok() && answer.error().cause == Cause::not_found);

  rig.sql("UPDATE token SET wrapped = substr(wrapped, 1, 20) || 'AAAA' || substr(wrapped, 25)");
  answer = rig.secrets.tokens.unwrap(other.value().text, rig.now_ms);
  cr_expect(!answer.ok() && answer.error().fault == rowlock::Fault::broken);
}

Test(secrets_tokens, that_have_expired_are_taken_away_when_others_are_made) {
  ApiRig rig;
  for (int i = 0; i < 5; ++i) {
    made(rig, person(1000));
  }
  const MadeToken lasting = made(rig, person(10'000));

  rig.now_ms += 5000;
  made(rig, person(1000));

  cr_expect(rig.value("SELECT count(*) FROM token") == "2");
  cr_expect(is_known(rig, lasting.text));
}

Test(secrets_tokens, cannot_be_told_while_the_keys_are_sealed) {
  ApiRig rig;
  const MadeToken token = made(rig, person(1000));
  rig.secrets.keyring.seal();

  const auto found = rig.secrets.tokens.find(token.text, rig.now_ms);

  cr_assert(!found.ok());
  cr_expect(found.error().message == rowlock::kSealedMessage);
  cr_expect(!rig.secrets.tokens.make(person(1), rig.now_ms).ok());
}
