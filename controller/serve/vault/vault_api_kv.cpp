// secret/data/…, and what deletes and brings back versions: the key/value engine, version 2.
#include "controller/serve/vault/vault_api_kv.h"

#include "controller/serve/vault/vault_api_call.h"
#include "controller/serve/vault/vault_api_reply.h"
#include "controller/serve/vault/vault_api_values.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr const char* kMergePatch = "application/merge-patch+json";

Json version_json(const SecretVersion& version, const Json& custom_metadata) {
  return Json::object({{"created_time", Json::string(vault_time(version.created_at_ms))},
                       {"custom_metadata", custom_metadata},
                       {"deletion_time", Json::string(vault_time(version.deleted_at_ms))},
                       {"destroyed", Json::boolean(version.is_destroyed)},
                       {"version", Json::integer(version.version)}});
}

// The version, with its data only as long as there are any: without them the answer is a 404 that
// says which version it was.
VaultReply read_reply(const SecretRead& read, std::string_view member, std::string_view data) {
  const Json metadata = version_json(read.version, custom_metadata_json(read.custom_metadata));
  const std::string metadata_text = metadata.text();
  VaultReply reply;
  reply.status = read.is_live ? 200 : 404;
  reply.data.clear();
  reply.data.reserve(data.size() + metadata_text.size() + member.size() + 32);
  reply.data.append(R"({")").append(member).append(R"(":)").append(read.is_live ? data : "null");
  reply.data.append(R"(,"metadata":)").append(metadata_text).append("}");
  return reply;
}

Result<SecretRead> read_version(const VaultParts& parts, const VaultCall& call) {
  const auto version = TRY(whole_number(call.request.parameter("version"), "version"));
  const std::int64_t number = version.value_or(0);
  if (number < 0) {
    return Error{Fault::rejected, Cause::other, "version must not be negative", ""};
  }
  return parts.secrets.store.read(call.path, number, call.actor, call.now_ms);
}

VaultReply read_secret(const VaultParts& parts, const VaultCall& call) {
  if (auto allowed = parts.secrets.policies.require(call.actor, "read", call.path); !allowed.ok()) {
    return denied(allowed.error());
  }
  const auto read = read_version(parts, call);
  return read.ok() ? read_reply(read.value(), "data", read.value().data.view())
                   : failed(read.error());
}

// The names in a map and in the maps within it down to `depth` levels (0: all of them), with null
// for every value.
Json names_of(const Json& map, std::int64_t depth) {
  std::vector<std::pair<std::string, Json>> names;
  for (const auto& [name, value] : map.members()) {
    const bool is_deeper = value.is_object() && !value.members().empty() && depth != 1;
    names.emplace_back(name, is_deeper ? names_of(value, depth == 0 ? 0 : depth - 1) : Json());
  }
  return Json::object(std::move(names));
}

VaultReply read_subkeys(const VaultParts& parts, const VaultCall& call) {
  if (auto allowed = parts.secrets.policies.require(call.actor, "read", call.path); !allowed.ok()) {
    return denied(allowed.error());
  }
  const auto depth = whole_number(call.request.parameter("depth"), "depth");
  if (!depth.ok()) {
    return failed(depth.error());
  }
  const auto read = read_version(parts, call);
  if (!read.ok()) {
    return failed(read.error());
  }
  if (!read.value().is_live) {
    return read_reply(read.value(), "subkeys", "");
  }
  const auto map = Json::parse(read.value().data.view());
  if (!map.ok()) {
    return failed(map.error());
  }
  return read_reply(read.value(), "subkeys",
                    names_of(map.value(), depth.value().value_or(0)).text());
}

// ---- Writing ------------------------------------------------------------------------------------

VaultReply written(const VaultParts& parts, const VaultCall& call,
                   const Result<SecretVersion>& version) {
  if (!version.ok()) {
    return failed(version.error());
  }
  auto stored = stored_secret(parts, call.path);
  if (!stored.ok()) {
    return failed(stored.error());
  }
  return reply_with(
      version_json(version.value(), custom_metadata_json(stored.value().custom_metadata)));
}

// What is in the body: the map, and the version that must be the current one.
struct Written {
  Json data;
  std::optional<std::int64_t> cas;
};

Result<Written> written_body(const VaultCall& call) {
  if (!call.body["data"].is_object()) {
    return Error{Fault::rejected, Cause::other, "no data provided",
                 "write {\"data\": {\"KEY\": \"VALUE\"}}"};
  }
  const auto cas = TRY(whole_number(call.body["options"]["cas"], "options.cas"));
  return Written{call.body["data"], cas};
}

VaultReply write_secret(const VaultParts& parts, const VaultCall& call) {
  const auto stored = stored_secret(parts, call.path);
  if (!stored.ok()) {
    return failed(stored.error());
  }
  const char* capability = stored.value().current_version == 0 ? "create" : "update";
  if (auto allowed = parts.secrets.policies.require(call.actor, capability, call.path);
      !allowed.ok()) {
    return denied(allowed.error());
  }
  const auto body = written_body(call);
  if (!body.ok()) {
    return failed(body.error());
  }
  return written(parts, call,
                 parts.secrets.store.write(call.path, body.value().data, body.value().cas,
                                           call.actor, call.now_ms));
}

VaultReply patch_secret(const VaultParts& parts, const VaultCall& call) {
  if (auto allowed = parts.secrets.policies.require(call.actor, "patch", call.path);
      !allowed.ok()) {
    return denied(allowed.error());
  }
  if (auto wrong = wrong_patch_type(call); wrong.has_value()) {
    return *wrong;
  }
  const auto body = written_body(call);
  if (!body.ok()) {
    return failed(body.error());
  }
  return written(parts, call,
                 parts.secrets.store.patch(call.path, body.value().data, body.value().cas,
                                           call.actor, call.now_ms));
}

// ---- Deleting -----------------------------------------------------------------------------------

using Mark = Result<> (SecretStore::*)(const std::string& path,
                                       const std::vector<std::int64_t>& versions,
                                       const Actor& actor, std::int64_t now_ms);

VaultReply mark_versions(const VaultParts& parts, const VaultCall& call, const char* capability,
                         Mark mark) {
  if (auto allowed = parts.secrets.policies.require(call.actor, capability, call.path);
      !allowed.ok()) {
    return denied(allowed.error());
  }
  const auto versions = whole_numbers(call.body["versions"], "versions");
  if (!versions.ok()) {
    return failed(versions.error());
  }
  if (versions.value().empty()) {
    return refused_with(400, "No version number provided; write {\"versions\": [1]}");
  }
  return done_or_absent(
      (parts.secrets.store.*mark)(call.path, versions.value(), call.actor, call.now_ms));
}

VaultReply delete_current(const VaultParts& parts, const VaultCall& call) {
  if (auto allowed = parts.secrets.policies.require(call.actor, "delete", call.path);
      !allowed.ok()) {
    return denied(allowed.error());
  }
  return done_or_absent(
      parts.secrets.store.delete_versions(call.path, {}, call.actor, call.now_ms));
}

VaultReply delete_versions(const VaultParts& parts, const VaultCall& call) {
  return mark_versions(parts, call, "delete", &SecretStore::delete_versions);
}

VaultReply undelete_versions(const VaultParts& parts, const VaultCall& call) {
  return mark_versions(parts, call, "update", &SecretStore::undelete_versions);
}

VaultReply destroy_versions(const VaultParts& parts, const VaultCall& call) {
  return mark_versions(parts, call, "delete", &SecretStore::destroy_versions);
}

constexpr VaultAccess kHolder = VaultAccess::holder;
constexpr VaultAudit kFailures = VaultAudit::failures;

constexpr VaultRoute kRoutes[] = {
    {"GET", "secret/data/*", kHolder, kFailures, "read", read_secret},
    {"POST", "secret/data/*", kHolder, kFailures, "write", write_secret},
    {"PATCH", "secret/data/*", kHolder, kFailures, "patch", patch_secret},
    {"DELETE", "secret/data/*", kHolder, kFailures, "delete", delete_current},
    {"GET", "secret/subkeys/*", kHolder, kFailures, "read", read_subkeys},
    {"POST", "secret/delete/*", kHolder, kFailures, "delete", delete_versions},
    {"POST", "secret/undelete/*", kHolder, kFailures, "undelete", undelete_versions},
    {"POST", "secret/destroy/*", kHolder, kFailures, "destroy", destroy_versions},
};

}  // namespace

std::span<const VaultRoute> vault_kv_routes() { return kRoutes; }

Json custom_metadata_json(const std::string& text) {
  const auto parsed = Json::parse(text);
  return parsed.ok() && !parsed.value().members().empty() ? parsed.value() : Json();
}

VaultReply done_or_absent(const Result<>& done) {
  return done.ok() || done.error().cause == Cause::not_found ? reply_without_body()
                                                             : failed(done.error());
}

std::optional<VaultReply> wrong_patch_type(const VaultCall& call) {
  const std::string type = call.request.header("Content-Type");
  if (type.substr(0, type.find_first_of("; ")) == kMergePatch) {
    return std::nullopt;
  }
  return refused_with(
      415, fmt::format("PATCH requires the Content-Type {}, not '{}'", kMergePatch, type));
}

Result<StoredSecret> stored_secret(const VaultParts& parts, const std::string& path) {
  if (!parts.secrets.keyring.is_open()) {
    return parts.secrets.keyring.closed_error();
  }
  const std::string* script = parts.schema.script("api.secret");
  CHECK(script != nullptr);
  const auto rows = TRY(parts.state.query(*script, {{"path", path}}));
  if (rows.empty()) {
    return StoredSecret{};
  }
  const Row& row = rows.front();
  return StoredSecret{true, row.integer("current_version"), row.text("custom_metadata")};
}

}  // namespace rowlock
