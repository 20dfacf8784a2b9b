// The port to the folders in memory in which instances find their secrets.
//
// Protocol. write() before the container is created, which mounts path(); put() and write() again
// while it runs; remove() once it has ended. A folder that vanished is told by Cause::not_found of
// put() and by list(). Thread-safe; calls on one folder are made one after the other by the plan.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <string>
#include <vector>

namespace rowlock {

struct SecretFile {
  std::string name;  // Of a-z, A-Z, 0-9, '.', '_' and '-'.
  SecretBytes content;
  int mode = 0400;
  int user = 0;  // Its owner, as numbers that mean something inside the container.
  int group = 0;
};

// Folders of this machine in memory (tmpfs), one for each instance: nothing in them is written to a
// disk but by swapping, and only root and the instance that a folder is mounted into can look
// inside.
class SecretFolders {
 public:
  virtual ~SecretFolders() = default;

  // Makes the folder hold just these files. Each is replaced in one step: whoever reads sees the
  // old or the new one, whole. Broken, with what to do, when this machine has no tmpfs to use.
  virtual Result<> write(const std::string& folder, const std::vector<SecretFile>& files) = 0;

  // Puts one file into a folder that is there, in place of the one of that name. Cause::not_found
  // when the folder is not there.
  virtual Result<> put(const std::string& folder, const SecretFile& file) = 0;

  // With all that is in it. One that is not there counts as removed.
  virtual Result<> remove(const std::string& folder) = 0;

  // The names of the folders there are.
  virtual Result<std::vector<std::string>> list() = 0;

  // Where the folder is, or would be, on this machine: to be mounted.
  virtual Result<std::string> path(const std::string& folder) = 0;

  // Where the launcher is on this machine; it is put there first when it is not.
  virtual Result<std::string> launcher() = 0;
};

}  // namespace rowlock
