// Which errors of the system are our own machine's: a limit of this process, memory or ports that
// have run out. They say nothing about whom we were about to ask, so whatever failed by one is
// Fault::broken, or of a probe no answer at all. Every adapter asks here.
#pragma once

#include "controller/base/result.h"

#include <string>
#include <string_view>

namespace rowlock {

// Of an errno. EAGAIN is not among them: it is one of ours only where threads and processes are
// made, and whoever makes them knows that.
bool is_own_trouble(int code);

// "too many open files: this process may have 64".
std::string own_trouble_in_words(int code);

// What failed by it; `attempt` opens the message.
Error own_trouble(const std::string& attempt, int code);

// For libraries that tell nothing: what opening a file says at this moment, when it is one of ours;
// else 0.
int own_trouble_now();

// For libraries that tell an error in words alone: the one of ours that they hold, or 0.
int own_trouble_of(std::string_view words);

}  // namespace rowlock
