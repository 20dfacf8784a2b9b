// Object stores by the scheme of their URL.
#pragma once

#include "controller/ports/object_store.h"

#include <atomic>
#include <memory>

namespace rowlock {

// The store behind an address: file:// or s3://. Of any other, and of one that cannot be read, it
// is a store whose every call is rejected with the reason. `ending` outlives it and its uploads;
// once that is set, calls that have begun end within a second, all but what takes something back.
std::shared_ptr<ObjectStore> object_store_of(const StoreAddress& address,
                                             const std::atomic<bool>& ending);

}  // namespace rowlock
