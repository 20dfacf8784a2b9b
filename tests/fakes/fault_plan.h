// What a fake can be told to do to its caller. A port fails in the same few ways whatever is behind
// it.
#pragma once

namespace rowlock {

// What goes wrong with one call.
enum class FaultPlan {
  none,
  fail_before,  // An error, and nothing was done.
  lose_answer,  // Done, yet the caller sees Cause::deadline.
  unreachable,  // Nothing was done: Cause::unreachable.
};

}  // namespace rowlock
