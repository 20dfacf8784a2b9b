// `rowlock init`: makes a home, and says what to do next.
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/service/what_runs.h"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <unistd.h>

namespace rowlock {
namespace {

// Whether this user may not write where the home is to be.
bool is_denied(const std::string& folder) {
  const std::filesystem::path path = std::filesystem::absolute(folder);
  std::error_code ignored;
  const bool is_there = std::filesystem::exists(path, ignored);
  return access((is_there ? path : path.parent_path()).c_str(), W_OK) != 0 &&
         (errno == EACCES || errno == EROFS);
}

struct Options {
  bool has_new_id = false;
};

Result<int> init(const Call& call, const Options& said) {
  if (auto made = call.home.create(call.schema, system_now_ms(), said.has_new_id); !made.ok()) {
    return call.terminal.fail(with_what_runs(made.error(), call.home),
                              is_denied(call.home.folder()) ? kExitPermission : kExitFailed);
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

}  // namespace

void add_init(Verbs& verbs) {
  const auto [verb, said] =
      verbs.add("init", "Make a home", "rowlock init --home ~/rowlock", Needs::nothing, init);
  verb.flag(
      "--new-id", said.has_new_id,
      "for a home whose state.db is lost: begin anew with its desired.db; what it made before "
      "is left alone, and is no longer its own");
}

}  // namespace rowlock
