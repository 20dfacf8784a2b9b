// The folders and names that a store of files is made of, and what goes wrong with them, in one
// sentence.
#pragma once

#include "controller/base/open_file.h"
#include "controller/base/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <utility>

namespace rowlock {

// The call on the store in `folder` that failed with errno `code`.
Error store_file_error(const std::string& attempt, const std::string& folder, int code);

// The key's last part, and what is before it, without a slash.
std::pair<std::string, std::string> folder_and_name(const std::string& key);

// Opens the folder below `root`, following no symbolic link; with `makes`, what is absent is made,
// and synced. Not open, and errno says why, when that fails.
OpenFile open_folder(const OpenFile& root, const std::string& path, bool makes);

// Beside an object's name while it is written: who writes it, and since when. No key has a '~'.
struct PartName {
  std::string name;  // Of the object, its last part.
  std::string host;  // The machine's name, shortened.
  std::int64_t process = 0;
  std::int64_t begun_at_ms = 0;
  std::string random;
};

PartName part_name_for(const std::string& name, std::int64_t now_ms);
std::string text_of(const PartName& part);
std::optional<PartName> read_part_name(std::string_view file);

// Everything below `root`, each by its path, that is a file; at most `files_max`. The walk ends
// with the first error of `take`.
struct FoundFile {
  std::string folder;  // Without a slash at its end; empty: the root.
  std::string name;
  struct stat status;
};
Result<> walk_files(const OpenFile& root, const std::string& attempt, const std::string& shown,
                    const std::function<Result<>(const OpenFile& folder, const FoundFile&)>& take);

}  // namespace rowlock
