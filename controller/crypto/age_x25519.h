// The recipients of age that are X25519 keys: how they are printed, and how a file key is wrapped
// for one of them (age-encryption.org/v1, "The X25519 recipient type"). The key that wraps comes
// from a key pair made for this file alone and the recipient's.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/age_header.h"
#include "controller/crypto/secret_bytes.h"

#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct AgeIdentity {
  SecretBytes secret;
  std::string point;  // Its public key.
};

// The public key in age1….
Result<std::string> read_age_recipient(std::string_view text);

// From lines AGE-SECRET-KEY-1…, comments and blank lines. Rejected, with the line's number, when
// there is anything else, and when there is none at all.
Result<std::vector<AgeIdentity>> read_age_identities(std::string_view text);

// Requires: a point as read_age_recipient gives it.
AgeStanza wrapped_for(std::string_view point, const SecretBytes& file_key);

// The file key of the first stanza that one of the identities opens. Rejected when none does, with
// what would; those of other types are passed over.
Result<SecretBytes> unwrapped(const std::vector<AgeStanza>& stanzas,
                              const std::vector<AgeIdentity>& identities);

}  // namespace rowlock
