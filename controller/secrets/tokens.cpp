// Every way to a token goes through row(): it is found by a hash, and its row is believed only with
// the keyed hash over all that stands in it.
#include "controller/secrets/tokens.h"

#include "controller/base/text.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/secrets/canonical.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {

namespace {

constexpr std::string_view kPrefix = "rlk.";
constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kTextBytes = 4 + 43;  // The prefix, and those bytes as base64url.
constexpr std::size_t kAccessorBytes = 16;
constexpr std::size_t kNameColumnsMax = 200;

Error no_token() {
  return {Fault::rejected, Cause::not_found,
          "the token is not known: it has expired, was revoked or used up, or its holder has gone",
          "log in again"};
}

Token token_of(const Row& row) {
  Token token;
  token.hash = row.text("hash");
  token.accessor = row.text("accessor");
  token.name = row.text("name");
  token.kind = row.text("kind");
  token.policies = row.text("policies");
  if (!row.is_null("instance")) {
    token.instance = row.integer("instance");
  }
  token.created_at_ms = row.integer("created_at_ms");
  token.ttl_ms = row.integer("ttl_ms");
  token.expires_at_ms = row.integer("expires_at_ms");
  token.ends_at_ms = row.integer("ends_at_ms");
  if (!row.is_null("uses_left")) {
    token.uses_left = row.integer("uses_left");
  }
  token.wrapped_path = row.text("wrapped_path");
  token.made_by = row.text("made_by");
  token.made_policies = row.text("made_policies");
  return token;
}

}  // namespace

std::string on_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return truncated(text, kNameColumnsMax);
}

Actor Token::actor() const {
  Actor actor;
  actor.name =
      kind == "instance" ? "instance " + name : fmt::format("token {} ({})", accessor, name);
  actor.policies = policies;
  return actor;
}

const std::string& Tokens::script(std::string_view name) const {
  const std::string* text = schema_.script(name);
  CHECK(text != nullptr);
  return *text;
}

std::string Tokens::hash_of(std::string_view text) const {
  return to_hex(keyed_hash(keyring_.newest("token").bytes, {"token", text}));
}

SecretBytes Tokens::wrapping_key(std::string_view text) const {
  return SecretBytes(keyed_hash(keyring_.newest("token").bytes, {"wrapping", text}));
}

Result<std::string> Tokens::mac_of(const std::string& hash, std::string* written) {
  const auto rows = TRY(state_.query(script("token.row"), {{"hash", hash}}));
  if (rows.empty()) {
    return no_token();
  }
  const Row& row = rows.front();
  if (written != nullptr) {
    *written = row.text("mac");
  }
  return mac_of_token(keyring_.newest("token").bytes, row);
}

Result<> Tokens::sign(const std::string& hash) {
  std::string before;
  const auto mac = TRY(mac_of(hash, &before));
  TRY(state_.run(script("token.sign"), {{"hash", hash}, {"mac", mac}}));
  return rights_.token_signed(hash, before, mac);
}

Result<MadeToken> Tokens::make(const TokenWish& wish, std::int64_t now_ms) {
  return store(wish, "", "", {}, now_ms);
}

Result<MadeToken> Tokens::wrap(std::string_view answer, const std::string& path,
                               std::int64_t ttl_ms, std::int64_t now_ms, const TokenMaker& by) {
  TokenWish wish;
  wish.kind = "wrapping";
  wish.name = "wrapping";
  wish.ttl_ms = ttl_ms;
  wish.max_ttl_ms = ttl_ms;
  wish.uses = 1;
  return store(wish, answer, path, by, now_ms);
}

Result<MadeToken> Tokens::store(const TokenWish& wish, std::string_view answer,
                                const std::string& path, const TokenMaker& by,
                                std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  TRY(state_.run(script("token.prune"), {{"now_ms", now_ms}, {"most", kPrunedAtOnceMax}}));
  const std::int64_t most = wish.max_ttl_ms > 0 ? std::min(wish.max_ttl_ms, kMaxTtlMs) : kMaxTtlMs;
  MadeToken made;
  made.text = std::string(kPrefix) + to_base64url(random_bytes(kTokenBytes));
  Token& token = made.token;
  token.hash = hash_of(made.text);
  token.accessor = to_base64url(random_bytes(kAccessorBytes));
  token.name = on_one_line(wish.name);
  token.kind = wish.kind;
  token.policies = wish.policies;
  token.instance = wish.instance;
  token.created_at_ms = now_ms;
  token.ttl_ms = wish.ttl_ms > 0 ? std::min(wish.ttl_ms, most) : most;
  token.expires_at_ms = now_ms + token.ttl_ms;
  token.ends_at_ms = now_ms + most;
  token.uses_left = wish.uses;
  token.wrapped_path = path;
  token.made_by = by.accessor;
  token.made_policies = by.policies;
  std::string wrapped;
  if (!answer.empty()) {
    wrapped = to_base64(seal(wrapping_key(made.text), answer, token.hash));
  }
  const auto number = [](const std::optional<std::int64_t>& given) {
    return given.has_value() ? Value(*given) : Value();
  };
  TRY(state_.run(script("token.make"), {{"hash", token.hash},
                                        {"accessor", token.accessor},
                                        {"name", token.name},
                                        {"kind", token.kind},
                                        {"policies", token.policies},
                                        {"instance", number(token.instance)},
                                        {"now_ms", now_ms},
                                        {"ttl_ms", token.ttl_ms},
                                        {"expires_at_ms", token.expires_at_ms},
                                        {"ends_at_ms", token.ends_at_ms},
                                        {"uses_left", number(token.uses_left)},
                                        {"wrapped", wrapped},
                                        {"wrapped_path", path},
                                        {"made_by", by.accessor},
                                        {"made_policies", by.policies}}));
  TRY(sign(token.hash));
  return made;
}

Result<Row> Tokens::row(std::string_view name, const Values& values) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  const auto rows = TRY(state_.query(script(name), values));
  if (rows.empty()) {
    return no_token();
  }
  TRY(rights_.require_tokens());
  const Row& found = rows.front();
  std::string written;
  const auto mac = TRY(mac_of(found.text("hash"), &written));
  if (!are_equal(mac, written)) {
    return Error{Fault::broken, Cause::other,
                 "the row of a token was changed by other hands: it gives no rights any more",
                 "make another one, and look at who can write to state.db"};
  }
  return found;
}

Result<Row> Tokens::row_of(std::string_view text, std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  if (text.size() != kTextBytes || !text.starts_with(kPrefix)) {
    return no_token();
  }
  return row("token.find", {{"hash", hash_of(text)}, {"now_ms", now_ms}});
}

Result<Token> Tokens::find(std::string_view text, std::int64_t now_ms) {
  auto found = row_of(text, now_ms);
  return found.ok() ? token_of(found.value()) : Result<Token>(found.error());
}

Result<Token> Tokens::find_by_accessor(const std::string& accessor, std::int64_t now_ms) {
  auto found = row("token.find_accessor", {{"accessor", accessor}, {"now_ms", now_ms}});
  return found.ok() ? token_of(found.value()) : Result<Token>(found.error());
}

Result<std::vector<std::string>> Tokens::accessors(std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  const auto rows =
      TRY(state_.query(script("token.accessors"), {{"now_ms", now_ms}, {"most", kListMax}}));
  std::vector<std::string> accessors;
  for (const Row& found : rows) {
    accessors.push_back(found.text("accessor"));
  }
  return accessors;
}

Result<> Tokens::use(const Token& token) {
  if (!token.uses_left.has_value()) {
    return Done{};
  }
  auto used = state_.run(script("token.use"), {{"hash", token.hash}});
  return used.ok() ? sign(token.hash) : used;
}

Result<Token> Tokens::renew(const Token& token, std::int64_t asked_ms, std::int64_t now_ms) {
  if (token.kind == "wrapping") {
    return Error{Fault::rejected, Cause::other, "a wrapping token cannot be renewed", ""};
  }
  const std::int64_t ttl_ms = asked_ms > 0 ? std::min(asked_ms, kMaxTtlMs) : token.ttl_ms;
  TRY(state_.run(script("token.renew"),
                 {{"hash", token.hash}, {"ttl_ms", ttl_ms}, {"now_ms", now_ms}}));
  TRY(sign(token.hash));
  // A token in its last use is not to be found any more, and still lives for this answer.
  Token now = token;
  now.expires_at_ms = std::min(token.ends_at_ms, now_ms + ttl_ms);
  return now;
}

Result<> Tokens::revoke(const Token& token) {
  return state_.run(script("token.revoke"), {{"hash", token.hash}});
}

Result<SecretBytes> Tokens::unwrap(std::string_view text, std::int64_t now_ms) {
  const auto found = TRY(row_of(text, now_ms));
  const Token token = token_of(found);
  if (token.kind != "wrapping") {
    return no_token();
  }
  const auto sealed = from_base64(found.text("wrapped"));
  auto answer = sealed.ok() ? open_seal(wrapping_key(text), sealed.value(), token.hash)
                            : Result<SecretBytes>(sealed.error());
  if (!answer.ok()) {
    return Error{Fault::broken, Cause::other,
                 "what token " + token.accessor + " wraps was changed by other hands", ""};
  }
  TRY(revoke(token));
  return answer;
}

}  // namespace rowlock
