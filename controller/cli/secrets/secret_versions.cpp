// The versions of a secret: looked at, deleted, undeleted, destroyed; the secret's metadata, and
// its end.
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/secrets/secret_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

namespace rowlock {
namespace {

struct VersionsOptions {
  std::string path;
  std::vector<std::int64_t> versions;
  bool is_agreed = false;  // --yes
};

struct MetadataOptions {
  std::string path;
  std::optional<std::int64_t> max_versions;
  std::optional<bool> cas_required;
  std::optional<std::int64_t> delete_after_ms;
  std::vector<std::string> set;    // KEY=VALUE; not secret.
  std::vector<std::string> unset;  // Keys.
};

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
Result<bool> is_agreed(const Call& call, const VersionsOptions& options,
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
Result<Json> custom_metadata_of(const MetadataOptions& options, const Json& now) {
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

bool changes_something(const MetadataOptions& options) {
  return options.max_versions || options.cas_required || options.delete_after_ms ||
         !options.set.empty() || !options.unset.empty();
}

Result<Json> settings_of(const ControllerClient& client, const MetadataOptions& options) {
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

Result<int> secret_versions(const Call& call, const VersionsOptions& options) {
  const ControllerClient& client = call.controller();
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

Result<int> secret_delete(const Call& call, const VersionsOptions& options) {
  const ControllerClient& client = call.controller();
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

Result<int> secret_undelete(const Call& call, const VersionsOptions& options) {
  return told(
      call,
      call.controller().ask("POST", secret_address("undelete", options.path),
                            body_of(options.versions)),
      fmt::format("{} of {} can be read again", numbers_of(options.versions), options.path));
}

Result<int> secret_destroy(const Call& call, const VersionsOptions& options) {
  const std::string which = numbers_of(options.versions);
  const auto agreed =
      TRY(is_agreed(call, options, fmt::format("destroy {} of {} for ever?", which, options.path)));
  if (!agreed) {
    call.terminal.note("nothing was changed");
    return kExitFailed;
  }
  return told(call,
              call.controller().ask("PUT", secret_address("destroy", options.path),
                                    body_of(options.versions)),
              fmt::format("{} of {} destroyed", which, options.path));
}

Result<int> secret_remove(const Call& call, const VersionsOptions& options) {
  const auto agreed = TRY(is_agreed(
      call, options, fmt::format("remove {} with all its versions for ever?", options.path)));
  if (!agreed) {
    call.terminal.note("nothing was changed");
    return kExitFailed;
  }
  return told(call, call.controller().ask("DELETE", secret_address("metadata", options.path)),
              fmt::format("{} is removed", options.path));
}

Result<int> secret_metadata(const Call& call, const MetadataOptions& options) {
  const ControllerClient& client = call.controller();
  if (changes_something(options)) {
    const auto settings = TRY(settings_of(client, options));
    return told(call, client.ask("POST", secret_address("metadata", options.path), settings),
                fmt::format("the settings of {} are changed", options.path));
  }
  auto metadata = metadata_of(client, options.path);
  return metadata.ok() ? Result<int>(show_metadata(call, metadata.value())) : metadata.error();
}

Added<VersionsOptions> add_with_path(const Added<VersionsOptions>& added) {
  added.verb.option("PATH", added.said.path, kSecretPath).required();
  return added;
}

void add_which(const Verb& verb, VersionsOptions& said) {
  verb.option("--version", said.versions, "which (again for more)")
      .again_for_more()
      .at_least(1)
      .required();
}

}  // namespace

void add_secret_versions(Verbs& secret) {
  add_with_path(secret.add("versions", "The versions of a secret",
                           "rowlock secret versions db/prod", Needs::answers, secret_versions));
}

void add_secret_delete(Verbs& secret) {
  const auto [verb, said] =
      add_with_path(secret.add("delete", "Delete versions, which can be undone",
                               "rowlock secret delete db/prod", Needs::controller, secret_delete));
  verb.option("--version", said.versions, "this one instead of the newest (again for more)")
      .again_for_more()
      .at_least(1);
}

void add_secret_undelete(Verbs& secret) {
  const auto [verb, said] = add_with_path(secret.add("undelete", "Bring deleted versions back",
                                                     "rowlock secret undelete db/prod --version 3",
                                                     Needs::controller, secret_undelete));
  add_which(verb, said);
}

void add_secret_destroy(Verbs& secret) {
  const auto [verb, said] = add_with_path(secret.add("destroy", "Destroy versions for ever",
                                                     "rowlock secret destroy db/prod --version 3",
                                                     Needs::controller, secret_destroy));
  add_which(verb, said);
  verb.flag("-y,--yes", said.is_agreed, "do not ask");
}

void add_secret_remove(Verbs& secret) {
  const auto [verb, said] =
      add_with_path(secret.add("remove", "Remove a secret with all its versions",
                               "rowlock secret remove db/old", Needs::controller, secret_remove));
  verb.flag("-y,--yes", said.is_agreed, "do not ask");
}

void add_secret_metadata(Verbs& secret) {
  const auto [verb, said] =
      secret.add("metadata", "The settings of a secret, and how to change them",
                 "rowlock secret metadata db/prod --max-versions 5 --set owner=data",
                 Needs::controller, secret_metadata);
  verb.option("PATH", said.path, kSecretPath).required();
  verb.option("--max-versions", said.max_versions, "older ones go; 0: as for all").at_least(0);
  verb.option("--cas-required", said.cas_required, "whether put must say --cas: 0 or 1");
  verb.duration("--delete-after", said.delete_after_ms,
                "a version is deleted so long after it was written");
  verb.option("--set", said.set, "KEY=VALUE, which is not secret (again for more)")
      .again_for_more();
  verb.option("--unset", said.unset, "KEY (again for more)").again_for_more();
}

}  // namespace rowlock
