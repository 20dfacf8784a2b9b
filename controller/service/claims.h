// Who drives this home on its engines, asked before the controller does anything at all: it could
// be a copy of a home that another one drives.
#pragma once

#include "controller/base/result.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <string>

namespace rowlock {

// Writes down who this controller is, and asks every engine that is known from before for the claim
// there, for some seconds at most: one that does not answer is asked again with each look. Rejected
// when somebody else drives the home.
Result<> begin_claims(Database& state, const Schema& schema, const std::string& place,
                      bool takes_over, std::int64_t now_ms);

// The refusal, when by the last looks somebody else drives the home; otherwise nothing.
Result<> check_claims(Database& state, const Schema& schema);

}  // namespace rowlock
