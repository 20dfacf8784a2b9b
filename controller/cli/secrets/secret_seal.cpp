// `rowlock secret init`, `rekey`, `unseal`, `seal` and `rotate`: the keys of the store, and the kit
// that gives them back.
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/secrets/key_files.h"
#include "controller/cli/secrets/secret_input.h"
#include "controller/cli/secrets/secret_values.h"
#include "controller/cli/terminal/interrupts.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/secret_bytes.h"
#include "controller/service/unseal_source.h"

#include <fmt/format.h>

#include <optional>
#include <sstream>
#include <unistd.h>

namespace rowlock {
namespace {

// How the unseal key is to be kept, of `init` and `rekey`.
struct SealOptions {
  std::int64_t shares = 5;
  std::int64_t threshold = 3;
  std::string key_file;                     // Empty: none.
  std::vector<std::string> age_recipients;  // None: no HOME/unseal.age.
  std::string kit;                          // Empty: to stdout.
};

struct UnsealOptions {
  std::string key_file;  // Empty: from stdin.
  bool resets = false;   // Drop the shares given so far.
};

constexpr std::int64_t kSharesMax = 255;
constexpr std::string_view kShareBegins = "rowlock-share-";

Result<> check_counts(const SealOptions& options) {
  if (options.threshold < 1 || options.shares < options.threshold || options.shares > kSharesMax) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("{} shares of which {} are needed cannot be", options.shares,
                             options.threshold),
                 "1 <= --threshold <= --shares <= 255"};
  }
  return Done{};
}

std::string json_or_null(const std::string& text) {
  return text.empty() ? "null" : json_text(Value(text));
}

// The new file that the kit goes to, made before there is anything to lose; none: stdout, which
// must be private.
Result<std::optional<ReservedFile>> place_for_kit(const Call& call, const SealOptions& options) {
  std::optional<ReservedFile> place;
  if (!options.kit.empty()) {
    auto file = TRY(ReservedFile::at(options.kit));
    place.emplace(std::move(file));
  } else if (const auto checked = call.terminal.check_is_private(); !checked.ok()) {
    Error error = checked.error();
    error.hint = "--kit FILE writes the kit to a new file that only you can read";
    return error;
  }
  return place;
}

std::string kit_text(const Call& call, const SealOptions& options, const Json& shares) {
  std::string text = fmt::format(
      "Recovery kit of the secret store in {}, made {}\n\n"
      "Any {} of these {} shares open the store after a restart (rowlock secret unseal) and after\n"
      "the loss of this machine; fewer say nothing. They are shown this once. Print them, or give\n"
      "each to another person or place, and keep them apart from the backups.\n\n",
      call.home.folder(), rfc3339(system_now_ms()), options.threshold, options.shares);
  for (const Json& share : shares.items()) {
    text += fmt::format("  {}\n", share.as_string());
  }
  return text;
}

// Whether the kit is in its file. One that cannot be written to after all is no reason to lose it.
bool keep_kit(const Call& call, std::optional<ReservedFile>& place, const std::string& text) {
  if (!place) return false;
  const auto kept = place->keep(text);
  if (!kept.ok()) call.terminal.note(kept.error().message + ", so the kit is shown here");
  return kept.ok();
}

// Once: it is kept nowhere else.
void show_kit(const Call& call, const SealOptions& options, const Json& shares,
              std::optional<ReservedFile>& place) {
  const std::string age_file = options.age_recipients.empty() ? "" : call.home.unseal_age_path();
  std::string text = kit_text(call, options, shares);
  const bool is_kept = keep_kit(call, place, text);
  if (call.terminal.is_json()) {
    std::string document = fmt::format(
        "{{\"kit\":{},\"shares\":{},\"threshold\":{},\"key_file\":{},\"age_file\":{}}}\n",
        json_or_null(is_kept ? options.kit : ""), is_kept ? "null" : shares.text(),
        options.threshold, json_or_null(options.key_file), json_or_null(age_file));
    call.terminal.print(document);
    wipe(document);
    return wipe(text);
  }
  if (is_kept) {
    call.terminal.note(
        fmt::format("the recovery kit is in {}, which only you can read: print it, "
                    "and keep it apart from this machine",
                    options.kit));
  } else {
    call.terminal.print(text);
  }
  wipe(text);
  if (!options.key_file.empty()) {
    call.terminal.note(
        fmt::format("the unseal key is in {0}: `rowlock run --unseal-key-file {0}` "
                    "opens the store by itself",
                    options.key_file));
  }
  if (!age_file.empty()) {
    call.terminal.note(
        fmt::format("the unseal key is in {}, for those identities: `rowlock run "
                    "--unseal-age-identity FILE` opens the store by itself",
                    age_file));
  }
}

// What both init and rekey do once the room for the key is taken.
Result<int> make_key(const Call& call, const SealOptions& options, KeyFiles& files,
                     const std::string& method, const std::string& path) {
  std::optional<ReservedFile> place = TRY(place_for_kit(call, options));
  const Json wish = Json::object({{"secret_shares", Json::integer(options.shares)},
                                  {"secret_threshold", Json::integer(options.threshold)},
                                  {"return_key", Json::boolean(files.are_wanted())}});
  const Interrupts held;  // Ctrl-C now could leave a key that nobody knows.
  const auto made = TRY(call.controller().ask(method, path, wish));
  Result<> kept = Done{};
  if (files.are_wanted()) {
    std::string key = made["unseal_key"].as_string();
    kept = key.empty() ? Result<>(Error{Fault::broken, Cause::other,
                                        "the controller did not hand out the unseal key", ""})
                       : files.keep(key);
    wipe(key);
  }
  show_kit(call, options, made["keys"], place);  // Whatever became of the files.
  if (!kept.ok()) {
    Error error = kept.error();
    error.hint = "the shares of the kit are the key: `rowlock secret rekey` tries again";
    return error;
  }
  return kExitOk;
}

// What is left of the key of before would open nothing, and the next start would wait for a person.
Result<> check_no_file_is_left_behind(const Call& call, const SealOptions& options) {
  const std::string age_file = call.home.unseal_age_path();
  if (options.age_recipients.empty() && access(age_file.c_str(), F_OK) == 0) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("{} would hold a key that opens nothing any more", age_file),
                 "name its recipients with --age-recipient, or remove it first"};
  }
  return Done{};
}

std::string progress_of(const Json& answer) {
  if (!answer["sealed"].as_boolean(true)) {
    return "the secret store is open";
  }
  return fmt::format("{} of {} shares", answer["progress"].as_integer(), answer["t"].as_integer());
}

Result<Json> give(const ControllerClient& client, const std::string& key) {
  return client.ask("PUT", "/v1/sys/unseal", Json::object({{"key", Json::string(key)}}));
}

// One at a time, until it is open or somebody gives up.
Result<Json> give_by_hand(const Call& call, const ControllerClient& client) {
  auto looked = client.ask("GET", "/v1/sys/seal-status");
  for (std::int64_t given = 0; given <= kSharesMax; ++given) {
    if (!looked.ok() || !looked.value()["sealed"].as_boolean(true)) {
      return looked;
    }
    const auto typed = TRY(hidden_line("a share, or the unseal key (Enter ends): "));
    std::string key = typed.value_or("");
    if (key.empty()) {
      return looked;
    }
    looked = give(client, key);
    wipe(key);
    if (looked.ok() && looked.value()["sealed"].as_boolean(true)) {
      call.terminal.note(progress_of(looked.value()));
    }
  }
  return looked;
}

// One for each line, until it is open.
Result<Json> give_lines(const Call& call, const ControllerClient& client, std::string text) {
  std::istringstream lines(text);
  wipe(text);
  auto looked = client.ask("GET", "/v1/sys/seal-status");
  for (std::string line; looked.ok() && std::getline(lines, line);) {
    line = without_line_end(line + "\n");
    if (line.empty()) {
      continue;
    }
    looked = give(client, line);
    wipe(line);
    if (looked.ok() && !looked.value()["sealed"].as_boolean(true)) {
      break;
    }
    if (looked.ok()) {
      call.terminal.note(progress_of(looked.value()));
    }
  }
  return looked;
}

// A file of shares, a line each, or of the key.
Result<Json> give_file(const Call& call, const ControllerClient& client, const std::string& file) {
  std::string text = TRY(text_of_file(file));
  if (text.find(kShareBegins) != std::string::npos) {
    return give_lines(call, client, std::move(text));
  }
  const SecretBytes held(text);
  wipe(text);
  const auto key = TRY(read_unseal_key(held, file));
  std::string encoded = to_base64(key.view());
  auto given = give(client, encoded);
  wipe(encoded);
  return given;
}

Result<Json> give_all(const Call& call, const ControllerClient& client,
                      const UnsealOptions& options) {
  if (options.resets) {
    return client.ask("PUT", "/v1/sys/unseal", Json::object({{"reset", Json::boolean(true)}}));
  }
  if (!options.key_file.empty()) {
    return give_file(call, client, options.key_file);
  }
  if (call.terminal.reads_person()) {
    return give_by_hand(call, client);
  }
  auto text = all_of_stdin();
  return text.ok() ? give_lines(call, client, std::move(text).value()) : text.error();
}

Result<int> secret_init(const Call& call, const SealOptions& options) {
  TRY(check_counts(options));
  KeyFiles reserved = TRY(KeyFiles::reserve(
      {options.key_file, options.age_recipients, call.home.unseal_age_path(), false}));
  return make_key(call, options, reserved, "PUT", "/v1/sys/init");
}

Result<int> secret_rekey(const Call& call, const SealOptions& options) {
  auto checked = check_counts(options);
  checked = checked.ok() ? check_no_file_is_left_behind(call, options) : checked;
  if (!checked.ok()) {
    return checked.error();
  }
  KeyFiles reserved = TRY(KeyFiles::reserve(
      {options.key_file, options.age_recipients, call.home.unseal_age_path(), true}));
  auto made = make_key(call, options, reserved, "POST", "/v1/rowlock/rekey");
  if (!made.ok() && made.error().fault == Fault::transient &&
      made.error().cause != Cause::unreachable) {
    Error error = made.error();
    error.hint = "the key may have changed unseen: rekey again before the controller stops";
    return error;
  }
  return made;
}

Result<int> secret_unseal(const Call& call, const UnsealOptions& options) {
  const ControllerClient& client = call.controller();
  const auto given = TRY(give_all(call, client, options));
  const Json& answer = given;
  if (call.terminal.is_json()) {
    call.terminal.print(fmt::format("{{\"sealed\":{},\"progress\":{},\"threshold\":{}}}\n",
                                    answer["sealed"].as_boolean(true),
                                    answer["progress"].as_integer(), answer["t"].as_integer()));
    return kExitOk;
  }
  call.terminal.print(progress_of(answer) + "\n");
  return kExitOk;
}

Result<int> secret_seal(const Call& call) {
  TRY(call.controller().ask("PUT", "/v1/sys/seal", "{}"));
  call.terminal.note("sealed: nothing can be read until `rowlock secret unseal`");
  return kExitOk;
}

Result<int> secret_rotate(const Call& call) {
  TRY(call.controller().ask("POST", "/v1/sys/rotate", "{}"));
  call.terminal.note("there is a newer key, and every version of a secret is wrapped by it");
  return kExitOk;
}

void add_seal_options(const Added<SealOptions>& added) {
  const auto [verb, said] = added;
  verb.option("--shares", said.shares, "how many (default 5)");
  verb.option("--threshold", said.threshold, "how many of them open (default 3)");
  verb.option("--kit", said.kit, "write the recovery kit to a new file, mode 0600").type("FILE");
  verb.option("--key-file", said.key_file, "write the key to a new file, mode 0600").type("FILE");
  verb.option("--age-recipient", said.age_recipients,
              "write HOME/unseal.age for this age1… (again for more)")
      .again_for_more();
}

}  // namespace

void add_secret_init(Verbs& secret) {
  add_seal_options(secret.add("init", "Make the keys, and show the recovery kit once",
                              "rowlock secret init --shares 5 --threshold 3", Needs::controller,
                              secret_init));
}

void add_secret_unseal(Verbs& secret) {
  const auto [verb, said] =
      secret.add("unseal", "Open the store with shares, or with the key, from stdin",
                 "rowlock secret unseal < share.txt", Needs::controller, secret_unseal);
  verb.option("--key-file", said.key_file, "the key, or shares, from a file").type("FILE");
  verb.flag("--reset", said.resets, "drop the shares given so far");
}

void add_secret_seal(Verbs& secret) {
  secret.add("seal", "Close the store: the keys are wiped from memory", "rowlock secret seal",
             Needs::controller, secret_seal);
}

void add_secret_rekey(Verbs& secret) {
  add_seal_options(secret.add("rekey", "Another unseal key and other shares",
                              "rowlock secret rekey --key-file /root/rowlock.key",
                              Needs::controller, secret_rekey));
}

void add_secret_rotate(Verbs& secret) {
  secret.add("rotate", "A newer key inside, by which everything is wrapped anew",
             "rowlock secret rotate", Needs::controller, secret_rotate);
}

}  // namespace rowlock
