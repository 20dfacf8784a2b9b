// `rowlock version`: which Rowlock this is, and which SQLite it runs on.
#include "controller/base/version.h"

#include "controller/cli/all_verbs.h"
#include "controller/store/shell.h"

#include <fmt/format.h>

namespace rowlock {
namespace {

Result<int> print_version(const Call& call) {
  const auto* const form = call.terminal.is_json() ? "{{\"version\":\"{}\",\"sqlite\":\"{}\"}}\n"
                                                   : "rowlock {} (SQLite {})\n";
  call.terminal.print(fmt::format(fmt::runtime(form), version(), sqlite_version()));
  return kExitOk;
}

}  // namespace

void add_version(Verbs& verbs) {
  verbs.add("version", "Which Rowlock this is", "rowlock version", Needs::nothing, print_version);
}

}  // namespace rowlock
