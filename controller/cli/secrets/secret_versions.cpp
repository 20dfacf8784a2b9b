// The versions of a secret: looked at, deleted, undeleted, destroyed; the secret's metadata, and
// its end.
#include "controller/base/time.h"
#include "controller/cli/controller_client.h"
#include "controller/cli/secrets/secret_verbs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

namespace rowlock {
namespace {

struct Version {
  std::int64_t number = 0;
  Json about;
};

// Moments compare as text: both are in UTC, the years have four digits.
std::string state_of(const Json& version, const std::string& now) {
  if (version["destroyed"].as_boolean()) {
    return "destroyed";
  }
  const std::string deleted = version["deletion_time"].as_string();
  if (deleted.empty()) {
    return "live";
  }
  return deleted <= now ? "deleted" : "live until " + deleted;
}

std::vector<Version> versions_of(const Json& metadata) {
  std::vector<Version> versions;
  for (const auto& [number, about] : metadata["versions"].members()) {
    versions.push_back({std::strtoll(number.c_str(), nullptr, 10), about});
  }
  std::sort(versions.begin(), versions.end(),
            [](const Version& left, const Version& right) { return left.number < right.number; });
  return versions;
}

Result<Json> metadata_of(const ControllerClient& client, const std::string& path) {
  auto read = client.ask("GET", secret_address("metadata", path));
  if (read.ok()) {
    return read.value()["data"];
  }
  Error error = read.error();
  if (error.cause == Cause::not_found) {
    error.message = fmt::format("there is no secret at {}", path);
    error.hint = "`rowlock secret list` tells what there is";
  }
  return error;
}

std::string numbers_of(const std::vector<std::int64_t>& versions) {
  return fmt::format("version{} {}", versions.size() == 1 ? "" : "s", fmt::join(versions, ", "));
}

Json body_of(const std::vector<std::int64_t>& versions) {
  std::vector<Json> items;
  for (const std::int64_t version : versions) {
    items.push_back(Json::integer(version));
  }
  return Json::object({{"versions", Json::array(std::move(items))}});
}

// Whether it may go on; what cannot be undone is asked, or was agreed to with --yes.
Result<bool> is_agreed(const Call& call, const SecretVersionsOptions& options,
                       const std::string& question) {
  if (options.is_agreed) {
    return true;
  }
  if (!call.terminal.reads_person()) {
    return Error{Fault::rejected, Cause::other, "nobody is there to agree to this",
                 "nothing was changed; add --yes"};
  }
  return call.terminal.confirms(question);
}

Result<int> told(const Call& call, const Result<Json>& answered, const std::string& sentence) {
  if (!answered.ok()) {
    return answered.error();
  }
  call.terminal.note(sentence);
  return kExitOk;
}

// Those that were named, with the others as they are.
Result<Json> custom_metadata_of(const SecretMetadataOptions& options, const Json& now) {
  std::map<std::string, Json> members;
  for (const auto& [key, value] : now.members()) {
    members[key] = value;
  }
  for (const std::string& word : options.set) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{Fault::rejected, Cause::other, fmt::format("--set {}: say KEY=VALUE", word), ""};
    }
    members[word.substr(0, equals)] = Json::string(word.substr(equals + 1));
  }
  for (const std::string& key : options.unset) {
    members.erase(key);
  }
  return Json::object({members.begin(), members.end()});
}

bool changes_something(const SecretMetadataOptions& options) {
  return options.max_versions || options.cas_required || options.delete_after_ms ||
         !options.set.empty() || !options.unset.empty();
}

Result<Json> settings_of(const ControllerClient& client, const SecretMetadataOptions& options) {
  std::vector<std::pair<std::string, Json>> members;
  if (options.max_versions) {
    members.emplace_back("max_versions", Json::integer(*options.max_versions));
  }
  if (options.cas_required) {
    members.emplace_back("cas_required", Json::boolean(*options.cas_required));
  }
  if (options.delete_after_ms) {
    members.emplace_back("delete_version_after",
                         Json::string(duration_text(*options.delete_after_ms)));
  }
  if (!options.set.empty() || !options.unset.empty()) {
    auto now = client.ask("GET", secret_address("metadata", options.path));
    if (!now.ok() && now.error().cause != Cause::not_found) {
      return now.error();
    }
    const auto custom = TRY(custom_metadata_of(
        options, now.ok() ? now.value()["data"]["custom_metadata"] : Json::object({})));
    members.emplace_back("custom_metadata", custom);
  }
  return Json::object(std::move(members));
}

int show_metadata(const Call& call, const Json& metadata) {
  if (call.terminal.is_json()) {
    call.terminal.print(metadata.text() + "\n");
    return kExitOk;
  }
  std::vector<std::vector<Value>> rows;
  for (const auto& [name, value] : metadata.members()) {
    if (name != "versions") {
      rows.push_back({name, value.is_string() ? value.as_string() : value.text()});
    }
  }
  call.terminal.show(table_from({"name", "value"}, std::move(rows)));
  return kExitOk;
}

}  // namespace

Result<int> secret_versions(const Call& call, const SecretVersionsOptions& options) {
  const ControllerClient client(call, ControllerClient::Access::reads);
  const auto metadata = TRY(metadata_of(client, options.path));
  const std::string now = rfc3339(system_now_ms());
  std::vector<std::vector<Value>> rows;
  for (const Version& version : versions_of(metadata)) {
    rows.push_back({version.number, version.about["created_time"].as_string(),
                    version.about["created_by"].as_string(), state_of(version.about, now)});
  }
  call.terminal.show(table_from({"version", "created", "by", "state"}, std::move(rows)));
  return kExitOk;
}

Result<int> secret_delete(const Call& call, const SecretVersionsOptions& options) {
  const ControllerClient client(call);
  if (options.versions.empty()) {
    return told(call, client.ask("DELETE", secret_address("data", options.path)),
                fmt::format("the newest version of {0} is deleted; `rowlock secret undelete {0} "
                            "--version N` brings it back",
                            options.path));
  }
  const std::string which = numbers_of(options.versions);
  return told(
      call, client.ask("POST", secret_address("delete", options.path), body_of(options.versions)),
      fmt::format("{} of {} deleted; `rowlock secret undelete` brings back", which, options.path));
}

Result<int> secret_undelete(const Call& call, const SecretVersionsOptions& options) {
  return told(
      call,
      ControllerClient(call).ask("POST", secret_address("undelete", options.path),
                                 body_of(options.versions)),
      fmt::format("{} of {} can be read again", numbers_of(options.versions), options.path));
}

Result<int> secret_destroy(const Call& call, const SecretVersionsOptions& options) {
  const std::string which = numbers_of(options.versions);
  const auto agreed =
      TRY(is_agreed(call, options, fmt::format("destroy {} of {} for ever?", which, options.path)));
  if (!agreed) {
    call.terminal.note("nothing was changed");
    return kExitFailed;
  }
  return told(call,
              ControllerClient(call).ask("PUT", secret_address("destroy", options.path),
                                         body_of(options.versions)),
              fmt::format("{} of {} destroyed", which, options.path));
}

Result<int> secret_remove(const Call& call, const SecretVersionsOptions& options) {
  const auto agreed = TRY(is_agreed(
      call, options, fmt::format("remove {} with all its versions for ever?", options.path)));
  if (!agreed) {
    call.terminal.note("nothing was changed");
    return kExitFailed;
  }
  return told(call, ControllerClient(call).ask("DELETE", secret_address("metadata", options.path)),
              fmt::format("{} is removed", options.path));
}

Result<int> secret_metadata(const Call& call, const SecretMetadataOptions& options) {
  const ControllerClient client(call);
  if (changes_something(options)) {
    const auto settings = TRY(settings_of(client, options));
    return told(call, client.ask("POST", secret_address("metadata", options.path), settings),
                fmt::format("the settings of {} are changed", options.path));
  }
  auto metadata = metadata_of(client, options.path);
  return metadata.ok() ? Result<int>(show_metadata(call, metadata.value())) : metadata.error();
}

}  // namespace rowlock
