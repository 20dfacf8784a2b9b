// `rowlock secret status`: whether the store is open, and how much is in it.
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"

#include <fmt/format.h>

namespace rowlock {
namespace {

struct Options {
  bool wants_exit_code = false;
};

struct Seal {
  std::string state = "unknown";  // open | sealed | absent | unknown: no controller says it.
  std::int64_t progress = 0;
  std::int64_t threshold = 0;
};

Result<Seal> seal_of(const Call& call) {
  auto asked = call.controller().ask("GET", "/v1/sys/seal-status");
  if (!asked.ok()) {
    return asked.error().cause == Cause::unreachable ? Result<Seal>(Seal{}) : asked.error();
  }
  const Json& answer = asked.value();
  const bool is_there = answer["initialized"].as_boolean(true);
  const bool is_sealed = answer["sealed"].as_boolean(true);
  return Seal{!is_there   ? "absent"
              : is_sealed ? "sealed"
                          : "open",
              answer["progress"].as_integer(), answer["t"].as_integer()};
}

Result<Row> counts_of(const Call& call, std::int64_t now_ms) {
  const auto rows = TRY(call.state().query(call.script("cli.secret_counts"), {{"now", now_ms}}));
  return rows.front();
}

std::string advice_on(const Call& call, const Seal& seal) {
  if (seal.state == "absent") {
    return "there are no keys yet: `rowlock secret init` makes them";
  }
  if (seal.state == "sealed") {
    return "nothing can be read until `rowlock secret unseal`";
  }
  return seal.state == "unknown" ? fmt::format("no controller runs on {}", call.home.folder()) : "";
}

Result<int> secret_status(const Call& call, const Options& said) {
  auto seal = seal_of(call);
  auto counts = counts_of(call, system_now_ms());
  if (!seal.ok() || !counts.ok()) {
    return !seal.ok() ? seal.error() : counts.error();
  }
  const Seal& now = seal.value();
  const Row& count = counts.value();
  call.terminal.show(
      table_from({"state", "shares_given", "shares_needed", "secrets", "versions", "tokens"},
                 {{now.state, now.progress, now.threshold, count.integer("secrets"),
                   count.integer("versions"), count.integer("tokens")}}));
  if (const std::string advice = advice_on(call, now); !advice.empty()) {
    call.terminal.note(advice);
  }
  return said.wants_exit_code && now.state != "open" ? kExitDifferences : kExitOk;
}

}  // namespace

void add_secret_status(Verbs& secret) {
  const auto [verb, said] =
      secret.add("status", "Whether the store is open, and how much is in it",
                 "rowlock secret status", Needs::state | Needs::answers, secret_status);
  verb.flag("--exit-code", said.wants_exit_code, "2 when it is not open");
}

}  // namespace rowlock
