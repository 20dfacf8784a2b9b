// The command line: the words are taken apart, what the verb needs is looked after, and the verb is
// called. What verbs there are and how each is said, they declare themselves (verbs.h).
#pragma once

#include "controller/cli/verbs.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

// How it ended: the exit code, and what went wrong as long as nobody was told.
struct Ended {
  int exit_code = kExitOk;
  std::optional<Error> error;
};

class CommandLine {
 public:
  CommandLine();  // Without verbs.
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  Verbs verbs();  // As long as this lives.

  // Requires: once; options keep what was said.
  Ended run(const std::vector<std::string>& words);

  // The same, and the error is told. Returns the exit code.
  int main(int count, char** words);

 private:
  const std::unique_ptr<CommandLineParts> parts_;
};

}  // namespace rowlock
