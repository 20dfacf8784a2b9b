// Small files that hold keys.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <string>

namespace rowlock {

struct PrivateFile {
  SecretBytes bytes;
  bool is_open_to_others = false;  // Others than its owner can read it.
};

// The whole of it. Rejected when it cannot be read, or is larger than any key.
Result<PrivateFile> read_private_file(const std::string& path);

}  // namespace rowlock
