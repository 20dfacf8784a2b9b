// The audit log rotates: the hands of schema/secrets/audit_segment.sql. The key is taken along, and
// a worker reads state.db for himself.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

#include <string>

namespace rowlock {

// `state_path`: of state.db. Requires: secrets and schema outlive what is returned.
std::vector<Hand> audit_segment_hands(Secrets& secrets, const std::string& state_path,
                                      const Schema& schema);

}  // namespace rowlock
