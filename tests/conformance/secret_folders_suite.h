// What every SecretFolders must do, the fake and the real one alike.
#pragma once

#include "controller/ports/secret_folders.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

// A file as somebody finds it who may see everything.
struct SeenSecret {
  std::string content;
  int mode = 0;
  int user = 0;
  int group = 0;

  bool operator==(const SeenSecret&) const = default;
};

struct SecretFoldersFixture {
  int user = 0;  // Whom files may be given to.
  int group = 0;
  std::function<std::optional<SeenSecret>(const std::string& folder, const std::string& name)> file;
  std::function<std::vector<std::string>(const std::string& folder)> files;  // Sorted.
};

// Runs every case, each on folders of its own, and removes them. Failures are reported through
// Criterion and name the case. Requires: there are no folders yet.
void check_secret_folders(SecretFolders& folders, const SecretFoldersFixture& fixture);

}  // namespace rowlock
