// Tokens: what an asker shows over HTTP in place of a name and a password. Its text is written
// nowhere, state.db knows it by a keyed hash, and its rights count only under another one; to speak
// of one without being able to use it there is its accessor. What may be asked with it is decided
// by its policies (policies.h), when it ends by the view token_now of schema/secrets/token.sql.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"
#include "controller/secrets/keyring.h"
#include "controller/secrets/rights.h"
#include "controller/secrets/secret_store.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct Token {
  std::string hash;
  std::string accessor;
  std::string name;
  std::string kind;      // person | instance | trusted | wrapping
  std::string policies;  // A JSON array; those of now.
  std::optional<std::int64_t> instance;
  std::int64_t created_at_ms = 0;
  std::int64_t ttl_ms = 0;
  std::int64_t expires_at_ms = 0;
  std::int64_t ends_at_ms = 0;
  std::optional<std::int64_t> uses_left;
  std::string wrapped_path;  // Of kind wrapping: what the answer inside was the answer to,
  std::string made_by;       // and the accessor of the token that had it wrapped, "": the operator,
  std::string made_policies = "[]";  // with the policies that it had then.

  Actor actor() const;
};

struct MadeToken {
  std::string text;  // Shown once.
  Token token;
};

struct TokenWish {
  std::string kind = "person";
  // Of a person: anything, kept as on_one_line() says. Of an instance: the instance's. Of kind
  // trusted: begins with "TRUST: ", the row of `trust` with which it ends.
  std::string name;
  std::string policies = "[]";
  std::optional<std::int64_t> instance;
  std::int64_t ttl_ms = 0;      // 0: as long as kMaxTtlMs or max_ttl_ms allow.
  std::int64_t max_ttl_ms = 0;  // With all its renewals; 0: kMaxTtlMs.
  std::optional<std::int64_t> uses;
};

// Who has an answer wrapped; by itself, the operator.
struct TokenMaker {
  std::string accessor = "";
  std::string policies = "[]";  // A JSON array.
};

// For logs and for people, what others wrote: without control characters, not longer than it needs
// to be.
std::string on_one_line(std::string text);

class Tokens {
 public:
  static constexpr std::int64_t kMaxTtlMs = 32LL * 24 * 60 * 60 * 1000;
  static constexpr std::int64_t kListMax = 10000;
  static constexpr std::int64_t kPrunedAtOnceMax = 100;

  Tokens(Database& state, const Schema& schema, const Keyring& keyring, Rights& rights)
      : state_(state), schema_(schema), keyring_(keyring), rights_(rights) {}

  // Of all that follow: within a transaction of the caller's; closed_error() while the keys are
  // not open. One that is expired, used up, revoked, or whose holder has gone is not there:
  // Cause::not_found. One whose row other hands wrote would give rights to whom they like: broken,
  // as are all of them while rows were put back (rights.h).

  // Takes away some of those that have expired, too.
  Result<MadeToken> make(const TokenWish& wish, std::int64_t now_ms);

  Result<Token> find(std::string_view text, std::int64_t now_ms);
  Result<Token> find_by_accessor(const std::string& accessor, std::int64_t now_ms);
  Result<std::vector<std::string>> accessors(std::int64_t now_ms);

  // One use less, of a token whose uses are counted.
  Result<> use(const Token& token);
  // Lives for its ttl again, or for as long as asked, but never beyond its end.
  Result<Token> renew(const Token& token, std::int64_t asked_ms, std::int64_t now_ms);
  Result<> revoke(const Token& token);

  // An answer that can be fetched once, with the token that is returned. What is stored opens with
  // that token alone.
  Result<MadeToken> wrap(std::string_view answer, const std::string& path, std::int64_t ttl_ms,
                         std::int64_t now_ms, const TokenMaker& by = {});
  // Revokes it.
  Result<SecretBytes> unwrap(std::string_view text, std::int64_t now_ms);

 private:
  Result<MadeToken> store(const TokenWish& wish, std::string_view answer, const std::string& path,
                          const TokenMaker& by, std::int64_t now_ms);
  // Its keyed hash, over all that its row says of it; without a row Cause::not_found.
  Result<std::string> mac_of(const std::string& hash, std::string* written = nullptr);
  Result<> sign(const std::string& hash);
  Result<Row> row(std::string_view script, const Values& values);
  Result<Row> row_of(std::string_view text, std::int64_t now_ms);
  std::string hash_of(std::string_view text) const;
  SecretBytes wrapping_key(std::string_view text) const;
  const std::string& script(std::string_view name) const;

  Database& state_;
  const Schema& schema_;
  const Keyring& keyring_;
  Rights& rights_;
};

}  // namespace rowlock
