// Edits of desired.db that verbs make: asked first whether they would be accepted, so that a verb
// never leaves a row behind for which every later edit is refused.
#pragma once

#include "controller/cli/verbs.h"

#include <string>

namespace rowlock {

// A row for each reason for which the edit at hand would be refused; the engineer's own rules
// included. `database` is opened_for_what_if().
Result<Table> violations_of(Database& database);

// Requires: there are some.
Error refusal_of(const Table& violations);

// Runs the statement in a transaction of its own. Rejected, and nothing is written, when the edit
// would be refused.
Result<> edit(Database& database, const std::string& statement, const Values& values);

}  // namespace rowlock
