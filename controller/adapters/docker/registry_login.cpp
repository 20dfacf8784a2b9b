// The order is the docker command line's: credHelpers of that registry, credsStore, auths.
// https://docs.docker.com/reference/cli/docker/login/#credential-helpers
#include "controller/adapters/docker/registry_login.h"

#include "controller/adapters/process/command.h"
#include "controller/base/json.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

namespace rowlock {

namespace {

constexpr std::int64_t kHelperDeadlineMs = 5000;
constexpr std::size_t kHelperWordsMax = 200;

struct Login {
  std::string username;
  std::string password;
  std::string identity_token;  // In place of both.

  bool is_empty() const { return username.empty() && identity_token.empty(); }
};

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Nothing when the text is not base64 (RFC 4648, section 4).
std::optional<std::string> base64_decoded(std::string_view text) {
  std::string result;
  std::uint32_t bits = 0;
  int count = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    result += static_cast<char>(bits >> count & 0xff);
  }
  return result;
}

// With the alphabet for URLs, padded: what the engine's header wants (RFC 4648, section 5).
std::string base64url_encoded(std::string_view bytes) {
  std::string result;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const char byte = at + i < bytes.size() ? bytes[at + i] : '\0';
      bits = bits << 8 | static_cast<unsigned char>(byte);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const char digit = kDigits[bits >> (18 - 6 * i) & 0x3f];
      const bool padding = at + i > bytes.size();
      result += padding ? '=' : digit == '+' ? '-' : digit == '/' ? '_' : digit;
    }
  }
  return result;
}

// What its file and its helpers call the registry.
std::string key_of(const std::string& registry) {
  return registry == "docker.io" ? "https://index.docker.io/v1/" : registry;
}

std::string auth_file() {
  const char* const folder = std::getenv("DOCKER_CONFIG");
  if (folder != nullptr && *folder != '\0') return std::string(folder) + "/config.json";
  const char* const home = std::getenv("HOME");
  return std::string(home == nullptr ? "" : home) + "/.docker/config.json";
}

// https://HOST/v2/ and the like are the host.
std::string host_of(std::string key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.rfind(scheme, 0) == 0) key.erase(0, scheme.size());
  }
  return key.substr(0, key.find('/'));
}

Json entry_of(const Json& auths, const std::string& key) {
  if (auths[key].is_object()) return auths[key];
  for (const auto& [name, entry] : auths.members()) {
    if (host_of(name) == host_of(key) && entry.is_object()) return entry;
  }
  return auths[key];
}

Login login_in(const Json& entry) {
  Login login{entry["username"].as_string(), entry["password"].as_string(),
              entry["identitytoken"].as_string()};
  const std::optional<std::string> both = base64_decoded(entry["auth"].as_string());
  const std::size_t colon = both ? both->find(':') : std::string::npos;
  if (colon != std::string::npos) {
    login.username = both->substr(0, colon);
    login.password = both->substr(colon + 1);
  }
  return login;
}

std::vector<std::string> bare_environment() {
  std::vector<std::string> variables;
  for (const char* name : {"PATH", "HOME"}) {
    const char* const value = std::getenv(name);
    if (value != nullptr) variables.push_back(std::string(name) + "=" + value);
  }
  return variables;
}

// By the program docker-credential-NAME.
// https://github.com/docker/docker-credential-helpers#development
Result<Login> login_from_helper(const std::string& name, const std::string& key) {
  const std::string program = program_path("docker-credential-" + name);
  if (program.empty()) return Login{};
  const std::string attempt = "ask docker-credential-" + name + " for " + key + ": ";
  const Result<CommandResult> ended =
      run_filter({program, "get"}, key, bare_environment(), kHelperDeadlineMs);
  if (!ended.ok()) {
    Error error = ended.error();
    error.message.insert(0, attempt);
    error.hint = "see whether docker pull works as the user that Rowlock runs as";
    return error;
  }
  const std::string& output = ended.value().output;
  if (ended.value().exit_code != 0) {
    if (output.find("credentials not found") != std::string::npos) return Login{};
    return Error{Fault::transient, Cause::other,
                 attempt + "exit code " + std::to_string(ended.value().exit_code) + ": " +
                     output.substr(0, kHelperWordsMax),
                 "see whether docker pull works as the user that Rowlock runs as"};
  }
  const Result<Json> json = Json::parse(output);
  if (!json.ok()) {  // Without its words: a secret may be among them.
    return Error{Fault::transient, Cause::other, attempt + "its answer is not JSON", ""};
  }
  const std::string username = json.value()["Username"].as_string();
  const std::string secret = json.value()["Secret"].as_string();
  return username == "<token>" ? Login{"", "", secret} : Login{username, secret, ""};
}

std::string header_of(const std::string& key, const Login& login) {
  const Json address = Json::string(key);
  if (!login.identity_token.empty()) {
    return base64url_encoded(Json::object({{"identitytoken", Json::string(login.identity_token)},
                                           {"serveraddress", address}})
                                 .text());
  }
  return base64url_encoded(Json::object({{"username", Json::string(login.username)},
                                         {"password", Json::string(login.password)},
                                         {"serveraddress", address}})
                               .text());
}

}  // namespace

std::string auth_header(const std::string& registry, std::string_view username,
                        std::string_view password) {
  return header_of(key_of(registry), {std::string(username), std::string(password), ""});
}

Result<std::string> registry_auth(const std::string& registry) {
  std::ifstream file(auth_file());
  std::stringstream content;
  content << file.rdbuf();
  const Result<Json> json = Json::parse(content.str());
  if (!json.ok()) return std::string();

  const std::string key = key_of(registry);
  const Json& config = json.value();
  const std::string helper = config["credHelpers"][key].as_string();
  const std::string store = config["credsStore"].as_string();
  Login login;
  if (!helper.empty()) {
    login = TRY(login_from_helper(helper, key));
  } else if (!store.empty()) {
    login = TRY(login_from_helper(store, key));
  }
  if (login.is_empty()) login = login_in(entry_of(config["auths"], key));
  return login.is_empty() ? std::string() : header_of(key, login);
}

}  // namespace rowlock
