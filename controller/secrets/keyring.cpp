// Rows and memory change together. A caller whose transaction fails calls undo(), which makes the
// keys in memory those of the rows again, or seals when it cannot.
#include "controller/secrets/keyring.h"

#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {

namespace {

constexpr const char* kPurposes[] = {"kek", "audit", "token", "identity"};

// A key of the ring opens only as what it was sealed as, and in its own place.
std::string bound_of(const Key& key) {
  return fmt::format("keyring/{}/{}/{}", key.purpose, key.id, key.created_at_ms);
}

bool has_every_purpose(const std::vector<Key>& keys) {
  return std::all_of(std::begin(kPurposes), std::end(kPurposes), [&](const char* purpose) {
    return std::any_of(keys.begin(), keys.end(),
                       [&](const Key& key) { return key.purpose == purpose; });
  });
}

}  // namespace

const char* const kSealedMessage = "the secret store is sealed";

Error Keyring::closed_error() const {
  CHECK(state_ != State::open);
  if (state_ == State::absent) {
    return {Fault::transient, Cause::other, "there is no secret store in this home yet",
            "make one with `rowlock secret init`"};
  }
  return {Fault::transient, Cause::other, kSealedMessage,
          "give its key or shares with `rowlock secret unseal`"};
}

const std::string& Keyring::script(std::string_view name) const {
  const std::string* text = schema_.script(name);
  CHECK(text != nullptr);
  return *text;
}

Result<> Keyring::load() {
  const auto rows = TRY(state_db_.query(script("keyring.all")));
  if (state_ != State::open) {
    state_ = rows.empty() ? State::absent : State::sealed;
  }
  return Done{};
}

Result<> Keyring::store(const Key& key, const SecretBytes& unseal_key) {
  return state_db_.run(
      script("keyring.store"),
      {{"id", key.id},
       {"purpose", key.purpose},
       {"created_at_ms", key.created_at_ms},
       {"sealed", to_base64(rowlock::seal(unseal_key, key.bytes.view(), bound_of(key)))}});
}

Result<SecretBytes> Keyring::init(std::int64_t now_ms) {
  if (state_ != State::absent) {
    return Error{Fault::rejected, Cause::other, "the secret store has its keys already",
                 "to exchange them: rowlock secret rekey"};
  }
  SecretBytes unseal_key = SecretBytes::random(kKeyBytes);
  std::int64_t id = 0;
  for (const char* purpose : kPurposes) {
    Key key{++id, purpose, now_ms, SecretBytes::random(kKeyBytes)};
    if (auto stored = store(key, unseal_key); !stored.ok()) {
      seal();
      return stored.error();
    }
    keys_.push_back(std::move(key));
  }
  unseal_key_ = unseal_key.copy();
  state_ = State::open;
  ++changes_;
  return unseal_key;
}

Result<> Keyring::open(const SecretBytes& unseal_key) {
  if (state_ == State::absent) {
    return Error{Fault::rejected, Cause::other, "there is no secret store to unseal yet",
                 "make one with `rowlock secret init`"};
  }
  const auto rows = TRY(state_db_.query(script("keyring.all")));
  std::vector<Key> opened;
  for (const Row& row : rows) {
    Key key{row.integer("id"), row.text("purpose"), row.integer("created_at_ms"), {}};
    const auto sealed = from_base64(row.text("sealed"));
    auto bytes = sealed.ok() && unseal_key.size() == kKeyBytes
                     ? open_seal(unseal_key, sealed.value(), bound_of(key))
                     : Result<SecretBytes>(Error{});
    if (!bytes.ok()) {
      return Error{
          Fault::rejected, Cause::other,
          "this is not the key of this secret store, or its rows in `keyring` were changed",
          "after a rekey only the newest kit or key file opens it"};
    }
    key.bytes = std::move(bytes).value();
    opened.push_back(std::move(key));
  }
  if (!has_every_purpose(opened)) {
    return Error{Fault::broken, Cause::other, "rows of `keyring` were taken away by other hands",
                 "put back a copy of state.db"};
  }
  keys_ = std::move(opened);
  unseal_key_ = unseal_key.copy();
  state_ = State::open;
  ++changes_;
  return Done{};
}

void Keyring::undo(const Mark& mark) {
  if (changes_ == mark.changes) {
    return;
  }
  const SecretBytes latest = unseal_key_.copy();
  const SecretBytes earlier = earlier_unseal_key_.copy();
  forget();
  (void)load().ok();  // What cannot be read is taken for sealed, below and by whoever asks next.
  if (mark.is_open && !open(latest).ok()) {
    (void)open(earlier).ok();
  }
}

void Keyring::adopt(Key key) {
  ++changes_;
  keys_.push_back(std::move(key));
  state_ = State::open;
}

void Keyring::seal() {
  ++changes_;
  keys_.clear();
  unseal_key_ = SecretBytes();
  earlier_unseal_key_ = SecretBytes();
  if (state_ == State::open) {
    state_ = State::sealed;
  }
}

void Keyring::forget() {
  seal();
  state_ = State::absent;
}

Result<SecretBytes> Keyring::rekey() {
  CHECK(is_open());
  SecretBytes unseal_key = SecretBytes::random(kKeyBytes);
  for (const Key& key : keys_) {
    TRY(store(key, unseal_key));
  }
  ++changes_;
  earlier_unseal_key_ = std::move(unseal_key_);
  unseal_key_ = unseal_key.copy();
  return unseal_key;
}

Result<> Keyring::add(const std::string& purpose, std::int64_t now_ms) {
  CHECK(is_open());
  const auto id = TRY(state_db_.scalar(script("keyring.next")));
  Key key{std::get<std::int64_t>(id), purpose, now_ms, SecretBytes::random(kKeyBytes)};
  TRY(store(key, unseal_key_));
  ++changes_;
  keys_.push_back(std::move(key));
  return Done{};
}

Result<> Keyring::drop(std::int64_t id) {
  CHECK(is_open());
  ++changes_;
  std::erase_if(keys_, [id](const Key& key) { return key.id == id; });
  return state_db_.run(script("keyring.drop"), {{"id", id}});
}

const Key& Keyring::newest(std::string_view purpose) const {
  const auto found = std::find_if(keys_.rbegin(), keys_.rend(),
                                  [&](const Key& key) { return key.purpose == purpose; });
  CHECK(found != keys_.rend());
  return *found;
}

const Key* Keyring::find(std::int64_t id) const {
  const auto found =
      std::find_if(keys_.begin(), keys_.end(), [id](const Key& key) { return key.id == id; });
  return found == keys_.end() ? nullptr : &*found;
}

}  // namespace rowlock
