// What a claim means is decided by the view node_claim; here it is only fetched.
#include "controller/service/claims.h"

#include "controller/adapters/docker/docker.h"
#include "controller/base/time.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <unistd.h>

namespace rowlock {
namespace {

constexpr std::int64_t kEngineDeadlineMs = 3000;

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "this machine";
}

}  // namespace

Result<> begin_claims(Database& state, const Schema& schema, const std::string& place,
                      bool takes_over, std::int64_t now_ms) {
  const std::string folder = state.path().substr(0, state.path().rfind('/'));
  const std::string says = fmt::format("process {} on {} in {}, since {}", getpid(), host_name(),
                                       folder, rfc3339(now_ms));
  std::error_code ignored;  // Then it is as it was given.
  const std::string real = std::filesystem::weakly_canonical(folder, ignored);
  TRY(state.run(*schema.script("node.claimant"), {{"place", place},
                                                  {"folder", real.empty() ? folder : real},
                                                  {"says", says},
                                                  {"takes_over", std::int64_t{takes_over}}}));
  for (const Row& node : TRY(state.query(*schema.script("node.engines")))) {
    DockerDeadlines deadlines;
    deadlines.look_ms = kEngineDeadlineMs;
    const std::string endpoint = node.text("endpoint");
    DockerRuntime runtime(endpoint.empty() ? default_docker_endpoint() : endpoint, deadlines);
    const auto found = runtime.claim_on(node.text("home"));
    if (!found.ok()) continue;
    const Claim claim = found.value().value_or(Claim());
    TRY(state.run(*schema.script("node.claim_seen"), {{"target", node.text("node")},
                                                      {"claim_epoch", claim.epoch},
                                                      {"claim_holder", claim.holder},
                                                      {"claim_place", claim.place},
                                                      {"claim_says", claim.says}}));
  }
  return check_claims(state, schema);
}

Result<> check_claims(Database& state, const Schema& schema) {
  for (const Row& lost : TRY(state.query(*schema.script("node.claim_lost")))) {
    return Error{
        Fault::rejected, Cause::exists,
        fmt::format("another controller drives home {} on node {}: {}", lost.text("home"),
                    lost.text("node"), lost.text("says")),
        "this may be a copy of that one's home; when that one is gone for good, or this one "
        "is to drive what runs from now on: `rowlock run --take-over`"};
  }
  return Done{};
}

}  // namespace rowlock
