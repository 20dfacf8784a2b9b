// The engineer's own rules: the queries of the table `invariant`, each of which must return no row.
// They are asked where an edit is decided, on the loop of the controller too, so all of them
// together have the time of one.
#pragma once

#include "controller/base/result.h"
#include "controller/store/database.h"

#include <optional>
#include <string>
#include <vector>

namespace rowlock {

constexpr int kInvariantsTimeMs = 200;

struct BrokenInvariant {
  std::string name;
  std::string message;     // Its own; else why it could not be asked, as a predicate.
  std::optional<Row> row;  // The first that it returned; absent: it could not be asked.

  std::string sentence() const;
};

// In the order of their names.
Result<std::vector<BrokenInvariant>> broken_invariants(Database& database);

}  // namespace rowlock
