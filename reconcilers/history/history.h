// Old changes are packed by a worker, who reads state.db for himself: the hands of
// schema/history/history.sql.
#pragma once

#include "controller/reconciler.h"
#include "controller/store/schema.h"

#include <string>

namespace rowlock {

// `state_path`: of state.db. Requires: the schema outlives what is returned.
std::vector<Hand> history_hands(const std::string& state_path, const Schema& schema);

}  // namespace rowlock
