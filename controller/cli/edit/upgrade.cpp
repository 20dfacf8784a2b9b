// `rowlock upgrade`: brings desired.db up to the shape that this rowlock knows, after a copy.
#include "controller/cli/all_verbs.h"
#include "controller/store/shell.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace rowlock {
namespace {

Result<int> upgrade(const Call& call) {
  const auto done = TRY(upgrade_desired(call.home, call.schema));
  if (call.terminal.is_json()) {
    call.terminal.print(fmt::format("{{\"from\":{},\"to\":{},\"copy\":{}}}\n", done.from,
                                    kDesiredVersion,
                                    done.copy.empty() ? "null" : json_text(Value(done.copy))));
    return kExitOk;
  }
  call.terminal.print(
      done.copy.empty()
          ? fmt::format("desired.db has version {} already\n", kDesiredVersion)
          : fmt::format("desired.db went from version {} to {} (new or changed: {})\n"
                        "as it was: {}\n",
                        done.from, kDesiredVersion, fmt::join(done.tables, ", "), done.copy));
  return kExitOk;
}

}  // namespace

void add_upgrade(Verbs& verbs) {
  verbs.add("upgrade", "Bring desired.db up to this version, after a copy", "rowlock upgrade",
            Needs::editable, upgrade);
}

}  // namespace rowlock
