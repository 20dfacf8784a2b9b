// What everything given to libuv has in common: libuv lets go of a handle only some time after it
// was asked to, so a handle outlives the object that a caller holds. Private to this folder.
#pragma once

#include <memory>

struct uv_handle_s;

namespace rowlock {

// Owned twice: by the caller's object (Timer, FdWatch …) and, between keep() and libuv's last word,
// by itself. So a callback may destroy the very object that it was called through. Loop thread
// only.
class Handle : public std::enable_shared_from_this<Handle> {
 public:
  Handle() = default;
  virtual ~Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  // To be called once libuv knows the handle. Requires: owned by a shared_ptr.
  void keep();

  // Stops all callbacks at once and lets the handle go. May be repeated; a loop that ends closes
  // all of its handles.
  void close();

  bool is_open() const { return open_; }

 private:
  virtual uv_handle_s* raw() = 0;

  std::shared_ptr<Handle> self_;
  bool open_ = false;
};

// The handle behind the `data` pointer that libuv hands to its callbacks.
template <typename Kind>
Kind& handle_behind(void* data) {
  return *static_cast<Kind*>(static_cast<Handle*>(data));
}

}  // namespace rowlock
