// `rowlock secret put` writes a whole map as a new version, `rowlock secret patch` some of its
// keys. Without keys, `put` opens the map in an editor.
#include "controller/cli/all_verbs.h"
#include "controller/cli/secrets/secret_editor.h"
#include "controller/cli/secrets/secret_input.h"
#include "controller/cli/secrets/secret_values.h"
#include "controller/crypto/secret_bytes.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

struct Options {
  std::string path;
  std::vector<std::string> values;   // KEY, KEY=-, KEY=@FILE
  std::vector<std::string> removed;  // Keys; of `patch` alone.
  std::optional<std::int64_t> cas;
  bool is_json = false;  // The whole map as JSON from stdin.
};

constexpr int kEditsMax = 20;  // Of one edit that does not read.

// What is there now, for the editor: its map, and the version that an edit is based on.
struct Current {
  Json map = Json::object({});
  std::int64_t version = 0;
};

Result<Current> current_of(const ControllerClient& client, const std::string& path) {
  auto metadata = client.ask("GET", secret_address("metadata", path));
  if (!metadata.ok()) {
    return metadata.error().cause == Cause::not_found ? Result<Current>(Current{})
                                                      : metadata.error();
  }
  Current current;
  current.version = metadata.value()["data"]["current_version"].as_integer();
  if (current.version == 0) {
    return current;
  }
  auto read = client.ask(
      "GET", fmt::format("{}?version={}", secret_address("data", path), current.version));
  if (!read.ok()) {  // A version that was deleted is edited from nothing.
    return read.error().cause == Cause::not_found ? Result<Current>(current) : read.error();
  }
  current.map = read.value()["data"]["data"];
  return current;
}

// In the editor until it reads, or the person gives up. Nothing: given up, or interrupted.
Result<std::optional<Json>> edited_map(const Call& call, const std::string& path,
                                       const Current& current) {
  const std::string title = current.version == 0
                                ? fmt::format("{}, which is new", path)
                                : fmt::format("{}, version {}", path, current.version);
  EditableMap shown = editable(current.map, title);
  for (int edit = 0; edit < kEditsMax; ++edit) {
    const auto left = TRY(edited(shown.text, "secret" + shown.suffix));
    if (!left) {
      return std::optional<Json>();
    }
    wipe(shown.text);
    shown.text = *left;
    auto map = map_of_edited(shown.text);
    if (map.ok()) {
      wipe(shown.text);
      return std::optional(map.value());
    }
    call.terminal.fail(map.error());
    if (!call.terminal.reads_person() || !call.terminal.confirms("edit again?")) {
      break;
    }
  }
  wipe(shown.text);
  return Error{Fault::rejected, Cause::other, "what was edited cannot be read: nothing was written",
               ""};
}

Json body_of(const Json& map, const std::optional<std::int64_t>& cas) {
  if (!cas) {
    return Json::object({{"data", map}});
  }
  return Json::object({{"data", map}, {"options", Json::object({{"cas", Json::integer(*cas)}})}});
}

int tell_written(const Call& call, const std::string& path, const Json& answer) {
  const std::int64_t version = answer["data"]["version"].as_integer();
  if (call.terminal.is_json()) {
    call.terminal.print(
        fmt::format("{{\"path\":{},\"version\":{}}}\n", json_text(Value(path)), version));
  } else {
    call.terminal.note(fmt::format("{} is at version {}", path, version));
  }
  return kExitOk;
}

int tell_unchanged(const Call& call, const Options& options, const Current& current) {
  if (call.terminal.is_json()) {
    call.terminal.print(fmt::format("{{\"path\":{},\"version\":{}}}\n",
                                    json_text(Value(options.path)), current.version));
  }
  call.terminal.note("no change: nothing was written");
  return kExitOk;
}

Result<int> put_edited(const Call& call, const Options& options) {
  const ControllerClient& client = call.controller();
  const auto found = TRY(current_of(client, options.path));
  const Current& current = found;
  const auto map = TRY(edited_map(call, options.path, current));
  if (!map) {
    call.terminal.note("interrupted: nothing was written");
    return kExitInterrupted;
  }
  if (map->text() == current.map.text()) {
    return tell_unchanged(call, options, current);
  }
  auto written = client.ask("POST", secret_address("data", options.path),
                            body_of(*map, options.cas.value_or(current.version)));
  return written.ok() ? Result<int>(tell_written(call, options.path, written.value()))
                      : written.error();
}

Result<std::optional<Json>> map_from_input(const Call& call, const Options& options) {
  if (!options.is_json) {
    auto sources = read_value_sources(options.values);
    return sources.ok() ? map_of(sources.value(), call.terminal.reads_person()) : sources.error();
  }
  std::string held = TRY(all_of_stdin());
  auto map = map_of_json(held, "stdin");
  wipe(held);
  return map.ok() ? Result<std::optional<Json>>(std::optional(map.value())) : map.error();
}

// A mistake in the words, as opposed to one in what they lead to.
std::optional<Error> misuse_of(const Options& options) {
  if (options.is_json && !options.values.empty()) {
    return Error{Fault::rejected, Cause::other,
                 "--stdin-json is the whole map, keys beside it are not", "leave one of them out"};
  }
  TRY(read_value_sources(options.values));
  return std::nullopt;
}

Json patch_of(const Json& map, const std::vector<std::string>& removed) {
  auto members = map.members();
  for (const std::string& key : removed) {
    members.emplace_back(key, Json());
  }
  return Json::object(std::move(members));
}

Result<int> secret_put(const Call& call, const Options& options) {
  if (const auto misuse = misuse_of(options)) {
    return call.terminal.fail(*misuse, kExitUsage);
  }
  if (options.values.empty() && !options.is_json) {
    if (call.terminal.reads_person()) {
      return put_edited(call, options);
    }
    return call.terminal.fail({Fault::rejected, Cause::other, "say which keys to write",
                               "KEY is read from stdin, KEY=@FILE from a file; --stdin-json reads "
                               "the whole map"},
                              kExitUsage);
  }
  const auto map = TRY(map_from_input(call, options));
  if (!map) {
    return kExitInterrupted;
  }
  auto written = call.controller().ask("POST", secret_address("data", options.path),
                                       body_of(*map, options.cas));
  return written.ok() ? Result<int>(tell_written(call, options.path, written.value()))
                      : written.error();
}

Result<int> secret_patch(const Call& call, const Options& options) {
  if (const auto misuse = misuse_of(options)) {
    return call.terminal.fail(*misuse, kExitUsage);
  }
  if (options.values.empty() && options.removed.empty() && !options.is_json) {
    return call.terminal.fail({Fault::rejected, Cause::other, "say which keys to change",
                               "KEY is read from stdin, KEY=@FILE from a file; --remove KEY"},
                              kExitUsage);
  }
  const auto map = TRY(map_from_input(call, options));
  if (!map) {
    return kExitInterrupted;
  }
  std::string body = body_of(patch_of(*map, options.removed), options.cas).text();
  auto written = call.controller().ask("PATCH", secret_address("data", options.path), body,
                                       "application/merge-patch+json");
  wipe(body);
  return written.ok() ? Result<int>(tell_written(call, options.path, written.value()))
                      : written.error();
}

constexpr char kHowValuesComeIn[] =
    "A value is never a word of the command line, which everybody on the machine can read:\n"
    "  KEY or KEY=-  from stdin, one end of line taken off; typed without echo on a terminal\n"
    "  KEY=@FILE     from a file, to the last byte\n";

void add_values(const Verb& verb, Options& said) {
  verb.option("PATH", said.path, kSecretPath).required();
  verb.option("KEY", said.values, "KEY, KEY=- or KEY=@FILE");
  verb.option("--cas", said.cas, "only if this is the newest version; 0: only if none is")
      .at_least(0);
  verb.flag("--stdin-json", said.is_json, "all keys, as one JSON object from stdin");
}

}  // namespace

void add_secret_put(Verbs& secret) {
  const auto [verb, said] =
      secret.add("put", "Write a whole map as a new version", "", Needs::controller, secret_put);
  verb.footer(std::string(kHowValuesComeIn) +
              "Without keys, on a terminal: the map in your editor, in memory alone.\n"
              "Examples:\n  rowlock secret put db/prod user=@user.txt password\n"
              "  rowlock secret put db/prod");
  add_values(verb, said);
}

void add_secret_patch(Verbs& secret) {
  const auto [verb, said] =
      secret.add("patch", "Write some keys, the others stay", "", Needs::controller, secret_patch);
  verb.footer(std::string(kHowValuesComeIn) + "Example:\n  rowlock secret patch db/prod password");
  verb.option("--remove", said.removed, "take this key out (again for more)")
      .again_for_more()
      .type("KEY");
  add_values(verb, said);
}

}  // namespace rowlock
