// The rules of the docker command line, which its users expect here too: which part of a name is
// the registry, and where the password for it stands.
#include "controller/adapters/docker/docker_image.h"

#include "controller/base/json.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

namespace rowlock {

namespace {

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

std::string auth_file() {
  const char* const folder = std::getenv("DOCKER_CONFIG");
  if (folder != nullptr && *folder != '\0') return std::string(folder) + "/config.json";
  const char* const home = std::getenv("HOME");
  return std::string(home == nullptr ? "" : home) + "/.docker/config.json";
}

}  // namespace

ImageReference image_reference(const std::string& image) {
  ImageReference reference{image, "latest", "docker.io"};
  const std::size_t at = reference.name.find('@');
  std::string digest;
  if (at != std::string::npos) {
    digest = reference.name.substr(at + 1);
    reference.name.erase(at);
  }
  const std::size_t colon = reference.name.rfind(':');
  const std::size_t slash = reference.name.rfind('/');
  if (colon != std::string::npos && (slash == std::string::npos || colon > slash)) {
    reference.tag = reference.name.substr(colon + 1);
    reference.name.erase(colon);
  }
  if (!digest.empty()) reference.tag = digest;

  // The first part is a registry only if it looks like a host: "team/web" is on docker.io.
  const std::string first = reference.name.substr(0, reference.name.find('/'));
  const bool has_path = first.size() < reference.name.size();
  if (has_path && (first.find_first_of(".:") != std::string::npos || first == "localhost"))
    reference.registry = first;
  return reference;
}

std::string registry_auth(const std::string& registry) {
  std::ifstream file(auth_file());
  std::stringstream content;
  content << file.rdbuf();
  const Result<Json> json = Json::parse(content.str());
  if (!json.ok()) return "";

  const std::string key = registry == "docker.io" ? "https://index.docker.io/v1/" : registry;
  const Json auths = json.value()["auths"];
  const Json entry = auths[key].is_object() ? auths[key] : auths["https://" + key];
  const std::optional<std::string> login = base64_decoded(entry["auth"].as_string());
  const std::size_t colon = login ? login->find(':') : std::string::npos;
  if (colon == std::string::npos) return "";
  return base64url_encoded(Json::object({{"username", Json::string(login->substr(0, colon))},
                                         {"password", Json::string(login->substr(colon + 1))},
                                         {"serveraddress", Json::string(key)}})
                               .text());
}

}  // namespace rowlock
