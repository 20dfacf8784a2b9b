// The brake on deletions, whose SQL is accept.brake in schema/kernel/accept.sql: asked of a change
// that is being accepted, and of one that a person is only trying out.
#pragma once

#include "controller/store/schema.h"

#include <string>
#include <vector>

namespace rowlock {

// What stands before a table's name on either side of the change, and what the time is.
struct BrakeSides {
  std::string in_force;
  std::string to_be;
  std::string now;
};

// A query: one row with table_name, row_key and message when the change deletes too much.
std::string brake_text(const Schema& schema, const std::string& table,
                       const std::vector<std::string>& columns, const std::vector<std::string>& key,
                       const BrakeSides& sides);

}  // namespace rowlock
