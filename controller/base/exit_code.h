// How a verb ended, for scripts.
#pragma once

namespace rowlock {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,
  kExitDifferences = 2,  // Only where the caller asked for it: plan, status.
  kExitUsage = 64,
  kExitUnreachable = 69,  // No controller runs, or an engine does not answer.
  kExitBusy = 75,         // Somebody else holds it: try again.
  kExitPermission = 77,
  kExitConfiguration = 78,  // No home, or a database that cannot be read.
  kExitInterrupted = 130,
};

}  // namespace rowlock
