// How `rowlock run` is said; what it does is in controller/service/run.cpp.
#include "controller/service/run.h"

#include "controller/cli/all_verbs.h"

namespace rowlock {
namespace {

Result<int> run_controller(const Call& call, const RunOptions& said) {
  return run(call.home, said);
}

}  // namespace

void add_run(Verbs& verbs) {
  const auto [verb, said] = verbs.add("run", "Run the controller", "rowlock run --home ~/rowlock",
                                      Needs::nothing, run_controller);
  verb.option("--log-format", said.log_format, "json, text, or auto: by terminal")
      .one_of({"json", "text", "auto"});
  verb.flag("--take-over", said.takes_over,
            "drive what runs although another controller does, such as one that is gone for good: "
            "that one stops");
  verb.option("--unseal-key-file", said.unseal.key_file,
              "open the secret store with the key in this file (or ROWLOCK_UNSEAL_KEY_FILE)")
      .type("FILE");
  verb.option("--unseal-age-identity", said.unseal.age_identity,
              "with HOME/unseal.age and this age identity")
      .type("FILE");
  verb.option("--unseal-command", said.unseal.command, "with the key that this command prints")
      .type("COMMAND");
}

}  // namespace rowlock
