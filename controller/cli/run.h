// `rowlock run`: the controller as a service. Everything real is put together here and nowhere
// else.
#pragma once

#include "controller/store/home.h"

#include <string>

namespace rowlock {

struct RunOptions {
  std::string log_format = "auto";  // json | text | auto: text on a terminal
};

// Runs until SIGTERM or SIGINT, which end the controller and never a container. Returns the exit
// code.
int run(const Home& home, const RunOptions& options);

}  // namespace rowlock
