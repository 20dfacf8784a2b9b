// The database that `rowlock restore --into URL` names.
#pragma once

#include "controller/base/result.h"
#include "controller/cli/backups/restore_options.h"

#include <cstdint>
#include <string>

namespace rowlock {

// Its name, as its server writes it. Rejected, in words of the options, when --into is no URL of a
// database or holds a password, and when --replace names another one.
Result<std::string> target_of(const RestoreOptions& options);

// NAME_before_WHEN, for the database of that name that is put aside: no longer than a server keeps,
// with the end of NAME cut off where need be.
std::string name_aside(const std::string& database, std::int64_t when_s);

// Rejected when what is to be restored makes no sense together.
Result<> check_selection(const RestoreOptions& options);

}  // namespace rowlock
