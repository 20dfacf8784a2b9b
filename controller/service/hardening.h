// What a process that holds keys does first.
#pragma once

namespace rowlock {

// No core file, and no other process of this user may look into this one's memory. What cannot be
// had is gone without.
void keep_memory_private();

}  // namespace rowlock
