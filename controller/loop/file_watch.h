// Tells that something changed in a folder. The folder and not its files: SQLite makes and removes
// the files beside a database as it likes, and a file that is replaced by `mv` is another file
// under the old name.
#pragma once

#include "controller/base/result.h"
#include "controller/loop/loop.h"

#include <functional>
#include <memory>
#include <string>

namespace rowlock {

class FolderHandle;

class FileWatch {
 public:
  // Calls `changed` on the loop thread with the name of the file in the folder that may have
  // changed; empty when the system does not say. A hint only: some are lost, some are told twice,
  // some come before the change can be seen. Not recursive. Fails when the folder is not there; a
  // folder that goes away later is simply silent.
  static Result<std::unique_ptr<FileWatch>> open(
      Loop& loop, const std::string& folder, std::function<void(const std::string& name)> changed);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  explicit FileWatch(std::shared_ptr<FolderHandle> handle);

  std::shared_ptr<FolderHandle> handle_;
};

}  // namespace rowlock
