// Edits of desired.db that verbs make: asked first whether they would be accepted, so that a verb
// never leaves a row behind for which every later edit is refused.
#pragma once

#include "controller/cli/call.h"
#include "controller/cli/terminal/table.h"

#include <string_view>

namespace rowlock {

// A row for each reason for which the edit at hand would be refused; the engineer's own rules
// included. Requires: the verb needs to edit, here and below.
Result<Table> violations_of(const Call& call);

// Requires: there are some.
Error refusal_of(const Table& violations);

// Runs the script in a transaction of its own. Rejected, and nothing is written, when the edit
// would be refused.
Result<> edit(const Call& call, std::string_view script, const Values& values);

}  // namespace rowlock
