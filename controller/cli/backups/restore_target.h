// The database that `rowlock restore --into URL` names.
#pragma once

#include "controller/base/result.h"
#include "controller/cli/backups/restore_options.h"

#include <string>

namespace rowlock {

// Its name. Rejected, in words of the options, when --into is no URL of a database or holds a
// password, and when --replace names another one.
Result<std::string> target_of(const RestoreOptions& options);

// Rejected when what is to be restored makes no sense together.
Result<> check_selection(const RestoreOptions& options);

}  // namespace rowlock
