// Expected failures are values. A call that can fail returns Result<T>: either the T, or an Error
// that says what was attempted, on what, and what the world answered, with a hint when somebody can
// act on it.
#pragma once

#include "controller/base/check.h"

#include <string>
#include <utility>
#include <variant>

namespace rowlock {

// Who can mend a failure, and so what the plan does about it.
enum class Fault {
  transient,  // The world may be better in a moment: try again with backoff.
  rejected,   // Only the engineer can mend it, by changing a row: do not try again until then.
  broken,     // Our side or the machine is at fault: say so loudly, back off long.
};

// The few causes on which a caller acts differently; everything else is `other`.
enum class Cause {
  other,
  image_absent,  // The image is not on the node yet; pulling it may help.
  not_found,     // The thing named does not exist.
  exists,        // There is something of that name already.
  unreachable,   // The endpoint did not answer at all: nothing is known about what it holds.
  deadline,      // No answer within the deadline: the change may or may not have been made.
  denied,        // This user, or this token, may not do that.
  corrupt,       // What was read is not what was written.
  malformed,     // The words of a row make no sense: nothing but an edit can mend it.
  unmet,         // It is what was written, but not what it was to be.
};

struct Error {
  Fault fault = Fault::transient;
  Cause cause = Cause::other;
  std::string message;  // "create container web-3: image not found: registry/web:1"
  std::string hint;     // What the reader can do about it; empty when nothing is known.
};

// What a call without a value of its own returns on success.
struct Done {};

template <typename T = Done>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::move(value)) {
  }  // NOLINT(google-explicit-constructor): reads as `return value;`
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }

  // Requires: ok().
  const T& value() const& {
    CHECK(ok());
    return *std::get_if<T>(&state_);
  }
  T&& value() && {
    CHECK(ok());
    return std::move(*std::get_if<T>(&state_));
  }

  // Requires: !ok().
  const Error& error() const {
    CHECK(!ok());
    return *std::get_if<Error>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

}  // namespace rowlock

// What a call gave, or else an early return of its error from the function around it:
//
//   const Row row = TRY(read_row(key));
//   TRY(write_row(row));
//
// Requires: the function returns a Result. (A block as an expression, which g++ and clang++ have;
// the name of its variable is its own, so that one may stand inside another.)
#define TRY(call) ROWLOCK_TRY_AS(call, ROWLOCK_TRY_NAME(tried_, __COUNTER__))
#define ROWLOCK_TRY_NAME(head, number) ROWLOCK_TRY_JOIN(head, number)
#define ROWLOCK_TRY_JOIN(head, number) head##number
#define ROWLOCK_TRY_AS(call, tried) \
  ({                                \
    auto tried = (call);            \
    if (!tried.ok()) {              \
      return tried.error();         \
    }                               \
    std::move(tried).value();       \
  })
