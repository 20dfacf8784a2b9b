// The hands of schema/backups/backup.sql: a backup is made, looked for after Rowlock was killed,
// restored and compared, and deleted; and whoever watches from elsewhere is told.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

// A hand for each step in the life of a backup. Requires: `secrets` outlives what is returned.
std::vector<Hand> backup_hands(Secrets& secrets);

// What tells when the next one is due: cron in a time zone, which SQL cannot work out.
std::vector<Hand> backup_schedule_hands();

// What tells a watcher.
std::vector<Hand> backup_ping_hands();

}  // namespace rowlock
