// `rowlock secret import`: secrets taken over from a dotenv file or from a Vault that runs. What is
// here already stays as it is, unless --overwrite says otherwise, so that an import that broke off
// can be run again. A dry run asks for nothing that writes.
#include "controller/adapters/http/vault_client.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/secrets/dotenv.h"
#include "controller/cli/secrets/secret_input.h"
#include "controller/cli/secrets/secret_values.h"
#include "controller/crypto/secret_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace rowlock {
namespace {

struct Options {
  std::string file;              // Of a dotenv file,
  std::string path;              // and where its map goes.
  std::string mount = "secret";  // Of Vault.
  std::string prefix;
  bool overwrites = false;
  bool is_dry_run = false;
};

constexpr std::size_t kSecretsMax = 10'000;
constexpr std::size_t kFoldersMax = 10'000;

Error rejected(std::string message, std::string hint = "") {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

std::string names_in(const Json& map) {
  std::string names;
  for (const auto& [name, value] : map.members()) {
    names += (names.empty() ? "" : ",") + name;
  }
  return names;
}

// What became of one secret, or would.
struct Step {
  std::string path;
  std::string keys;    // Their names, never the values.
  std::string what;    // create | overwrite | keep | skip | failed
  std::string detail;  // Why it was not written.
};

// Whose failure is not that of one secret: nothing after it can go better.
bool ends_all(const Error& error) {
  return error.fault != Fault::rejected || error.cause == Cause::denied || !error.hint.empty();
}

Result<Step> failed(Step step, const Error& error) {
  if (ends_all(error)) {
    return error;
  }
  step.what = "failed";
  step.detail = error.message;
  return step;
}

class Import {
 public:
  Import(const Call& call, const Options& options)
      : options_(options), client_(call.controller()) {}

  // Errors are those that end all; what is wrong with this one secret is a step.
  Result<Step> take(const std::string& path, const std::optional<Json>& map) const {
    if (!map) {
      return Step{path, "", "skip", "no version of it lives"};
    }
    Step step{path, names_in(*map), "create", ""};
    auto there = client_.ask("GET", secret_address("metadata", path));
    if (!there.ok() && there.error().cause != Cause::not_found) {
      return failed(step, there.error());
    }
    const std::int64_t current =
        there.ok() ? there.value()["data"]["current_version"].as_integer() : 0;
    if (current > 0 && !options_.overwrites) {
      step.what = "keep";
      step.detail = "it is here already";
      return step;
    }
    step.what = current > 0 ? "overwrite" : "create";
    if (options_.is_dry_run) {
      return step;
    }
    // By the version just seen: one that somebody writes meanwhile is not lost.
    auto written =
        client_.ask("POST", secret_address("data", path),
                    Json::object({{"data", *map},
                                  {"options", Json::object({{"cas", Json::integer(current)}})}}));
    return written.ok() ? Result<Step>(step) : failed(step, written.error());
  }

 private:
  const Options& options_;
  const ControllerClient& client_;
};

Result<int> tell(const Call& call, const Options& options, const std::vector<Step>& steps) {
  std::vector<std::vector<Value>> rows;
  std::int64_t written = 0;
  std::int64_t kept = 0;
  std::int64_t failures = 0;
  for (const Step& step : steps) {
    rows.push_back({step.path, step.keys, step.what, step.detail});
    written += step.what == "create" || step.what == "overwrite" ? 1 : 0;
    kept += step.what == "keep" ? 1 : 0;
    failures += step.what == "failed" ? 1 : 0;
  }
  call.terminal.show(table_from({"path", "keys", "step", "detail"}, std::move(rows)));
  call.terminal.note(fmt::format("{} {}{}", counted(written, "secret"),
                                 options.is_dry_run ? "would be written" : "written",
                                 options.is_dry_run ? "; dry run: nothing was" : ""));
  if (kept > 0) {
    call.terminal.note(
        fmt::format("{} kept as here; --overwrite writes a new version", counted(kept, "secret")));
  }
  if (failures > 0) {
    call.terminal.note(fmt::format("{} not taken over", counted(failures, "secret")));
  }
  return failures == 0 ? kExitOk : kExitFailed;
}

// Every secret under the prefix, by breadth.
Result<std::vector<std::string>> paths_in(const VaultClient& vault, const Options& options) {
  std::vector<std::string> paths;
  std::vector<std::string> folders = {options.prefix};
  for (std::size_t i = 0; i < folders.size(); ++i) {
    const auto names = TRY(vault.list(options.mount, folders[i]));
    for (const std::string& name : names) {
      (name.ends_with('/') ? folders : paths).push_back(folders[i] + name);
    }
    if (folders.size() > kFoldersMax || paths.size() > kSecretsMax) {
      return rejected(fmt::format("there are more than {} secrets or folders", kSecretsMax),
                      "take them over in parts: --prefix FOLDER");
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// "db" is the secret db and what lies in the folder db/.
Options with_folder(Options options) {
  while (options.prefix.starts_with('/')) {
    options.prefix.erase(0, 1);
  }
  if (!options.prefix.empty() && !options.prefix.ends_with('/')) {
    options.prefix += '/';
  }
  while (options.mount.ends_with('/')) {
    options.mount.pop_back();
  }
  return options;
}

Result<int> secret_import_dotenv(const Call& call, const Options& options) {
  std::string held = TRY(text_of_file(options.file));
  auto lines = read_dotenv(held);
  wipe(held);
  if (!lines.ok()) {
    Error error = lines.error();
    error.message = fmt::format("{}, {}; nothing was written", options.file, error.message);
    return error;
  }
  std::vector<std::pair<std::string, Json>> members;
  for (const auto& [key, value] : lines.value()) {
    members.emplace_back(key, Json::string(value));
  }
  if (members.empty()) {
    return rejected(fmt::format("{} sets nothing", options.file));
  }
  const auto step = TRY(Import(call, options).take(options.path, Json::object(std::move(members))));
  if (step.what == "keep" && !options.is_dry_run) {
    return rejected(fmt::format("{} is here already; nothing was written", options.path),
                    "--overwrite makes this its next version");
  }
  return tell(call, options, {step});
}

Result<int> secret_import_vault(const Call& call, const Options& given) {
  const Options options = with_folder(given);
  const auto address = TRY(VaultAddress::of_environment());
  const VaultClient vault(address);
  const auto paths = TRY(paths_in(vault, options));
  if (paths.empty()) {
    return rejected(fmt::format("there are no secrets in {}/{}", options.mount, options.prefix),
                    "--mount names a key/value mount of version 2, --prefix a folder in it");
  }
  const Import import(call, options);
  std::vector<Step> steps;
  for (const std::string& path : paths) {
    auto map = vault.newest(options.mount, path);
    auto step = map.ok() ? import.take(path, map.value()) : failed({path, "", "", ""}, map.error());
    if (!step.ok()) {
      (void)tell(call, options, steps).ok();  // What was done before it broke off.
      return step.error();
    }
    steps.push_back(step.value());
  }
  return tell(call, options, steps);
}

Needs needs_of(const Options& said) { return said.is_dry_run ? Needs::answers : Needs::controller; }

void add_how(const Verb& verb, Options& said) {
  verb.flag("--overwrite", said.overwrites, "write a new version of what is here");
  verb.flag("--dry-run", said.is_dry_run, "show what would be written, write nothing");
}

}  // namespace

void add_secret_import_dotenv(Verbs& import) {
  const auto [verb, said] = import.add("dotenv", "One secret from a file of KEY=VALUE lines", "",
                                       needs_of, secret_import_dotenv);
  verb.option("FILE", said.file, "such as .env").required();
  verb.option("PATH", said.path, kSecretPath).required();
  verb.footer(
      "Quotes and comments as docker, compose and dotenv read them; $NAME stays as it is.\n"
      "Example:\n  rowlock secret import dotenv .env web/prod --dry-run");
  add_how(verb, said);
}

void add_secret_import_vault(Verbs& import) {
  const auto [verb, said] = import.add("vault", "All secrets of a mount of a Vault that runs", "",
                                       needs_of, secret_import_vault);
  verb.option("--mount", said.mount, "a key/value mount of version 2 (default secret)");
  verb.option("--prefix", said.prefix, "only this folder");
  verb.footer(
      "Reads VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE and VAULT_CACERT. Of each secret, the "
      "newest\n"
      "version that lives is taken over.\n"
      "Example:\n  VAULT_ADDR=https://vault:8200 rowlock secret import vault --dry-run");
  add_how(verb, said);
}

}  // namespace rowlock
