// Nothing is added to a proof that was not found true first: what other hands wrote would become
// true by it. Only an acceptance replaces the hashes of policies, since it has compared every row.
#include "controller/secrets/rights.h"

#include "controller/base/utf8.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/secrets/canonical.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr std::string_view kTables[] = {"policy", "job_policy", "trust", "api"};
constexpr std::size_t kHashChars = 64;

Error policies_changed(std::string_view table) {
  return {Fault::broken, Cause::other,
          fmt::format("rows of {} in state.db were changed by other hands: no policy gives any "
                      "rights until desired.db is accepted anew",
                      table),
          "Rowlock tries that by itself; edit desired.db if it is refused, and look at who can "
          "write to state.db"};
}

Error tokens_changed() {
  return {Fault::broken, Cause::other,
          "rows of token in state.db were added, put back or changed by other hands: no token "
          "gives any rights",
          "end them all with `rowlock token revoke --all`, make new ones, and look at who can "
          "write to state.db"};
}

}  // namespace

const std::string& Rights::script(std::string_view name) const {
  const std::string* text = schema_.script(name);
  CHECK(text != nullptr);
  return *text;
}

// ---- What comes from desired.db -----------------------------------------------------------------

// One after the other, in the order of kTables.
Result<std::string> Rights::hashes_of_policies() {
  const SecretBytes& key = keyring_.newest("audit").bytes;
  std::string hashes;
  for (const std::string_view table : kTables) {
    const auto rows = TRY(state_.query(script(fmt::format("rights.{}", table))));
    std::string all;
    for (const Row& row : rows) {
      const std::string one = canonical(row, "");
      all += fmt::format("{}:{}", one.size(), one);
    }
    hashes += to_hex(keyed_hash(key, {"rights", table, all}));
  }
  return hashes;
}

Result<> Rights::accepted() {
  policies_known_at_.reset();
  if (!keyring_.is_open()) {
    policies_known_at_ = TRY(state_.data_version());
    return Done{};
  }
  auto written = audit_.proofs();
  if (!written.ok()) {
    return Done{};  // Nothing is released by a head that other hands wrote: edits go on.
  }
  AuditProofs proofs = std::move(written).value();
  const auto hashes = TRY(hashes_of_policies());
  if (hashes == proofs.rights) {
    return Done{};
  }
  proofs.rights = hashes;
  return audit_.prove(proofs);
}

Result<> Rights::opened() {
  AuditProofs proofs = TRY(audit_.proofs());
  const AuditProofs before = proofs;
  const auto at = TRY(state_.data_version());
  if (policies_known_at_ == at || proofs.rights.empty()) {
    proofs.rights = TRY(hashes_of_policies());
    policies_known_at_ = at;
  }
  if (proofs.tokens.empty()) {
    bool is_back = false;
    proofs.tokens = TRY(sum_of_tokens(is_back));
  }
  const bool is_same = proofs.rights == before.rights && proofs.tokens == before.tokens;
  return is_same ? Result<>(Done{}) : audit_.prove(proofs);
}

Result<> Rights::compare_policies() {
  const auto proofs = TRY(audit_.proofs());
  const auto hashes = TRY(hashes_of_policies());
  for (std::size_t i = 0; i < std::size(kTables); ++i) {
    const std::string now = hashes.substr(i * kHashChars, kHashChars);
    const bool is_there = proofs.rights.size() == hashes.size();
    if (!is_there || !are_equal(now, proofs.rights.substr(i * kHashChars, kHashChars))) {
      return policies_changed(kTables[i]);
    }
  }
  return Done{};
}

Result<> Rights::require_policies() {
  if (!keyring_.is_open()) {
    return Done{};
  }
  const auto at = TRY(state_.data_version());
  if (policies_known_at_ != at) {
    policies_known_at_.reset();
    TRY(compare_policies());
    policies_known_at_ = at;
  }
  return Done{};
}

// ---- Tokens -------------------------------------------------------------------------------------

// What a row adds to the sum. It stands nowhere: who could see it could choose rows whose shares
// cancel each other out.
std::string Rights::share_of(const std::string& hash, const std::string& mac) const {
  return to_hex(keyed_hash(keyring_.newest("audit").bytes, {"token", hash, mac}));
}

Result<std::string> Rights::sum_of_tokens(bool& is_back) {
  std::string sum = kNoSum;
  std::string after;
  while (true) {
    const auto rows = TRY(state_.query(script("rights.tokens"), {{"hash", after}}));
    if (rows.empty()) break;
    for (const Row& row : rows) {
      sum = exclusive_or(sum, share_of(row.text("hash"), row.text("mac")));
    }
    after = rows.back().text("hash");
  }
  return add_gone(std::move(sum), is_back);
}

// Those that have gone and are in the sum of the head yet. One of them that is there was put back.
Result<std::string> Rights::add_gone(std::string sum, bool& is_back) {
  std::string after;
  while (true) {
    const auto rows = TRY(state_.query(script("rights.gone"), {{"hash", after}}));
    if (rows.empty()) return sum;
    for (const Row& row : rows) {
      sum = exclusive_or(sum, share_of(row.text("hash"), row.text("mac")));
      is_back = is_back || row.integer("is_back") != 0;
    }
    after = rows.back().text("hash");
  }
}

Result<> Rights::compare_tokens() {
  const auto proofs = TRY(audit_.proofs());
  bool is_back = false;
  const auto sum = TRY(sum_of_tokens(is_back));
  return is_back || !are_equal(sum, proofs.tokens) ? Result<>(tokens_changed()) : Done{};
}

Result<> Rights::require_tokens() {
  if (!keyring_.is_open()) {
    return Done{};
  }
  const auto at = TRY(state_.data_version());
  if (tokens_known_at_ != at) {
    tokens_known_at_.reset();
    TRY(compare_tokens());
    tokens_known_at_ = at;
  }
  return Done{};
}

Result<> Rights::token_signed(const std::string& hash, const std::string& before,
                              const std::string& mac) {
  AuditProofs proofs = TRY(audit_.proofs());
  if (!before.empty()) {
    proofs.tokens = exclusive_or(proofs.tokens, share_of(hash, before));
  }
  proofs.tokens = exclusive_or(proofs.tokens, share_of(hash, mac));
  return audit_.prove(proofs);
}

Result<> Rights::end_tokens() {
  AuditProofs proofs = TRY(audit_.proofs());
  TRY(state_.run(script("rights.end_tokens")));
  proofs.tokens = kNoSum;
  return audit_.prove(proofs);
}

// Requires: tokens are true. Rows of other hands in token_gone would else take out of the sum what
// is not in it, and let it in again.
Result<> Rights::take_gone_out() {
  AuditProofs proofs = TRY(audit_.proofs());
  const auto rows = TRY(state_.query(script("rights.gone"), {{"hash", ""}}));
  for (const Row& row : rows) {
    proofs.tokens = exclusive_or(proofs.tokens, share_of(row.text("hash"), row.text("mac")));
    TRY(state_.run(script("rights.gone_from_sum"), {{"hash", row.text("hash")}}));
  }
  return audit_.prove(proofs);
}

// ---- Saying so ----------------------------------------------------------------------------------

// True when it was not said before. The log has it as well, if it can be written to at all.
Result<bool> Rights::tell(const std::string& of, const Result<>& found, std::int64_t now_ms) {
  const std::string detail = found.ok() ? "" : found.error().message + ": " + found.error().hint;
  const auto said = TRY(state_.scalar(script("rights.doubt"), {{"of", of}}));
  if (text_of(said) == detail) {
    return false;
  }
  auto transaction = TRY(Transaction::begin(state_));
  TRY(state_.run(script("rights.doubt.set"), {{"of", of}, {"detail", detail}, {"now_ms", now_ms}}));
  if (audit_.proofs().ok()) {
    const std::string outcome = found.ok() ? "allowed" : "denied";
    TRY(audit_.append({"rowlock", "verify", of, {}, outcome, detail, ""}, now_ms));
  }
  TRY(std::move(transaction).commit());
  return true;
}

Result<bool> Rights::follow(std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return false;
  }
  const auto tokens = require_tokens();
  TRY(tell("tokens", tokens, now_ms));
  if (tokens.ok() && std::get<std::int64_t>(TRY(state_.scalar(script("rights.has_gone")))) != 0) {
    auto transaction = TRY(Transaction::begin(state_));
    if (require_tokens().ok()) {
      TRY(take_gone_out());
    }
    TRY(std::move(transaction).commit());
  }
  const auto policies = require_policies();
  const auto is_new = TRY(tell("policies", policies, now_ms));
  return is_new && !policies.ok();
}

Result<> Rights::verify(std::vector<std::string>& findings) {
  const auto proofs = audit_.proofs();
  if (!proofs.ok()) {
    return Done{};  // The head itself is a finding.
  }
  if (auto compared = compare_policies(); !compared.ok()) {
    findings.push_back(compared.error().message);
  }
  if (auto compared = compare_tokens(); !compared.ok()) {
    findings.push_back(compared.error().message);
    const auto over = TRY(state_.query(script("rights.over")));
    for (const Row& row : over) {
      findings.push_back("token " + row.text("accessor") +
                         " is there, and the log says that it was revoked or fetched");
    }
  }
  // The sum says nothing of the other columns, which the mac is over.
  const SecretBytes& key = keyring_.newest("token").bytes;
  std::string after;
  while (findings.size() < AuditReport::kFindingsMax) {
    const auto rows = TRY(state_.query(script("rights.tokens"), {{"hash", after}}));
    if (rows.empty()) break;
    for (const Row& each : rows) {
      after = each.text("hash");
      for (const Row& row : TRY(state_.query(script("token.row"), {{"hash", after}}))) {
        if (!are_equal(each.text("mac"), mac_of_token(key, row))) {
          findings.push_back("the row of token " + utf8_sanitised(row.text("accessor")) +
                             " is not what was written");
        }
      }
    }
  }
  return Done{};
}

}  // namespace rowlock
