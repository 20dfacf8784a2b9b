// A map changed in the person's own editor, without any of it reaching a disk: the file is in
// memory alone (tmpfs), in a folder that only this user can open, and is overwritten and removed
// afterwards, whatever became of the editor.
#pragma once

#include "controller/base/json.h"
#include "controller/base/result.h"

#include <optional>
#include <string>

namespace rowlock {

// A folder in memory, of mode 0700. All that is in it goes with it.
class PrivateFolder {
 public:
  // Under $XDG_RUNTIME_DIR or /dev/shm. Rejected when neither is in memory.
  static Result<PrivateFolder> make();
  PrivateFolder(PrivateFolder&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  PrivateFolder& operator=(PrivateFolder&&) = delete;
  ~PrivateFolder();

  const std::string& path() const { return path_; }

 private:
  explicit PrivateFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// The text as $VISUAL, $EDITOR or vi left it. Nothing when a signal ended that. `name` is the
// file's. Rejected when the editor says that it failed.
Result<std::optional<std::string>> edited(const std::string& text, const std::string& name);

// How a map is shown in the editor: KEY=VALUE lines where that can say it, else JSON.
struct EditableMap {
  std::string text;
  std::string suffix;  // Of the file's name, for the editor's colours: ".env" or ".json"
};
EditableMap editable(const Json& map, const std::string& title);

// What was written back: either form.
Result<Json> map_of_edited(const std::string& text);

}  // namespace rowlock
