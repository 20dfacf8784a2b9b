// The half that reads, lists and sets; versions are written in secret_write.cpp. What is read from
// a row is held against its digest first, or the answer would vouch for what other hands wrote.
#include "controller/secrets/secret_store.h"

#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/secrets/secret_parts.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {

namespace {

template <typename T>
Value value_of(const std::optional<T>& given) {
  return given.has_value() ? Value(*given) : Value();
}

Values values_of(const SecretSettings& settings) {
  return {
      {"max_versions", value_of(settings.max_versions)},
      {"cas_required",
       settings.cas_required.has_value() ? Value(std::int64_t{*settings.cas_required}) : Value()},
      {"delete_after_ms", value_of(settings.delete_after_ms)},
      {"custom_metadata", value_of(settings.custom_metadata)}};
}

// The bounds are those that users of Vault know.
Result<> check_settings(const SecretSettings& settings) {
  if (settings.max_versions.has_value() &&
      (*settings.max_versions < 0 || *settings.max_versions > SecretStore::kVersionsMax)) {
    return rejected(fmt::format("max_versions must be from 0 to {}", SecretStore::kVersionsMax));
  }
  if (!settings.custom_metadata.has_value()) {
    return Done{};
  }
  const auto parsed = Json::parse(*settings.custom_metadata);
  const bool is_object = parsed.ok() && parsed.value().is_object();
  if (!is_object || parsed.value().members().size() > 64) {
    return rejected("custom_metadata must be a JSON object of at most 64 strings");
  }
  for (const auto& [name, value] : parsed.value().members()) {
    if (!value.is_string() || name.empty() || name.size() > 128 || value.as_string().size() > 512) {
      return rejected(
          fmt::format("custom_metadata '{}' must be a string: a key has at most 128 "
                      "bytes, a value 512",
                      name));
    }
  }
  return Done{};
}

}  // namespace

Result<> SecretStore::check_path(std::string_view path) {
  bool is_good = !path.empty() && path.size() <= kPathMax && path.front() != '/' &&
                 path.back() != '/' && path.find("//") == std::string_view::npos;
  for (const char c : path) {
    is_good = is_good && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  }
  const std::string framed = fmt::format("/{}/", path);
  is_good = is_good && framed.find("/./") == std::string::npos &&
            framed.find("/../") == std::string::npos;
  if (!is_good) {
    return rejected("a secret's path is made of parts between single slashes, such as db/prod",
                    fmt::format("at most {} bytes, no slash at either end", kPathMax));
  }
  return Done{};
}

Result<> SecretStore::run(std::string_view script, const Values& values) {
  const std::string* text = schema_.script(script);
  CHECK(text != nullptr);
  return state_.run(*text, values);
}

Result<std::vector<Row>> SecretStore::query(std::string_view script, const Values& values) {
  const std::string* text = schema_.script(script);
  CHECK(text != nullptr);
  return state_.query(*text, values);
}

Result<std::optional<Row>> SecretStore::first(std::string_view script, const Values& values) {
  const auto rows = TRY(query(script, values));
  return rows.empty() ? std::nullopt : std::optional<Row>(rows.front());
}

Result<SecretMetadata> SecretStore::require_secret(const std::string& path) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  TRY(check_path(path));
  const Values key = {{"path", path}};
  const auto row = TRY(first("secret.row", key));
  if (!row.has_value()) {
    return not_found("secret " + path);
  }
  TRY(audit_.require_true("secret", key));
  const Row& found = *row;
  SecretMetadata secret;
  secret.path = path;
  secret.current_version = found.integer("current_version");
  secret.oldest_version = found.integer("oldest_version");
  secret.max_versions = found.integer("max_versions");
  secret.cas_required = found.integer("cas_required") == 1;
  secret.delete_after_ms = found.integer("delete_after_ms");
  secret.custom_metadata = found.text("custom_metadata");
  secret.created_at_ms = found.integer("created_at_ms");
  secret.updated_at_ms = found.integer("updated_at_ms");
  return secret;
}

Result<SecretBytes> SecretStore::open_version(const Row& row) {
  const std::string path = row.text("path");
  const std::int64_t version = row.integer("version");
  const Error changed{Fault::broken, Cause::other,
                      fmt::format("version {} of {} was changed by other hands", version, path),
                      "see `rowlock audit verify`, and put back a copy of state.db"};
  const Key* kek = keyring_.find(row.integer("kek"));
  const auto wrapped = from_base64(row.text("data_key"));
  const auto sealed = from_base64(row.text("sealed"));
  if (kek == nullptr || kek->purpose != "kek" || !wrapped.ok() || !sealed.ok()) {
    return changed;
  }
  auto key = open_seal(kek->bytes, wrapped.value(), bound_of("key", path, version));
  if (!key.ok() || key.value().size() != kKeyBytes) {
    return changed;
  }
  auto opened = open_seal(key.value(), sealed.value(), bound_of("data", path, version));
  return opened.ok() ? std::move(opened) : Result<SecretBytes>(changed);
}

Result<SecretRead> SecretStore::read(const std::string& path, std::int64_t version,
                                     const Actor& actor, std::int64_t now_ms) {
  const auto secret = TRY(require_secret(path));
  const std::int64_t wanted = version == 0 ? secret.current_version : version;
  const Values key = {{"path", path}, {"version", wanted}};
  const auto row = TRY(first("secret.version", key));
  if (!row.has_value()) {
    return not_found(wanted == 0 ? "a version of secret " + path
                                 : fmt::format("version {} of secret {}", wanted, path));
  }
  // What is said of one that is deleted must be true as well.
  TRY(audit_.require_true("secret_version", key));
  SecretRead read;
  read.version = version_of(*row);
  read.custom_metadata = secret.custom_metadata;
  read.is_live = !read.version.is_destroyed &&
                 (!read.version.deleted_at_ms.has_value() || *read.version.deleted_at_ms > now_ms);
  AuditLine line{actor.name, "read", path, wanted, "allowed", "", ""};
  if (read.is_live) {
    auto opened = TRY(open_version(*row));
    read.data = std::move(opened);
    line.value = audit_.hash_of(read.data.view());
  } else {
    line.detail = read.version.is_destroyed ? "is destroyed" : "is deleted";
  }
  TRY(audit_.append(line, now_ms));
  return read;
}

Result<SecretMetadata> SecretStore::metadata(const std::string& path, const Actor& actor,
                                             std::int64_t now_ms) {
  SecretMetadata secret = TRY(require_secret(path));
  const auto versions = TRY(query("secret.versions", {{"path", path}}));
  for (const Row& row : versions) {
    secret.versions.push_back(version_of(row));
  }
  TRY(audit_.append({actor.name, "metadata", path, {}, "allowed", "", ""}, now_ms));
  return secret;
}

Result<> SecretStore::set_metadata(const std::string& path, const SecretSettings& settings,
                                   const Actor& actor, std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  for (auto checked : {check_path(path), check_settings(settings)}) {
    if (!checked.ok()) {
      return checked.error();
    }
  }
  if (auto secret = require_secret(path);
      !secret.ok() && secret.error().cause != Cause::not_found) {
    return secret.error();
  }
  Values values = values_of(settings);
  values.insert(values.end(), {{"path", path}, {"now_ms", now_ms}});
  for (const char* script : {"secret.make", "secret.set_metadata"}) {
    TRY(run(script, values));
  }
  TRY(audit_.row_written("secret", values));
  TRY(drop_surplus(path));
  TRY(audit_.row_written("secret", values));
  return audit_.append({actor.name, "metadata", path, {}, "allowed", "written", ""}, now_ms);
}

Result<std::vector<std::string>> SecretStore::list(const std::string& folder, const Actor& actor,
                                                   std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  const auto rows = TRY(query("secret.list", {{"folder", folder}}));
  if (rows.empty()) {
    return not_found("a secret under '" + folder + "'");
  }
  std::vector<std::string> names;
  for (const Row& row : rows) {
    names.push_back(row.text("name"));
  }
  TRY(audit_.append({actor.name, "list", folder, {}, "allowed", "", ""}, now_ms));
  return names;
}

Result<SecretConfig> SecretStore::config() {
  const auto row = TRY(first("secret.config", {}));
  if (!row.has_value()) {
    return Error{Fault::broken, Cause::other, "the row of secret_config is gone",
                 "see `rowlock audit verify`, and put back a copy of state.db"};
  }
  return SecretConfig{row->integer("max_versions"), row->integer("cas_required") == 1,
                      row->integer("delete_after_ms")};
}

Result<> SecretStore::set_config(const SecretSettings& settings, const Actor& actor,
                                 std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  TRY(check_settings(settings));
  TRY(audit_.require_true("secret_config", {}));
  TRY(run("secret.set_config", values_of(settings)));
  TRY(audit_.row_written("secret_config", {}));
  return audit_.append({actor.name, "config", "", {}, "allowed", "written", ""}, now_ms);
}

}  // namespace rowlock
