// A route with everything real, which most tests of routes begin with: containers, HAProxy, and an
// app that is not ready for a while after its start and ends at once when it is told to
// (tests/apps/slow_app.cpp).
#pragma once

#include "tests/live/rowlock/rowlock_home.h"

#include <string>

namespace rowlock_live {

// Rows of a job of that many slow apps, with its port, mount and check.
std::string insert_app(const std::string& job, int count);

// Two slow apps called 'app' behind site.example.org; the port of the proxy, whose row has these
// columns as well.
int route_two_apps(LiveHome& home, const std::string& proxy_columns = "",
                   const std::string& proxy_values = "");

void await_served(LiveHome& home, const std::string& job = "app");

}  // namespace rowlock_live
