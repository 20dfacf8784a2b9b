// What pg_dumpall --globals-only wrote, and what of it is done when a database comes back to a
// server: roles that are missing are made, with what they may and whom they belong to. No role that
// is there is changed, whatever the file says.
#pragma once

#include "controller/base/result.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

class PostgresConnection;

// The statements of a script, without the ';' at their ends and without comments.
std::vector<std::string> statements_of(std::string_view script);

// Those that make the roles that are not in `there`, names as the server has them.
std::vector<std::string> missing_role_statements(std::string_view globals,
                                                 const std::set<std::string>& there);

// All of them or none.
Result<> make_missing_roles(PostgresConnection& connection, std::string_view globals);

}  // namespace rowlock
