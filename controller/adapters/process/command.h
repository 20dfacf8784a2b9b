// A program run to its end, or to its deadline: no shell, and nothing of ours goes with it.
#pragma once

#include "controller/base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rowlock {

struct CommandResult {
  int exit_code = 0;   // 128 + N when it died of signal N, as shells say it.
  std::string output;  // The last of stdout and stderr, as they came.
};

// Blocks until the program has ended; it and what it started in its process group are killed when
// it has not after `deadline_ms`: Cause::deadline. What it leaves behind as a daemon is not waited
// for. Cause::not_found when there is no such program. Requires: argv holds an absolute path first.
Result<CommandResult> run_command(const std::vector<std::string>& argv, std::int64_t deadline_ms);

// The same for a program that reads one short text and answers: `input` on its standard input, none
// of our environment but `variables`, and its standard output alone for output. Requires: `input`
// has at most kFilterInputMax bytes.
Result<CommandResult> run_filter(const std::vector<std::string>& argv, const std::string& input,
                                 const std::vector<std::string>& variables,
                                 std::int64_t deadline_ms);
constexpr std::size_t kFilterInputMax = 4096;  // A pipe takes so much without a reader.

// The absolute path of a program, looked for in PATH and where Debian keeps daemons; empty: none.
std::string program_path(const std::string& name);

}  // namespace rowlock
