// The unseal key on the disk: what `init` and `rekey` write for those who want the store opened
// without anybody there. The room for it is taken before the key is made, so that no full disk, no
// missing folder and no file in the way can lose it.
#pragma once

#include "controller/base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

// A new file of mode 0600, on the disk before anything is in it. Removed unless it is kept.
class ReservedFile {
 public:
  // Rejected when there is such a file already.
  static Result<ReservedFile> at(const std::string& path);
  ReservedFile(ReservedFile&& other) noexcept
      : path_(std::exchange(other.path_, "")), fd_(std::exchange(other.fd_, -1)) {}
  ReservedFile& operator=(ReservedFile&&) = delete;
  ~ReservedFile();

  // The whole text, synced; after that the file stays.
  Result<> keep(std::string_view text);
  // In the place of whatever is called so.
  Result<> move_to(const std::string& path);

 private:
  ReservedFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

class KeyFiles {
 public:
  struct Wish {
    std::string key_file;                     // Empty: none.
    std::vector<std::string> age_recipients;  // None: no age file.
    std::string age_file;
    bool replaces = false;  // What is there is replaced once the new key is safe: FILE.new first.
  };

  static Result<KeyFiles> reserve(Wish wish);

  bool are_wanted() const { return key_ || age_; }
  Result<> keep(std::string_view key_as_base64);

 private:
  explicit KeyFiles(Wish wish) : wish_(std::move(wish)) {}
  Wish wish_;
  std::optional<ReservedFile> key_;
  std::optional<ReservedFile> age_;
};

}  // namespace rowlock
