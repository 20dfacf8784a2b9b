// What every ObjectStore must do, the fake and real ones alike.
#pragma once

#include "controller/ports/object_store.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rowlock {

struct ObjectStoreFixture {
  // Begins an upload and leaves it behind, as a process does that dies.
  std::function<void(const std::string& key)> leave_upload;
  // The keys of all uploads that are begun and not finished, sorted; as somebody else sees them.
  std::function<std::vector<std::string>()> pending_uploads;
  std::int64_t now_ms = 0;      // As the store knows it, more or less.
  std::size_t large_bytes = 0;  // Of an object that does not go in one piece.
};

// Runs every case, each in an empty store that it leaves empty. Failures are reported through
// Criterion and name the case.
void check_object_store(ObjectStore& store, const ObjectStoreFixture& fixture);

// Bytes that look like no others, always the same.
std::string sample_bytes(std::size_t size, unsigned seed);

}  // namespace rowlock
