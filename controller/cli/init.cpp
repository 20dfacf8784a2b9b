// `rowlock init`: makes a home, and says what to do next.
#include "controller/base/time.h"
#include "controller/cli/verbs.h"

#include <fmt/format.h>

#include <cerrno>
#include <unistd.h>

namespace rowlock {

Result<int> init(const Call& call) {
  if (auto made = call.home.create(call.schema, system_now_ms()); !made.ok()) {
    const bool is_denied = errno == EACCES || errno == EPERM;
    const bool is_home = access(call.home.state_path().c_str(), F_OK) == 0;
    return call.terminal.fail(made.error(), is_denied && !is_home ? kExitPermission : kExitFailed);
  }
  if (call.terminal.is_json()) {
    call.terminal.print(fmt::format(
        "{{\"home\":{},\"desired\":{},\"state\":{}}}\n", json_text(Value(call.home.folder())),
        json_text(Value(call.home.desired_path())), json_text(Value(call.home.state_path()))));
    return kExitOk;
  }
  call.terminal.print(
      fmt::format("made {0}\n\nnext:\n"
                  "  rowlock run --home {0} &\n"
                  "  sqlite3 {1} \"INSERT INTO job (name, image) VALUES ('web', 'nginx:1.25')\"\n"
                  "  rowlock status --home {0}\n",
                  call.home.folder(), call.home.desired_path()));
  return kExitOk;
}

}  // namespace rowlock
