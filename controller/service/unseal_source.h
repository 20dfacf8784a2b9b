// Where the unseal key comes from when nobody is there to type it: a file, an age file with an
// identity to open it, or a command. The key as text is base64; 32 bytes as they are will do as
// well.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <optional>
#include <string>

namespace rowlock {

constexpr std::size_t kUnsealKeyBytes = 32;

// What was said of it; all empty: nothing.
struct UnsealSource {
  std::string key_file;
  std::string age_identity;  // A file of identities; what they open is HOME/unseal.age.
  std::string command;       // For the shell: it prints the key.

  // As given, and where no option was given as the environment says: ROWLOCK_UNSEAL_KEY_FILE, else
  // the credential rowlock-unseal-key of systemd, when there is one.
  UnsealSource with_environment() const;
};

struct UnsealKey {
  std::optional<SecretBytes> bytes;  // kUnsealKeyBytes; absent: no source was named.
  std::string origin;                // "the file /etc/rowlock/key", for the log.
  std::string warning;               // A sentence when others could read it too; else "".
};

// Blocks for as long as the command takes, half a minute at most. Errors are one sentence, without
// anything of the key. Rejected when more than one source was named.
Result<UnsealKey> unseal_key_of(const UnsealSource& source, const std::string& age_file);

// The key in this text. White space around it is no fault.
Result<SecretBytes> read_unseal_key(const SecretBytes& text, const std::string& origin);

}  // namespace rowlock
