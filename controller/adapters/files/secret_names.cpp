// The names come from rows that people write, so each is checked letter by letter before it becomes
// part of a path.
#include "controller/adapters/files/secret_names.h"

#include <algorithm>
#include <set>

namespace rowlock {

namespace {

constexpr std::size_t kFolderBytesMax = 200;  // Leaves room for what is put beside it.
constexpr std::size_t kNameBytesMax = 255;    // NAME_MAX.
constexpr int kModeMax = 0777;

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_file_name(std::string_view name) {
  const auto fits = [](char c) {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kNameBytesMax && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), fits);
}

Error unfit(const std::string& what, const std::string& hint) {
  return Error{Fault::rejected, Cause::other, what, hint};
}

}  // namespace

bool is_secret_folder_name(std::string_view name) {
  const auto fits = [](char c) { return is_lower_or_digit(c) || c == '-'; };
  return !name.empty() && name.size() <= kFolderBytesMax &&
         std::all_of(name.begin(), name.end(), fits);
}

Result<> check_secret_folder(const std::string& folder) {
  if (is_secret_folder_name(folder)) return Done{};
  return unfit("secret folder \"" + folder + "\": not a name for a folder",
               "use up to " + std::to_string(kFolderBytesMax) + " characters of a-z, 0-9 and '-'");
}

Result<> check_secret_file(const std::string& folder, const SecretFile& file) {
  if (auto good = check_secret_folder(folder); !good.ok()) return good;
  const std::string what = "secret folder " + folder + ": file \"" + file.name + "\": ";
  if (!is_file_name(file.name)) {
    return unfit(what + "not a name for a file",
                 "use up to " + std::to_string(kNameBytesMax) +
                     " characters of a-z, A-Z, 0-9, '.', '_' and '-'");
  }
  if (file.mode < 0 || file.mode > kModeMax || file.user < 0 || file.group < 0) {
    return unfit(what + "no such mode, user or group",
                 "a mode is 0 to 0777, a user and a group a number from 0");
  }
  return Done{};
}

Result<> check_secret_files(const std::string& folder, const std::vector<SecretFile>& files) {
  if (auto good = check_secret_folder(folder); !good.ok()) return good;
  std::set<std::string> names;
  for (const SecretFile& file : files) {
    if (auto good = check_secret_file(folder, file); !good.ok()) return good;
    if (!names.insert(file.name).second) {
      return unfit("secret folder " + folder + ": file \"" + file.name + "\": named twice",
                   "give each file of an instance a name of its own");
    }
  }
  return Done{};
}

}  // namespace rowlock
