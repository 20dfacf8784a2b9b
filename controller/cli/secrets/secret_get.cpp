// `rowlock secret get` and `list`: what is in the store.
#include "controller/cli/all_verbs.h"
#include "controller/cli/secrets/secret_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace rowlock {
namespace {

struct GetOptions {
  std::string path;
  std::string key;           // Empty: all.
  std::int64_t version = 0;  // 0: the newest.
};

struct ListOptions {
  std::string folder;
};

std::string value_text(const Json& value) {
  return value.is_string() ? value.as_string() : value.text();
}

std::string version_text(const GetOptions& options) {
  return options.version == 0 ? options.path
                              : fmt::format("version {} of {}", options.version, options.path);
}

Error with_hint(Error error, const GetOptions& options) {
  if (error.cause == Cause::not_found) {
    error.message = fmt::format("there is nothing to read at {}", version_text(options));
    error.hint = fmt::format(
        "`rowlock secret versions {}` tells what was deleted, `rowlock secret "
        "list` what there is",
        options.path);
  }
  return error;
}

// Nothing is added where a program reads: it gets the value to the last byte.
Result<int> show_one(const Call& call, const GetOptions& options, const Json& map) {
  const auto members = map.members();
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const auto& each) { return each.first == options.key; });
  if (found == members.end()) {
    std::string keys;
    for (const auto& [key, value] : members) {
      keys += (keys.empty() ? "" : ", ") + key;
    }
    return Error{Fault::rejected, Cause::not_found,
                 fmt::format("{} has no key '{}'", version_text(options), options.key),
                 keys.empty() ? "" : "its keys: " + keys};
  }
  if (call.terminal.is_json()) {
    call.terminal.print(found->second.text() + "\n");
    return kExitOk;
  }
  call.terminal.print(value_text(found->second) + (isatty(STDOUT_FILENO) == 1 ? "\n" : ""));
  return kExitOk;
}

int show_all(const Call& call, const GetOptions& options, const Json& answer) {
  const Json& metadata = answer["metadata"];
  if (call.terminal.is_json()) {
    call.terminal.print(Json::object({{"path", Json::string(options.path)},
                                      {"version", metadata["version"]},
                                      {"created_time", metadata["created_time"]},
                                      {"custom_metadata", metadata["custom_metadata"]},
                                      {"data", answer["data"]}})
                            .text() +
                        "\n");
    return kExitOk;
  }
  std::vector<std::vector<Value>> rows;
  bool has_lines = false;
  for (const auto& [key, value] : answer["data"].members()) {
    rows.push_back({key, value_text(value)});
    has_lines = has_lines || value_text(value).find('\n') != std::string::npos;
  }
  const Table table = table_from({"key", "value"}, std::move(rows));
  if (!call.terminal.is_table()) {
    call.terminal.show(table);
    return kExitOk;
  }
  TableLook look = call.terminal.look();
  look.width = 0;  // A value that was cut would look like another value.
  call.terminal.print(table_text(table, look));
  if (has_lines) {
    call.terminal.note("a value has several lines, shown as one: --key KEY prints it as it is");
  }
  return kExitOk;
}

Result<int> secret_get(const Call& call, const GetOptions& options) {
  TRY(call.terminal.check_is_private());
  std::string address = secret_address("data", options.path);
  if (options.version != 0) {
    address += fmt::format("?version={}", options.version);
  }
  auto read = call.controller().ask("GET", address);
  if (!read.ok()) {
    return with_hint(read.error(), options);
  }
  const Json answer = read.value()["data"];
  return options.key.empty() ? show_all(call, options, answer)
                             : show_one(call, options, answer["data"]);
}

Result<int> secret_list(const Call& call, const ListOptions& options) {
  const std::string folder = options.folder.empty() || options.folder.ends_with('/')
                                 ? options.folder
                                 : options.folder + "/";
  auto listed = call.controller().ask("LIST", secret_address("metadata", folder));
  if (!listed.ok() && listed.error().cause != Cause::not_found) {
    return listed.error();
  }
  std::vector<std::vector<Value>> rows;
  if (listed.ok()) {
    for (const Json& key : listed.value()["data"]["keys"].items()) {
      rows.push_back({key.as_string()});
    }
  }
  const bool is_empty = rows.empty();
  call.terminal.show(table_from({"name"}, std::move(rows)));
  if (is_empty) {
    call.terminal.note(folder.empty() ? "there are no secrets yet: `rowlock secret put PATH KEY`"
                                      : fmt::format("there is nothing in {}", folder));
  }
  return kExitOk;
}

}  // namespace

void add_secret_get(Verbs& secret) {
  const auto [verb, said] =
      secret.add("get", "Read a secret", "rowlock secret get db/prod --key password",
                 Needs::answers, secret_get);
  verb.option("PATH", said.path, kSecretPath).required();
  verb.option("--key", said.key, "its value alone, as it is");
  verb.option("--version", said.version, "this one instead of the newest").at_least(1);
}

void add_secret_list(Verbs& secret) {
  const auto [verb, said] = secret.add("list", "What is directly in a folder",
                                       "rowlock secret list db", Needs::answers, secret_list);
  verb.option("FOLDER", said.folder, "everything's when left out");
}

}  // namespace rowlock
