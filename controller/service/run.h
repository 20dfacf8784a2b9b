// `rowlock run`: the controller as a service. Everything real is put together here and nowhere
// else.
#pragma once

#include "controller/service/unseal_source.h"
#include "controller/store/home.h"

#include <string>

namespace rowlock {

struct RunOptions {
  std::string log_format = "auto";  // json | text | auto: text on a terminal
  UnsealSource unseal;              // As given; the environment may name one when nothing is.
  bool takes_over = false;          // From whoever drives the home by the engines' word.
};

// Runs until SIGTERM or SIGINT, which end the controller and never a container, or until state.db
// is no longer the file that it writes, or another controller has taken over. Returns the exit
// code.
int run(const Home& home, const RunOptions& options);

}  // namespace rowlock
