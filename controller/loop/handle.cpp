// How a handle is kept alive for libuv, and let go.

#include "controller/loop/handle.h"

#include "controller/base/check.h"

#include <uv.h>

namespace rowlock {

void Handle::keep() {
  CHECK(self_ == nullptr);
  raw()->data = this;
  self_ = shared_from_this();
  open_ = true;
}

void Handle::close() {
  if (!open_) {
    return;
  }
  open_ = false;
  uv_close(raw(), [](uv_handle_t* handle) {
    // Moved out first: the last owner must not be a member of what it destroys.
    const std::shared_ptr<Handle> last = std::move(static_cast<Handle*>(handle->data)->self_);
  });
}

}  // namespace rowlock
