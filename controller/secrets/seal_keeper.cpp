// Each change leaves a line in the audit log, which needs open keys as well. So opening comes first
// and its line after it; when that cannot be written, the keys are sealed again.
#include "controller/secrets/seal_keeper.h"

#include "controller/crypto/cipher.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace rowlock {

namespace {

constexpr std::size_t kAttemptsMax = 64;
constexpr std::size_t kNotedMax = 200;

Result<> check_counts(int shares, int threshold) {
  if (threshold < 1 || shares < threshold || shares > 255) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("{} of {} shares are not possible: the threshold is from 1 to the "
                             "number of shares, which is at most 255",
                             threshold, shares),
                 "the usual is 3 of 5"};
  }
  return Done{};
}

std::string_view name_of(Keyring::State state) {
  switch (state) {
    case Keyring::State::absent: return "absent";
    case Keyring::State::sealed: return "sealed";
    case Keyring::State::open: return "open";
  }
  UNREACHABLE();
}

RecoveryKit kit_of(SecretBytes key, int shares, int threshold) {
  RecoveryKit kit;
  kit.shares = split_secret(key, shares, threshold);
  kit.threshold = threshold;
  kit.unseal_key = std::move(key);
  return kit;
}

}  // namespace

SealStatus SealKeeper::status() const {
  const auto most = std::max_element(
      attempts_.begin(), attempts_.end(),
      [](const Attempt& a, const Attempt& b) { return a.shares.size() < b.shares.size(); });
  if (most == attempts_.end()) return {keyring_.state(), 0, 0};
  return {keyring_.state(), static_cast<int>(most->shares.size()), most->shares.front().threshold};
}

SealStatus SealKeeper::status(const std::string& nonce) const {
  SealStatus status{keyring_.state(), 0, 0};
  for (const Attempt& each : attempts_) {
    const int given = static_cast<int>(each.shares.size());
    if (each.nonce == nonce && given > status.progress) {
      status.progress = given;
      status.threshold = each.shares.front().threshold;
    }
  }
  return status;
}

Result<> SealKeeper::write_row(std::int64_t now_ms, const std::string& detail) {
  const std::string* script = schema_.script("seal.write");
  CHECK(script != nullptr);
  const SealStatus now = status();
  return state_.run(*script, {{"state", std::string(name_of(now.state))},
                              {"progress", std::int64_t{now.progress}},
                              {"threshold", std::int64_t{now.threshold}},
                              {"detail", detail},
                              {"now_ms", now_ms}});
}

Result<> SealKeeper::begin(std::int64_t now_ms, const std::string& detail) {
  TRY(keyring_.load());
  return write_row(now_ms, detail);
}

Result<> SealKeeper::follow(std::int64_t now_ms) {
  const auto said = TRY(state_.scalar(*schema_.script("seal.state")));
  if (text_of(said) == name_of(keyring_.state())) {
    return Done{};
  }
  auto transaction = TRY(Transaction::begin(state_));
  TRY(write_row(now_ms, "a change of its keys could not be written"));
  return std::move(transaction).commit();
}

Result<> SealKeeper::log(const std::string& actor, const std::string& operation,
                         const std::string& detail, std::int64_t now_ms) {
  return audit_.append({actor, operation, "", {}, "allowed", detail, ""}, now_ms);
}

Result<RecoveryKit> SealKeeper::init(int shares, int threshold, const Actor& actor,
                                     std::int64_t now_ms) {
  TRY(check_counts(shares, threshold));
  auto key = TRY(keyring_.init(now_ms));
  TRY(audit_.begin());
  TRY(rights_.opened());
  const std::string detail = fmt::format("{} of {} shares", threshold, shares);
  TRY(log(actor.name, "init", detail, now_ms));
  TRY(write_row(now_ms, ""));
  return kit_of(std::move(key), shares, threshold);
}

// While it is sealed nothing can be written.
void SealKeeper::note(const std::string& actor, const std::string& operation,
                      const std::string& outcome, const std::string& detail, std::int64_t now_ms) {
  if (noted_.size() >= kNotedMax) {
    ++not_noted_;
    return;
  }
  noted_.emplace_back(AuditLine{actor, operation, "", {}, outcome, detail, ""}, now_ms);
}

Result<> SealKeeper::write_noted(std::int64_t now_ms) {
  for (const auto& [line, at_ms] : noted_) {
    TRY(audit_.append(line, at_ms));
  }
  if (not_noted_ == 0) return Done{};
  return audit_.append({"strangers",
                        "unseal",
                        "",
                        {},
                        "failed",
                        fmt::format("{} more, not noted one by one", not_noted_),
                        ""},
                       now_ms);
}

Result<> SealKeeper::unseal(const SecretBytes& key, const std::string& actor, std::int64_t now_ms) {
  if (keyring_.is_open()) {
    return Done{};
  }
  if (auto opened = keyring_.open(key); !opened.ok()) {
    note(actor, "unseal", "failed", opened.error().message, now_ms);
    return opened;
  }
  attempts_.clear();
  Result<> done = write_noted(now_ms);
  if (done.ok()) {
    done = log(actor, "unseal", "", now_ms);
  }
  if (done.ok()) {
    done = rights_.opened();
  }
  if (done.ok()) {
    done = write_row(now_ms, "");
  }
  if (!done.ok()) {
    keyring_.seal();  // Nothing is opened that is not written down.
    return done;
  }
  return done;
}

Result<SealStatus> SealKeeper::give_share(const std::string& text, const std::string& nonce,
                                          const std::string& actor, std::int64_t now_ms) {
  if (keyring_.is_open()) {
    return status();
  }
  if (keyring_.state() == Keyring::State::absent) {
    return Error{Fault::rejected, Cause::other, "there is no secret store to unseal yet",
                 "make one with `rowlock secret init`"};
  }
  auto read = read_share(text);
  if (read.ok() && read.value().bytes.size() != kKeyBytes) {
    read = Error{Fault::rejected, Cause::other, "this is not a share of a secret store's key",
                 "give the line as the recovery kit has it"};
  }
  if (!read.ok()) {
    note(actor, "unseal", "failed", read.error().message, now_ms);
    return read.error();
  }
  Share share = std::move(read).value();
  Attempt& attempt = attempt_of(share, nonce);
  std::vector<Share>& own = attempt.shares;
  const int x = share.x;
  if (std::none_of(own.begin(), own.end(), [x](const Share& given) { return given.x == x; })) {
    own.push_back(std::move(share));
  }
  const int threshold = own.front().threshold;
  note(actor, "unseal", "allowed", fmt::format("share {} of {}", own.size(), threshold), now_ms);
  if (static_cast<int>(own.size()) < threshold) {
    TRY(write_row(now_ms, ""));
    return status(nonce);
  }
  const SecretBytes key = combine_shares(own);
  attempts_.erase(attempts_.begin() + (&attempt - attempts_.data()));
  TRY(unseal(key, "shares", now_ms));
  return status();
}

// The shares that go with it, a new attempt if there are none: of so many, the smallest makes room.
SealKeeper::Attempt& SealKeeper::attempt_of(const Share& share, const std::string& nonce) {
  for (Attempt& each : attempts_) {
    const Share& first = each.shares.front();
    if (each.nonce == nonce && first.set == share.set && first.threshold == share.threshold) {
      return each;
    }
  }
  if (attempts_.size() >= kAttemptsMax) {
    attempts_.erase(std::min_element(
        attempts_.begin(), attempts_.end(),
        [](const Attempt& a, const Attempt& b) { return a.shares.size() < b.shares.size(); }));
  }
  attempts_.push_back({nonce, {}});
  return attempts_.back();
}

Result<> SealKeeper::drop_shares(const std::optional<std::string>& nonce, const std::string& actor,
                                 std::int64_t now_ms) {
  const std::size_t before = attempts_.size();
  std::erase_if(attempts_,
                [&](const Attempt& each) { return !nonce.has_value() || each.nonce == *nonce; });
  if (attempts_.size() < before) {
    note(actor, "unseal", "allowed", "the shares given so far are dropped", now_ms);
  }
  return write_row(now_ms, "");
}

Result<> SealKeeper::seal(const Actor& actor, std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return Done{};
  }
  TRY(log(actor.name, "seal", "", now_ms));
  noted_.clear();
  not_noted_ = 0;
  keyring_.seal();
  return write_row(now_ms, "");
}

Result<RecoveryKit> SealKeeper::rekey(int shares, int threshold, const Actor& actor,
                                      std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  TRY(check_counts(shares, threshold));
  auto key = TRY(keyring_.rekey());
  TRY(audit_.keys_written());
  const std::string detail = fmt::format("{} of {} shares", threshold, shares);
  TRY(log(actor.name, "rekey", detail, now_ms));
  return kit_of(std::move(key), shares, threshold);
}

// What nothing is wrapped by any more goes; identities signed by the key before this one are still
// to be verified for as long as they live, so that one stays until the next time.
Result<> SealKeeper::drop_old_keys() {
  const std::string* script = schema_.script("keyring.used");
  CHECK(script != nullptr);
  const auto used = TRY(state_.query(*script));
  std::set<std::int64_t> kept = {keyring_.newest("kek").id};
  for (const Row& row : used) {
    kept.insert(row.integer("id"));
  }
  std::vector<std::int64_t> identities;
  std::vector<std::int64_t> gone;
  for (const Key& key : keyring_.keys()) {
    if (key.purpose == "identity") {
      identities.push_back(key.id);
    } else if (key.purpose == "kek" && !kept.contains(key.id)) {
      gone.push_back(key.id);
    }
  }
  if (identities.size() > 2) {
    gone.insert(gone.end(), identities.begin(), identities.end() - 2);
  }
  for (const std::int64_t id : gone) {
    TRY(keyring_.drop(id));
  }
  return Done{};
}

Result<std::int64_t> SealKeeper::rotate(const Actor& actor, std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  for (const char* purpose : {"kek", "identity"}) {
    TRY(keyring_.add(purpose, now_ms));
  }
  const auto wrapped = TRY(store_.rewrap());
  TRY(drop_old_keys());
  TRY(audit_.keys_written());
  TRY(state_.run(*schema_.script("seal.rotated"), {{"now_ms", now_ms}}));
  const std::string detail = fmt::format("{} data keys wrapped anew", wrapped);
  TRY(log(actor.name, "rotate", detail, now_ms));
  return wrapped;
}

}  // namespace rowlock
