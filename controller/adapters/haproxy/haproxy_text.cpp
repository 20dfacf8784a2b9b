// A route's row is text that a person typed, and a newline or a quote in it could become a
// directive of HAProxy's. Whatever goes into its texts passes through here.
#include "controller/adapters/haproxy/haproxy_text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>

namespace rowlock {

namespace {

constexpr std::size_t kPauseDigitsMax = 9;

bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool consists_of(std::string_view value, std::string_view marks) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [&](char c) {
    return is_alnum(c) || marks.find(c) != std::string_view::npos;
  });
}

}  // namespace

std::string quoted(std::string_view value) {
  std::string word = "'";
  for (const char c : value) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word + "'";
}

std::string format_literal(std::string_view value) {
  std::string literal;
  for (const char c : value) literal.append(c == '%' ? 2 : 1, c);
  return literal;
}

std::string command_word(std::string_view value) {
  std::string word;
  for (const char c : value) {
    if (c == ' ' || c == ';' || c == '\\') word += '\\';
    word += c;
  }
  return word;
}

bool is_one_line(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

bool is_token(std::string_view value) { return consists_of(value, "!#$%&'*+-.^_`|~"); }

bool is_section_name(std::string_view value) { return consists_of(value, "-_."); }

bool is_host_name(std::string_view value) { return consists_of(value, "-_."); }

bool is_ip(const std::string& address) {
  unsigned char bytes[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, address.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, address.c_str(), bytes) == 1;
}

bool is_mode(std::string_view mode) {
  constexpr std::string_view kPause = "pause:";
  if (mode.empty() || mode == "maintenance") return true;
  if (mode.substr(0, kPause.size()) != kPause) return false;
  mode.remove_prefix(kPause.size());
  return !mode.empty() && mode.size() <= kPauseDigitsMax &&
         std::all_of(mode.begin(), mode.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace rowlock
