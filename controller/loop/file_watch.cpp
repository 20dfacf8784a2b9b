// A folder under the system's own watch (inotify on Linux), by way of libuv.

#include "controller/loop/file_watch.h"

#include "controller/loop/handle.h"

#include <uv.h>

#include <utility>

namespace rowlock {

class FolderHandle final : public Handle {
 public:
  FolderHandle(uv_loop_t* loop, std::function<void(const std::string&)> changed)
      : changed_(std::move(changed)) {
    CHECK(uv_fs_event_init(loop, &event_) == 0);
  }

  // libuv's error number, 0 when the watch stands.
  int start(const std::string& folder) {
    return uv_fs_event_start(&event_, on_change, folder.c_str(), 0);
  }

 private:
  static void on_change(uv_fs_event_t* event, const char* name, int, int status) {
    const bool is_known = status == 0 && name != nullptr;
    handle_behind<FolderHandle>(event->data).changed_(is_known ? name : "");
  }

  uv_handle_t* raw() override { return reinterpret_cast<uv_handle_t*>(&event_); }

  uv_fs_event_t event_ = {};
  std::function<void(const std::string&)> changed_;
};

FileWatch::FileWatch(std::shared_ptr<FolderHandle> handle) : handle_(std::move(handle)) {}
FileWatch::~FileWatch() { handle_->close(); }

Result<std::unique_ptr<FileWatch>> FileWatch::open(
    Loop& loop, const std::string& folder, std::function<void(const std::string&)> changed) {
  auto handle = std::make_shared<FolderHandle>(loop.raw(), std::move(changed));
  handle->keep();
  const int status = handle->start(folder);
  if (status == 0) {
    return std::unique_ptr<FileWatch>(new FileWatch(std::move(handle)));
  }
  handle->close();
  Error error;
  error.message = "watch folder " + folder + ": " + uv_strerror(status);
  if (status == UV_ENOENT) {
    error.cause = Cause::not_found;
  } else if (status == UV_ENOSPC || status == UV_EMFILE) {
    error.fault = Fault::broken;
    error.hint = "raise the sysctls fs.inotify.max_user_watches and fs.inotify.max_user_instances";
  }
  return error;
}

}  // namespace rowlock
