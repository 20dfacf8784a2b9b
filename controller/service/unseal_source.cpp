// Every way to the key ends in read_unseal_key(). No error shows what was read or printed, for that
// may be the key.
#include "controller/service/unseal_source.h"

#include "controller/adapters/process/command.h"
#include "controller/crypto/age.h"
#include "controller/crypto/encoding.h"
#include "controller/secrets/private_file.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

namespace rowlock {
namespace {

constexpr std::int64_t kCommandTimeoutMs = 30'000;

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

Error rejected(std::string message, std::string hint = "") {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

std::string warning_of(const std::string& path, bool is_open_to_others) {
  return is_open_to_others ? fmt::format("others than its owner can read {0}: chmod 600 {0}", path)
                           : "";
}

Result<UnsealKey> key_of_file(const std::string& path) {
  const auto read = TRY(read_private_file(path));
  const std::string origin = "the file " + path;
  auto key = TRY(read_unseal_key(read.bytes, origin));
  return UnsealKey{std::move(key), origin, warning_of(path, read.is_open_to_others)};
}

Result<UnsealKey> key_of_age(const std::string& identity_path, const std::string& age_file) {
  auto identities = read_identity_file(identity_path);
  auto sealed = read_private_file(age_file);
  if (!identities.ok() || !sealed.ok()) {
    return !identities.ok() ? identities.error()
                            : rejected(sealed.error().message,
                                       "`rowlock secret rekey --age-recipient age1…` makes it");
  }
  auto text = age_decrypt(identities.value(), sealed.value().bytes.view());
  if (!text.ok()) {
    return rejected(fmt::format("{} cannot be opened with the identity in {}: {}", age_file,
                                identity_path, text.error().message));
  }
  auto key = TRY(read_unseal_key(text.value(), age_file));
  return UnsealKey{std::move(key), age_file, ""};
}

// What the command says besides the key, on stderr, would spoil it and is thrown away; what it
// printed is never shown, for it may be the key.
Result<UnsealKey> key_of_command(const std::string& command) {
  const std::string script = fmt::format("exec 2>/dev/null\n{}", command);
  auto ran = run_command({"/bin/sh", "-c", script}, kCommandTimeoutMs);
  if (!ran.ok()) {
    return rejected("the unseal command: " + ran.error().message);
  }
  CommandResult result = std::move(ran).value();
  const SecretBytes text(result.output);
  wipe(result.output);
  if (result.exit_code != 0) {
    return rejected(fmt::format("the unseal command ended with code {}", result.exit_code),
                    "run it yourself, as the controller's user, to see why");
  }
  auto key = TRY(read_unseal_key(text, "what the unseal command prints"));
  return UnsealKey{std::move(key), "the unseal command", ""};
}

}  // namespace

UnsealSource UnsealSource::with_environment() const {
  if (!key_file.empty() || !age_identity.empty() || !command.empty()) {
    return *this;
  }
  if (const std::string named = environment("ROWLOCK_UNSEAL_KEY_FILE"); !named.empty()) {
    return {named, "", ""};
  }
  const std::string folder = environment("CREDENTIALS_DIRECTORY");
  const std::string credential = folder + "/rowlock-unseal-key";
  if (!folder.empty() && access(credential.c_str(), F_OK) == 0) {
    return {credential, "", ""};
  }
  return {};
}

Result<UnsealKey> unseal_key_of(const UnsealSource& source, const std::string& age_file) {
  const int named = (source.key_file.empty() ? 0 : 1) + (source.age_identity.empty() ? 0 : 1) +
                    (source.command.empty() ? 0 : 1);
  if (named > 1) {
    return rejected("the unseal key can come from one source, and several are named",
                    "give one of --unseal-key-file, --unseal-age-identity and --unseal-command");
  }
  if (!source.key_file.empty()) {
    return key_of_file(source.key_file);
  }
  if (!source.age_identity.empty()) {
    return key_of_age(source.age_identity, age_file);
  }
  if (!source.command.empty()) {
    return key_of_command(source.command);
  }
  return UnsealKey{};
}

Result<SecretBytes> read_unseal_key(const SecretBytes& text, const std::string& origin) {
  constexpr std::string_view kBlanks = " \t\r\n";
  if (text.size() == kUnsealKeyBytes) {
    return text.copy();
  }
  const std::string_view all = text.view();
  const std::size_t first = std::min(all.find_first_not_of(kBlanks), all.size());
  const std::size_t last = all.find_last_not_of(kBlanks);
  const std::size_t length = first == all.size() ? 0 : last - first + 1;
  auto decoded = from_base64(all.substr(first, length));
  std::string bytes = decoded.ok() ? std::move(decoded).value() : "";
  SecretBytes key(bytes);
  const bool is_key = key.size() == kUnsealKeyBytes;
  wipe(bytes);
  if (!is_key) {
    return rejected(
        fmt::format("{} is not an unseal key: {} bytes in base64", origin, kUnsealKeyBytes),
        "it is what `rowlock secret init --key-file FILE` writes");
  }
  return key;
}

}  // namespace rowlock
