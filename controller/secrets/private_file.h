// Small files that hold keys.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <string>

namespace rowlock {

struct PrivateFile {
  SecretBytes bytes;
  bool is_open_to_others = false;  // Others than its owner can read it.
  std::string mend;  // What to do before a key is taken from it; empty: it is its owner's alone.
};

// The whole of it. Rejected when it cannot be read, or is larger than any key.
Result<PrivateFile> read_private_file(const std::string& path);

// A file of age identities, with which everything opens: rejected too, as ssh does with a key, when
// others than its owner can get at it; the hint says what mends that.
Result<SecretBytes> read_identity_file(const std::string& path);

}  // namespace rowlock
