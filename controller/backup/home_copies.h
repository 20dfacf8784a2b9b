// The port HomeCopies for a home in a folder.
#pragma once

#include "controller/ports/home_copies.h"
#include "controller/ports/member_writer.h"

#include <string>

namespace rowlock {

class FolderCopies : public HomeCopies {
 public:
  explicit FolderCopies(std::string folder) : folder_(std::move(folder)) {}

  Result<> copy(MemberWriter& members, const std::atomic<bool>& ending) override;
  Result<> try_out(BackupFileReader& backup) override;

 private:
  std::string folder_;
};

}  // namespace rowlock
