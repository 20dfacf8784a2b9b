// Opening and closing the secret store: its keys are made here, given back by shares or whole,
// wiped, and exchanged. What state it is in stands in the row `seal`, for status and for the plan.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/shamir.h"
#include "controller/secrets/audit.h"
#include "controller/secrets/keyring.h"
#include "controller/secrets/rights.h"
#include "controller/secrets/secret_store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

// What must be kept outside, shown once.
struct RecoveryKit {
  SecretBytes unseal_key;           // 32 bytes.
  std::vector<std::string> shares;  // Any `threshold` of them make the key.
  int threshold = 0;
};

struct SealStatus {
  Keyring::State state = Keyring::State::absent;
  int progress = 0;   // Shares given so far of the set of which there are most,
  int threshold = 0;  // of so many; 0 when it is not known yet.
};

class SealKeeper {
 public:
  SealKeeper(Database& state, const Schema& schema, Keyring& keyring, AuditLog& audit,
             Rights& rights, SecretStore& store)
      : state_(state),
        schema_(schema),
        keyring_(keyring),
        audit_(audit),
        rights_(rights),
        store_(store) {}

  // At the start of a controller: whatever was open is sealed. `detail`: why it could not be opened
  // right away, if it should have been. Within a transaction, as are all that follow.
  Result<> begin(std::int64_t now_ms, const std::string& detail = "");

  // Makes the row say what is so, in a transaction of its own, when it does not: after one that was
  // not committed. Cheap when it does.
  Result<> follow(std::int64_t now_ms);

  // Another number whenever keys were opened, sealed or exchanged.
  std::int64_t changes() const { return keyring_.mark().changes; }

  SealStatus status() const;                          // Of the attempt that has come furthest,
  SealStatus status(const std::string& nonce) const;  // or of one.

  // Requires of shares and threshold: 1 <= threshold <= shares <= 255, else rejected.
  Result<RecoveryKit> init(int shares, int threshold, const Actor& actor, std::int64_t now_ms);

  // Opens with the key itself. An open store counts as opened.
  Result<> unseal(const SecretBytes& key, const std::string& actor, std::int64_t now_ms);

  // One share more of those that were given under the same nonce, which names an attempt to
  // unseal; opens once there are enough of its set. Those of other attempts and sets count for
  // themselves: who knows no nonce of others, or gives shares that were never printed, is in
  // nobody's way. Rejected with a sentence when it is no share, or when all of the set together are
  // not the key: then all of it must be given again. `actor`: who gives it, for the audit log.
  Result<SealStatus> give_share(const std::string& share, const std::string& nonce,
                                const std::string& actor, std::int64_t now_ms);
  // Those of the attempt, of all attempts without one; returned as status() says.
  Result<> drop_shares(const std::optional<std::string>& nonce, const std::string& actor,
                       std::int64_t now_ms);

  Result<> seal(const Actor& actor, std::int64_t now_ms);

  // Another unseal key, and other shares; what they were before opens nothing any more.
  Result<RecoveryKit> rekey(int shares, int threshold, const Actor& actor, std::int64_t now_ms);

  // A newer key for data keys, and every data key wrapped by it; a newer key for identities.
  // Returns how many data keys were wrapped.
  Result<std::int64_t> rotate(const Actor& actor, std::int64_t now_ms);

 private:
  Result<> write_row(std::int64_t now_ms, const std::string& detail);
  Result<> log(const std::string& actor, const std::string& operation, const std::string& detail,
               std::int64_t now_ms);
  Result<> drop_old_keys();
  struct Attempt {
    std::string nonce;
    std::vector<Share> shares;  // Of one set; empty only until the first has been put in.
  };
  Attempt& attempt_of(const Share& share, const std::string& nonce);
  Result<> write_noted(std::int64_t now_ms);
  void note(const std::string& actor, const std::string& operation, const std::string& outcome,
            const std::string& detail, std::int64_t now_ms);

  Database& state_;
  const Schema& schema_;
  Keyring& keyring_;
  AuditLog& audit_;
  Rights& rights_;
  SecretStore& store_;
  std::vector<Attempt> attempts_;  // The one that was begun last at the end.
  // What happened since it was sealed, when nothing could be written, and how much more of it. Kept
  // until it is sealed again: an unseal that is not committed has not written it.
  std::vector<std::pair<AuditLine, std::int64_t>> noted_;
  std::int64_t not_noted_ = 0;
};

}  // namespace rowlock
