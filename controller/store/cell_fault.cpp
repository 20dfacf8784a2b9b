// Only what needs the bytes is looked at here; what SQL can say stands as a CHECK in the table.
#include "controller/store/cell_fault.h"

#include "controller/base/json.h"
#include "controller/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace rowlock {

namespace {

constexpr std::size_t kMessageBytesMax = 120;

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
}

// Text that is hidden in escapes: "\u0000".
bool holds_nul(const Json& json) {
  if (json.is_string()) return json.as_string().find('\0') != std::string::npos;
  const auto items = json.items();
  if (std::any_of(items.begin(), items.end(), holds_nul)) return true;
  const auto members = json.members();
  return std::any_of(members.begin(), members.end(), [](const auto& member) {
    return member.first.find('\0') != std::string::npos || holds_nul(member.second);
  });
}

bool is_number(const Json& json) {
  constexpr std::string_view kBegins = "-0123456789";
  return !json.is_string() && !json.is_array() && !json.is_object() &&
         kBegins.find(json.text().front()) != std::string_view::npos;
}

// 1e999: valid JSON, and an error to most of those who read it.
bool holds_a_number_past_all_types(const Json& json) {
  const auto items = json.items();
  if (std::any_of(items.begin(), items.end(), holds_a_number_past_all_types)) return true;
  const auto members = json.members();
  return std::any_of(members.begin(), members.end(),
                     [](const auto& m) { return holds_a_number_past_all_types(m.second); }) ||
         (is_number(json) && std::isnan(json.as_number(std::nan(""))));
}

}  // namespace

std::optional<std::string> text_fault(const Value& cell) {
  const auto* text = std::get_if<std::string>(&cell);
  if (text == nullptr || text->empty()) return std::nullopt;
  if (text->front() == kBlobMark) return "must be text or a number, not a BLOB and without NUL";
  if (text->size() > kCellBytesMax) {
    return fmt::format("must have at most {} bytes: it has {}", kCellBytesMax, text->size());
  }
  if (const std::size_t at = utf8_first_fault(*text); at != std::string::npos) {
    return fmt::format("must be UTF-8: byte {} is no character; write it as text in quotes",
                       at + 1);
  }
  const auto control = std::find_if(text->begin(), text->end(), is_control);
  if (control != text->end()) {
    return fmt::format(
        "must hold no control characters but tabs and line breaks: byte {} is 0x{:02x}",
        control - text->begin() + 1, static_cast<unsigned char>(*control));
  }
  return std::nullopt;
}

std::optional<std::string> json_fault(const Value& cell) {
  const auto* text = std::get_if<std::string>(&cell);
  if (text == nullptr) return std::nullopt;
  const auto parsed = Json::parse(*text);
  if (!parsed.ok()) return "must be JSON that every reader takes: " + parsed.error().message;
  if (holds_a_number_past_all_types(parsed.value())) {
    return "must be JSON that every reader takes: a number in it is too large, or too near to 0";
  }
  if (holds_nul(parsed.value())) return "must be JSON without \\u0000 in its strings";
  return std::nullopt;
}

std::string in_a_message(const std::string& text) {
  std::string clean = utf8_sanitised(std::string_view(text).substr(0, kMessageBytesMax));
  std::replace_if(clean.begin(), clean.end(), is_control, '?');
  return clean;
}

}  // namespace rowlock
