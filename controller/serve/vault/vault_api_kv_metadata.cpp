// secret/metadata/… and secret/config: how secrets are kept, and which there are.
#include "controller/secrets/merge_patch.h"
#include "controller/serve/vault/vault_api_call.h"
#include "controller/serve/vault/vault_api_kv.h"
#include "controller/serve/vault/vault_api_reply.h"
#include "controller/serve/vault/vault_api_values.h"

namespace rowlock {

namespace {

Json metadata_json(const SecretMetadata& secret) {
  std::vector<std::pair<std::string, Json>> versions;
  for (const SecretVersion& version : secret.versions) {
    versions.emplace_back(
        std::to_string(version.version),
        Json::object({{"created_time", Json::string(vault_time(version.created_at_ms))},
                      {"created_by", Json::string(version.created_by)},
                      {"deletion_time", Json::string(vault_time(version.deleted_at_ms))},
                      {"destroyed", Json::boolean(version.is_destroyed)}}));
  }
  return Json::object({{"cas_required", Json::boolean(secret.cas_required)},
                       {"created_time", Json::string(vault_time(secret.created_at_ms))},
                       {"current_version", Json::integer(secret.current_version)},
                       {"custom_metadata", custom_metadata_json(secret.custom_metadata)},
                       {"delete_version_after", Json::string(go_duration(secret.delete_after_ms))},
                       {"max_versions", Json::integer(secret.max_versions)},
                       {"oldest_version", Json::integer(secret.oldest_version)},
                       {"updated_time", Json::string(vault_time(secret.updated_at_ms))},
                       {"versions", Json::object(std::move(versions))}});
}

VaultReply read_metadata(const VaultParts& parts, const VaultCall& call) {
  if (auto allowed = parts.secrets.policies.require(call.actor, "read", call.path); !allowed.ok()) {
    return denied(allowed.error());
  }
  const auto secret = parts.secrets.store.metadata(call.path, call.actor, call.now_ms);
  return secret.ok() ? reply_with(metadata_json(secret.value())) : failed(secret.error());
}

VaultReply list_folder(const VaultParts& parts, const VaultCall& call) {
  const std::string folder = call.path.empty() ? "" : call.path + "/";
  if (auto allowed = parts.secrets.policies.require(call.actor, "list", folder); !allowed.ok()) {
    return denied(allowed.error());
  }
  const auto names = parts.secrets.store.list(folder, call.actor, call.now_ms);
  return names.ok() ? reply_with(Json::object({{"keys", json_strings(names.value())}}))
                    : failed(names.error());
}

// What the body says; what it does not say stays as it is.
Result<SecretSettings> settings_in(const Json& body) {
  SecretSettings settings;
  const auto versions = TRY(whole_number(body["max_versions"], "max_versions"));
  const auto after = TRY(duration_ms(body["delete_version_after"], "delete_version_after"));
  settings.max_versions = versions;
  settings.delete_after_ms = after;
  if (!body["cas_required"].is_null()) {
    settings.cas_required = body["cas_required"].as_boolean();
  }
  if (!body["custom_metadata"].is_null()) {
    settings.custom_metadata = body["custom_metadata"].text();
  }
  return settings;
}

VaultReply set_metadata(const VaultParts& parts, const VaultCall& call, const Json& body) {
  const auto settings = settings_in(body);
  if (!settings.ok()) {
    return failed(settings.error());
  }
  const auto set =
      parts.secrets.store.set_metadata(call.path, settings.value(), call.actor, call.now_ms);
  return set.ok() ? reply_without_body() : failed(set.error());
}

VaultReply write_metadata(const VaultParts& parts, const VaultCall& call) {
  const auto stored = stored_secret(parts, call.path);
  if (!stored.ok()) {
    return failed(stored.error());
  }
  const char* capability = stored.value().is_there ? "update" : "create";
  if (auto allowed = parts.secrets.policies.require(call.actor, capability, call.path);
      !allowed.ok()) {
    return denied(allowed.error());
  }
  return set_metadata(parts, call, call.body);
}

// custom_metadata is patched by itself: a null takes a key away.
VaultReply patch_metadata(const VaultParts& parts, const VaultCall& call) {
  if (auto allowed = parts.secrets.policies.require(call.actor, "update", call.path);
      !allowed.ok()) {
    return denied(allowed.error());
  }
  if (auto wrong = wrong_patch_type(call); wrong.has_value()) {
    return *wrong;
  }
  const auto stored = stored_secret(parts, call.path);
  if (!stored.ok()) {
    return failed(stored.error());
  }
  if (!stored.value().is_there) {
    return failed(
        {Fault::rejected, Cause::not_found, "secret " + call.path + " does not exist", ""});
  }
  std::vector<std::pair<std::string, Json>> members = call.body.members();
  for (auto& [name, value] : members) {
    if (name == "custom_metadata") {
      const Json before = custom_metadata_json(stored.value().custom_metadata);
      value = value.is_null() ? Json::object({}) : merged(before, value);
    }
  }
  return set_metadata(parts, call, Json::object(std::move(members)));
}

VaultReply remove_secret(const VaultParts& parts, const VaultCall& call) {
  if (auto allowed = parts.secrets.policies.require(call.actor, "delete", call.path);
      !allowed.ok()) {
    return denied(allowed.error());
  }
  return done_or_absent(parts.secrets.store.remove(call.path, call.actor, call.now_ms));
}

VaultReply read_config(const VaultParts& parts, const VaultCall&) {
  const auto config = parts.secrets.store.config();
  if (!config.ok()) {
    return failed(config.error());
  }
  return reply_with(Json::object(
      {{"cas_required", Json::boolean(config.value().cas_required)},
       {"delete_version_after", Json::string(go_duration(config.value().delete_after_ms))},
       {"max_versions", Json::integer(config.value().max_versions)}}));
}

VaultReply write_config(const VaultParts& parts, const VaultCall& call) {
  const auto settings = settings_in(call.body);
  if (!settings.ok()) {
    return failed(settings.error());
  }
  const auto set = parts.secrets.store.set_config(settings.value(), call.actor, call.now_ms);
  return set.ok() ? reply_without_body() : failed(set.error());
}

constexpr VaultAccess kHolder = VaultAccess::holder;
constexpr VaultAccess kOperator = VaultAccess::operator_only;
constexpr VaultAudit kFailures = VaultAudit::failures;

constexpr VaultRoute kRoutes[] = {
    {"GET", "secret/metadata/*", kHolder, kFailures, "metadata", read_metadata},
    {"LIST", "secret/metadata/*", kHolder, kFailures, "list", list_folder},
    {"POST", "secret/metadata/*", kHolder, kFailures, "metadata", write_metadata},
    {"PATCH", "secret/metadata/*", kHolder, kFailures, "metadata", patch_metadata},
    {"DELETE", "secret/metadata/*", kHolder, kFailures, "remove", remove_secret},
    {"GET", "secret/config", kOperator, kFailures, "config", read_config},
    {"POST", "secret/config", kOperator, kFailures, "config", write_config},
};

}  // namespace

std::span<const VaultRoute> vault_kv_metadata_routes() { return kRoutes; }

}  // namespace rowlock
