// One HTTP request over the socket of the home, and the work of saying why it failed: no
// controller, no permission, a sealed store and a refusal each want another next step from the
// person.
#include "controller/cli/controller_client.h"

#include "controller/adapters/http/socket_client.h"
#include "controller/base/percent.h"
#include "controller/crypto/secret_bytes.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace rowlock {
namespace {

constexpr std::int64_t kAskTimeoutMs = 60'000;  // To verify a long audit log takes a while.
constexpr std::size_t kTokenBytesMax = 4096;

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

// As the socket sees it: root, or the owner of the home.
bool is_operator(const Home& home) {
  struct stat about {};
  return geteuid() == 0 ||
         (::stat(home.folder().c_str(), &about) == 0 && about.st_uid == geteuid());
}

Result<std::string> token_in(const std::string& file) {
  std::ifstream opened(file);
  std::string token;
  if (!opened.is_open() || !std::getline(opened, token) || token.size() > kTokenBytesMax) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("ROWLOCK_TOKEN_FILE: no token can be read from {}", file),
                 "its first line must be the token"};
  }
  while (!token.empty() && (token.back() == '\r' || token.back() == ' ')) {
    token.pop_back();
  }
  return token;
}

Error no_permission(const std::string& path) {
  return {Fault::rejected, Cause::denied, fmt::format("{}: {}", path, std::strerror(EACCES)),
          "run this as the user or as a member of the group that owns the home"};
}

// Why the socket could not be asked, better than the socket itself can tell.
Error unreachable(const Home& home, const Error& error) {
  const std::string socket = home.socket_path();
  if (access(home.folder().c_str(), X_OK) != 0 && errno == EACCES) {
    return no_permission(home.folder());
  }
  const bool is_hidden = access(home.state_path().c_str(), F_OK) != 0 && errno == EACCES;
  if (!is_hidden && !home.check_state().ok()) {
    Error none = home.check_state().error();
    none.fault = Fault::broken;
    return none;
  }
  if (access(socket.c_str(), F_OK) == 0 && access(socket.c_str(), W_OK) != 0) {
    return no_permission(socket);
  }
  if (error.cause == Cause::unreachable) {
    return {Fault::transient, Cause::unreachable,
            fmt::format("no controller runs on {}", home.folder()),
            fmt::format("start one: `rowlock run --home {}`", home.folder())};
  }
  return error;
}

std::string joined(const Json& sentences) {
  std::string text;
  for (const Json& sentence : sentences.items()) {
    text += (text.empty() ? "" : "; ") + sentence.as_string();
  }
  return text;
}

}  // namespace

Result<std::string> token_of_environment(bool is_operator) {
  if (const std::string token = environment("ROWLOCK_TOKEN"); !token.empty()) {
    return token;
  }
  if (const std::string file = environment("ROWLOCK_TOKEN_FILE"); !file.empty()) {
    return token_in(file);
  }
  return is_operator ? "" : environment("VAULT_TOKEN");
}

Error refusal_of(int status, std::string_view body) {
  auto parsed = Json::parse(body);
  const Json answer = parsed.ok() ? parsed.value() : Json();
  std::string message = joined(answer["errors"]);
  if (message.empty()) {
    message = fmt::format("the controller answers HTTP {}", status);
  }
  switch (status) {
    case 401:
    case 403:
      return {Fault::rejected, Cause::denied, message,
              "ask as the owner of the home, or with a token that may, in ROWLOCK_TOKEN"};
    case 404: return {Fault::rejected, Cause::not_found, message, ""};
    case 429: return {Fault::transient, Cause::other, message, "try again"};
    case 503:
      return {Fault::rejected, Cause::other, message, "open it with `rowlock secret unseal`"};
  }
  return {Fault::rejected, Cause::other, message, ""};
}

std::string secret_address(std::string_view part, std::string_view path) {
  return fmt::format("/v1/secret/{}/{}", part, percent_encoded(path, "/"));
}

std::string duration_text(std::int64_t duration_ms) {
  return duration_ms % 1000 == 0 ? fmt::format("{}s", duration_ms / 1000)
                                 : fmt::format("{}ms", duration_ms);
}

Result<Json> ControllerClient::ask(const std::string& method, const std::string& path,
                                   std::string_view body, const std::string& content_type) const {
  CHECK(access_ == Access::writes || method == "GET" || method == "LIST");
  const auto token = TRY(token_of_environment(is_operator(*home_)));
  std::vector<std::pair<std::string, std::string>> headers;
  if (!token.empty()) {
    headers.emplace_back("X-Vault-Token", token);
  }
  if (!content_type.empty()) {
    headers.emplace_back("Content-Type", content_type);
  }
  auto asked = rowlock::ask(home_->socket_path(), method, path, body, headers, kAskTimeoutMs);
  if (!asked.ok()) {
    return unreachable(*home_, asked.error());
  }
  Answer answer = std::move(asked).value();
  if (answer.status >= 300) {
    return refusal_of(answer.status, answer.body);
  }
  auto parsed = answer.body.empty() ? Result<Json>(Json()) : Json::parse(answer.body);
  wipe(answer.body);
  if (!parsed.ok()) {
    return Error{Fault::broken, Cause::other,
                 fmt::format("the controller's answer to {} {} cannot be read: {}", method, path,
                             parsed.error().message),
                 ""};
  }
  return parsed;
}

Result<Json> ControllerClient::ask(const std::string& method, const std::string& path,
                                   const Json& body) const {
  std::string text = body.text();
  auto answered = ask(method, path, std::string_view(text));
  wipe(text);
  return answered;
}

}  // namespace rowlock
