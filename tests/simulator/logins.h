// The logins at databases that instances are given in a simulation: what must hold of them at any
// time, and in the end.
#pragma once

#include "tests/simulator/engines.h"
#include "tests/simulator/invariants.h"
#include "tests/simulator/stage.h"

#include <string>

namespace rowlock::simulator {

// The rows of a database and of a role there, for whoever asks for database/creds/app.
std::string login_rows();

constexpr const char* kLoginFile = "login";  // In which an instance finds who it is there.

// Every role has a row, no two are of the same instance, and what runs can log in as what it was
// given.
Violated wrong_logins(Stage& stage, Engines& engines);

// A role for each instance that needs one and runs, and no other; "" when it is so.
std::string unsettled_logins(Stage& stage, Engines& engines);

}  // namespace rowlock::simulator
