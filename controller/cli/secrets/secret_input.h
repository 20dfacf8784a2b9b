// What is secret comes in by stdin or from files, never as words of the command line, which every
// user of the machine can read while the verb runs.
#pragma once

#include "controller/base/result.h"

#include <cstddef>
#include <optional>
#include <string>

namespace rowlock {

// More than a version of a secret may hold.
constexpr std::size_t kInputBytesMax = 1024 * 1024;

// A line from the terminal, without echo and without its end. Nothing when Ctrl-C or Ctrl-D came
// instead. Requires: stdin is a terminal.
Result<std::optional<std::string>> hidden_line(const std::string& prompt);

// Everything up to the end. Rejected when it is more than kInputBytesMax.
Result<std::string> all_of_stdin();
Result<std::string> text_of_file(const std::string& path);

}  // namespace rowlock
