// The half of SecretStore that writes versions, and takes them away.
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/secrets/merge_patch.h"
#include "controller/secrets/secret_parts.h"
#include "controller/secrets/secret_store.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

std::string names_in(const Json& data) {
  std::vector<Json> names;
  for (const auto& [name, value] : data.members()) {
    if (!value.is_null()) {  // There is nothing to give.
      names.push_back(Json::string(name));
    }
  }
  return Json::array(std::move(names)).text();
}

std::string array_of(const std::vector<std::int64_t>& versions) {
  std::vector<Json> items;
  for (const std::int64_t version : versions) {
    items.push_back(Json::integer(version));
  }
  return Json::array(std::move(items)).text();
}

}  // namespace

Result<> SecretStore::check_cas(const SecretMetadata* secret, std::optional<std::int64_t> cas) {
  if (cas.has_value()) {
    return *cas == (secret == nullptr ? 0 : secret->current_version)
               ? Result<>(Done{})
               : rejected("check-and-set parameter did not match the current version");
  }
  const auto settings = TRY(config());
  if (settings.cas_required || (secret != nullptr && secret->cas_required)) {
    return rejected("check-and-set parameter required for this call");
  }
  return Done{};
}

Result<> SecretStore::drop_surplus(const std::string& path) {
  const auto surplus = TRY(query("secret.surplus", {{"path", path}}));
  for (const Row& row : surplus) {
    const Values key = {{"path", path}, {"version", row.integer("version")}};
    TRY(audit_.row_leaves("secret_version", key));
    TRY(run("secret.drop_version", key));
  }
  return Done{};
}

Result<SecretVersion> SecretStore::write_version(const std::string& path, const Json& data,
                                                 const Actor& actor, std::int64_t now_ms) {
  std::string text = data.text();
  if (!data.is_object() || text.size() > kDataMax) {
    wipe(text);
    return rejected(fmt::format("a secret is a JSON object of at most {} KB", kDataMax / 1024));
  }
  TRY(run("secret.make", {{"path", path}, {"now_ms", now_ms}}));
  const auto next = TRY(first("secret.next_version", {{"path", path}, {"now_ms", now_ms}}));
  if (!next.has_value()) {
    return config().error();  // Its only other part is the secret, which was just made.
  }
  const std::int64_t number = next->integer("version");
  const Key& kek = keyring_.newest("kek");
  const SecretBytes data_key = SecretBytes::random(kKeyBytes);
  const Values values = {
      {"path", path},
      {"version", number},
      {"now_ms", now_ms},
      {"created_by", actor.name},
      {"deleted_at_ms", next->at("deleted_at_ms")},
      {"keys", names_in(data)},
      {"kek", kek.id},
      {"data_key", to_base64(seal(kek.bytes, data_key.view(), bound_of("key", path, number)))},
      {"sealed", to_base64(seal(data_key, text, bound_of("data", path, number)))}};
  const std::string value = audit_.hash_of(text);
  wipe(text);
  TRY(run("secret.add_version", values));
  TRY(drop_surplus(path));
  for (const char* table : {"secret_version", "secret"}) {
    TRY(audit_.row_written(table, values));
  }
  const AuditLine line{actor.name, number == 1 ? "create" : "update", path, number, "allowed", "",
                       value};
  TRY(audit_.append(line, now_ms));
  const auto row = TRY(first("secret.version", values));
  return version_of(*row);
}

Result<SecretVersion> SecretStore::write(const std::string& path, const Json& data,
                                         std::optional<std::int64_t> cas, const Actor& actor,
                                         std::int64_t now_ms) {
  auto secret = require_secret(path);
  const bool is_new = !secret.ok() && secret.error().cause == Cause::not_found;
  if (!secret.ok() && !is_new) {
    return secret.error();
  }
  TRY(check_cas(is_new ? nullptr : &secret.value(), cas));
  return write_version(path, data, actor, now_ms);
}

Result<SecretVersion> SecretStore::patch(const std::string& path, const Json& patch,
                                         std::optional<std::int64_t> cas, const Actor& actor,
                                         std::int64_t now_ms) {
  const auto secret = TRY(require_secret(path));
  TRY(check_cas(&secret, cas));
  const auto current = TRY(read(path, 0, actor, now_ms));
  if (!current.is_live) {
    return not_found("a live version of secret " + path);
  }
  const auto data = Json::parse(current.data.view());
  return write_version(path, merged(data.ok() ? data.value() : Json(), patch), actor, now_ms);
}

Result<> SecretStore::check_unused(const std::string& path,
                                   const std::vector<std::int64_t>& versions) {
  const auto holders = TRY(query(
      "secret.holders",
      {{"path", path}, {"versions", versions.empty() ? Value() : Value(array_of(versions))}}));
  if (holders.empty()) {
    return Done{};
  }
  std::string names;
  for (const Row& row : holders) {
    names += fmt::format("{}{} (version {})", names.empty() ? "" : ", ", row.text("holder"),
                         row.integer("version"));
  }
  return rejected(fmt::format("secret {} is in use by {}", path, names),
                  "write a new version and wait until they have it, or stop the job");
}

// One script for each of the versions that there are, then the row of the secret, then the log.
Result<> SecretStore::mark(const std::string& script, const std::string& operation,
                           const std::string& path, std::vector<std::int64_t> versions,
                           const Actor& actor, std::int64_t now_ms) {
  const auto secret = TRY(require_secret(path));
  if (versions.empty()) {
    versions.push_back(secret.current_version);
  }
  if (operation == "destroy") {
    TRY(check_unused(path, versions));
  }
  for (const std::int64_t version : versions) {
    const Values values = {{"path", path}, {"version", version}, {"now_ms", now_ms}};
    const auto row = TRY(first("secret.version", values));
    if (!row.has_value()) {
      continue;
    }
    TRY(audit_.require_true("secret_version", values));
    TRY(run(script, values));
    TRY(audit_.row_written("secret_version", values));
    TRY(audit_.append({actor.name, operation, path, version, "allowed", "", ""}, now_ms));
  }
  const Values key = {{"path", path}, {"now_ms", now_ms}};
  TRY(run("secret.touch", key));
  return audit_.row_written("secret", key);
}

Result<> SecretStore::delete_versions(const std::string& path,
                                      const std::vector<std::int64_t>& versions, const Actor& actor,
                                      std::int64_t now_ms) {
  return mark("secret.delete", "delete", path, versions, actor, now_ms);
}

Result<> SecretStore::undelete_versions(const std::string& path,
                                        const std::vector<std::int64_t>& versions,
                                        const Actor& actor, std::int64_t now_ms) {
  return mark("secret.undelete", "undelete", path, versions, actor, now_ms);
}

Result<> SecretStore::destroy_versions(const std::string& path,
                                       const std::vector<std::int64_t>& versions,
                                       const Actor& actor, std::int64_t now_ms) {
  return mark("secret.destroy", "destroy", path, versions, actor, now_ms);
}

Result<> SecretStore::remove(const std::string& path, const Actor& actor, std::int64_t now_ms) {
  TRY(require_secret(path));
  TRY(check_unused(path, {}));
  const auto versions = TRY(query("secret.versions", {{"path", path}}));
  for (const Row& row : versions) {
    const Values key = {{"path", path}, {"version", row.integer("version")}};
    TRY(audit_.row_leaves("secret_version", key));
    TRY(run("secret.drop_version", key));
  }
  // Its row was touched by the last of those.
  TRY(audit_.row_leaves("secret", {{"path", path}}));
  TRY(run("secret.remove", {{"path", path}}));
  return audit_.append({actor.name, "remove", path, {}, "allowed", "", ""}, now_ms);
}

Result<std::int64_t> SecretStore::rewrap() {
  const Key& kek = keyring_.newest("kek");
  const auto rows = TRY(query("secret.wrapped_by_older", {{"kek", kek.id}}));
  for (const Row& row : rows) {
    const std::string path = row.text("path");
    const std::int64_t version = row.integer("version");
    const std::string bound = bound_of("key", path, version);
    const Key* older = keyring_.find(row.integer("kek"));
    const auto wrapped = from_base64(row.text("data_key"));
    auto key = older != nullptr && wrapped.ok() ? open_seal(older->bytes, wrapped.value(), bound)
                                                : Result<SecretBytes>(Error{});
    if (!key.ok()) {
      return Error{Fault::broken, Cause::other,
                   fmt::format("version {} of {} was changed by other hands", version, path),
                   "nothing was rotated; see `rowlock audit verify`"};
    }
    TRY(audit_.require_true("secret_version", {{"path", path}, {"version", version}}));
    const Values values = {{"path", path},
                           {"version", version},
                           {"kek", kek.id},
                           {"data_key", to_base64(seal(kek.bytes, key.value().view(), bound))}};
    TRY(run("secret.rewrap", values));
    TRY(audit_.row_written("secret_version", values));
  }
  return static_cast<std::int64_t>(rows.size());
}

}  // namespace rowlock
