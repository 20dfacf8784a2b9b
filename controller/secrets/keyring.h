// The keys of the secret store. In state.db each is sealed by the unseal key, which is written
// nowhere; here they are open, in locked memory, from unsealing until sealing.
//
//   unseal key ──seals──▶ keys of keyring: kek ──wraps──▶ data keys of versions ──seal──▶ values
//                                          audit, token, identity
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct Key {
  std::int64_t id = 0;
  std::string purpose;  // kek | audit | token | identity
  std::int64_t created_at_ms = 0;
  SecretBytes bytes;
};

extern const char* const kSealedMessage;

class Keyring {
 public:
  enum class State {
    absent,  // There are no keys yet: `rowlock secret init` makes them.
    sealed,  // There are, and nobody has given the unseal key since the start.
    open,
  };

  // Requires: `state` and `schema` outlive this.
  Keyring(Database& state, const Schema& schema) : state_db_(state), schema_(schema) {}

  // Reads whether there are keys. Called once, at the start; after that state() is right.
  Result<> load();
  State state() const { return state_; }
  bool is_open() const { return state_ == State::open; }
  // What a caller hears who needs keys: kSealedMessage, or that there are none yet.
  // Requires: not open.
  Error closed_error() const;

  // What the keys in memory are at a moment.
  struct Mark {
    std::int64_t changes = 0;
    bool is_open = false;
  };
  // Before calls of which some may not be committed.
  Mark mark() const { return {changes_, is_open()}; }
  // They were: nothing of it is to be undone any more.
  void committed() { earlier_unseal_key_ = SecretBytes(); }
  // After the rows were rolled back to those of the mark: the keys are what they were then, or
  // sealed when that cannot be had. Outside a savepoint that could be rolled back further.
  void undo(const Mark& mark);

  // The calls below write rows: within a transaction of the caller's. When that is not committed
  // after all, call undo().

  // Makes the keys and opens them. Returns the unseal key. Rejected when there are keys.
  Result<SecretBytes> init(std::int64_t now_ms);

  // Rejected when this is not the unseal key.
  Result<> open(const SecretBytes& unseal_key);

  // Holds this key as well, and is open: for a thread of its own.
  void adopt(Key key);

  // Wipes every key.
  void seal();
  void forget();

  // Another unseal key takes the place of the one before, which opens nothing any more.
  // Requires: open.
  Result<SecretBytes> rekey();

  // A newer key of that purpose, which is used from now on. Requires: open.
  Result<> add(const std::string& purpose, std::int64_t now_ms);
  // Drops a key that nothing needs any more. Requires: open.
  Result<> drop(std::int64_t id);

  // Requires: open. Valid until the next call that changes keys.
  const Key& newest(std::string_view purpose) const;
  const Key* find(std::int64_t id) const;
  const std::vector<Key>& keys() const { return keys_; }  // By id.

 private:
  Result<> store(const Key& key, const SecretBytes& unseal_key);
  const std::string& script(std::string_view name) const;

  Database& state_db_;
  const Schema& schema_;
  State state_ = State::absent;
  std::int64_t changes_ = 0;  // Of the keys in memory.
  std::vector<Key> keys_;
  SecretBytes unseal_key_;          // As long as it is open, so that new keys can be sealed,
  SecretBytes earlier_unseal_key_;  // and the one before a rekey that may yet be undone.
};

}  // namespace rowlock
