// The hands of schema/backups/backup.sql: a backup is made, looked for after Rowlock was killed,
// restored and compared, and deleted; and whoever watches from elsewhere is told.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

// Requires: `secrets` outlives them.
std::vector<Hand> backup_hands(Secrets& secrets);

// When the next one is due: cron in a time zone, which SQL cannot work out.
std::vector<Hand> backup_schedule_hands();

std::vector<Hand> backup_ping_hands();

}  // namespace rowlock
