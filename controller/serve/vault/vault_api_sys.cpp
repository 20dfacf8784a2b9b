// The rest of sys/: what there is, who may do what, and whether the audit log is as it was written.
#include "controller/serve/vault/vault_api_call.h"
#include "controller/serve/vault/vault_api_reply.h"
#include "controller/serve/vault/vault_api_values.h"

#include <algorithm>

namespace rowlock {

namespace {

constexpr std::size_t kPathsMax = 100;  // Asked about at once.
constexpr std::size_t kMaxTtlS = Tokens::kMaxTtlMs / 1000;

Json mount_json() {
  return Json::object({{"type", Json::string("kv")},
                       {"path", Json::string("secret/")},
                       {"description", Json::string("secrets of this home")},
                       {"accessor", Json::string("kv_secret")},
                       {"uuid", Json::string("kv_secret")},
                       {"local", Json::boolean(false)},
                       {"seal_wrap", Json::boolean(false)},
                       {"external_entropy_access", Json::boolean(false)},
                       {"options", Json::object({{"version", Json::string("2")}})},
                       {"config", Json::object({{"default_lease_ttl", Json::integer(kMaxTtlS)},
                                                {"max_lease_ttl", Json::integer(kMaxTtlS)},
                                                {"force_no_cache", Json::boolean(false)}})}});
}

// The members stand in the envelope's data and beside it: clients look in either.
VaultReply reply_with_both(std::vector<std::pair<std::string, Json>> members) {
  const Json data = Json::object(members);
  members.emplace_back("request_id", Json::string(request_id()));
  members.emplace_back("lease_id", Json::string(""));
  members.emplace_back("renewable", Json::boolean(false));
  members.emplace_back("lease_duration", Json::integer(0));
  members.emplace_back("data", data);
  members.emplace_back("wrap_info", Json());
  members.emplace_back("warnings", Json());
  members.emplace_back("auth", Json());
  return reply_with_whole(Json::object(std::move(members)));
}

VaultReply read_mounts(const VaultParts&, const VaultCall&) {
  return reply_with_both({{"secret/", mount_json()}});
}

// Asked by command-line clients before everything else, to learn which version of the engine it is.
VaultReply read_mount(const VaultParts&, const VaultCall& call) {
  if (call.path != "secret" && !call.path.starts_with("secret/")) {
    return denied({Fault::rejected, Cause::other, "there is one mount, secret/", ""});
  }
  return reply_with(mount_json());
}

// ---- What the asker may do ----------------------------------------------------------------------

// A path of the interface as one of secrets: without the mount and what follows it.
std::string_view path_of_secret(std::string_view path) {
  constexpr std::string_view kHeads[] = {
      "secret/data/",     "secret/metadata/", "secret/subkeys/", "secret/delete/",
      "secret/undelete/", "secret/destroy/",  "secret/",
  };
  if (path.starts_with('/')) {
    path.remove_prefix(1);
  }
  for (const std::string_view head : kHeads) {
    if (path.starts_with(head)) {
      return path.substr(head.size());
    }
  }
  return path;
}

Result<Json> capabilities_of(const VaultParts& parts, const VaultCall& call,
                             const std::string& path) {
  if (call.actor.is_operator) {
    return json_strings({"root"});
  }
  auto found = TRY(parts.secrets.policies.capabilities(call.actor, path_of_secret(path)));
  if (found.empty()) {
    return json_strings({"deny"});
  }
  return json_strings({found.begin(), found.end()});
}

VaultReply read_capabilities(const VaultParts& parts, const VaultCall& call) {
  std::vector<std::string> paths = texts_of(call.body["paths"]);
  if (paths.empty()) {
    paths = texts_of(call.body["path"]);
  }
  if (paths.empty() || paths.size() > kPathsMax) {
    return refused_with(400, "paths must be supplied: a list of at most 100");
  }
  std::vector<std::pair<std::string, Json>> members;
  for (const std::string& path : paths) {
    auto found = capabilities_of(parts, call, path);
    if (!found.ok()) {
      return failed(found.error());
    }
    if (paths.size() == 1) {
      members.emplace_back("capabilities", found.value());
    }
    members.emplace_back(path, std::move(found).value());
  }
  return reply_with_both(std::move(members));
}

// ---- The audit log ------------------------------------------------------------------------------

VaultReply verify_audit(const VaultParts& parts, const VaultCall&) {
  if (!parts.secrets.keyring.is_open()) {
    return failed(parts.secrets.keyring.closed_error());
  }
  VaultReply reply;
  reply.later = [verify = parts.secrets.audit.verification()] {
    const auto report = verify();
    if (!report.ok()) {
      return failed(report.error());
    }
    return reply_with_both({{"lines", Json::integer(report.value().lines)},
                            {"rows", Json::integer(report.value().rows)},
                            {"findings", json_strings(report.value().findings)}});
  };
  return reply;
}

// ---- What has failed is tried again -------------------------------------------------------------

VaultReply try_again(const VaultParts& parts, const VaultCall& call) {
  const Values name = {{"name", call.path}};
  const auto held = parts.state.query(*parts.schema.script("retry.of"), name);
  if (!held.ok()) {
    return failed(held.error());
  }
  std::vector<Json> steps;
  for (const Row& row : held.value()) {
    steps.push_back(Json::object({{"kind", Json::string(row.text("kind"))},
                                  {"target", Json::string(row.text("target"))},
                                  {"step", Json::string(row.text("step"))},
                                  {"detail", Json::string(row.text("detail"))}}));
  }
  if (auto asked = parts.state.run(*parts.schema.script("retry.ask"), name); !asked.ok()) {
    return failed(asked.error());
  }
  return reply_with_both({{"steps", Json::array(std::move(steps))}});
}

constexpr VaultAccess kHolder = VaultAccess::holder;
constexpr VaultAccess kOperator = VaultAccess::operator_only;
constexpr VaultAudit kFailures = VaultAudit::failures;

constexpr VaultRoute kRoutes[] = {
    {"GET", "sys/mounts", kHolder, kFailures, "lookup", read_mounts},
    {"GET", "sys/internal/ui/mounts/*", kHolder, kFailures, "lookup", read_mount},
    {"POST", "sys/capabilities-self", kHolder, kFailures, "lookup", read_capabilities},
    {"GET", "rowlock/audit/verify", kOperator, kFailures, "verify", verify_audit},
    {"POST", "rowlock/audit/verify", kOperator, kFailures, "verify", verify_audit},
    {"POST", "rowlock/retry/*", kOperator, kFailures, "retry", try_again},
};

}  // namespace

std::span<const VaultRoute> vault_sys_routes() { return kRoutes; }

}  // namespace rowlock
