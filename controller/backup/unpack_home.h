// The way back of a backup of a home: a folder that `rowlock run` starts on.
#pragma once

#include "controller/backup/backup_file.h"

#include <string>

namespace rowlock {

// Makes a home in the folder, which is made too when it is not there, of a backup that was opened
// and of which nothing was read yet. It is the same home: its id is in its database. Nothing of it
// has its name before all of the backup was read and found whole; when this fails, nothing is left.
// Rejected when the backup is none of a home, or a home, or part of one, is in the folder.
Result<> unpack_home(BackupFileReader& backup, const std::string& folder);

}  // namespace rowlock
