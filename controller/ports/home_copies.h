// The port to the home itself, as something that is backed up.
//
// Protocol. One call, whenever; both databases may be in use meanwhile. Thread-safe.
#pragma once

#include "controller/base/result.h"
#include "controller/ports/member_writer.h"

#include <atomic>

namespace rowlock {

class BackupFileReader;  // In backup/backup_file.h.

class HomeCopies {
 public:
  virtual ~HomeCopies() = default;

  // Writes the members `desired.db`, `state.db` and, if there is one, `unseal.age`: each database
  // as one transaction saw it, while both are in use.
  virtual Result<> copy(MemberWriter& members, const std::atomic<bool>& ending) = 0;

  // Unpacks such a copy beside the home, looks whether it is one that Rowlock could run from, and
  // takes it away again. Cause::corrupt, with what is wrong, when it is not.
  virtual Result<> try_out(BackupFileReader& backup) = 0;
};

}  // namespace rowlock
