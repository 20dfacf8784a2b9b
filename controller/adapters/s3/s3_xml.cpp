// Read in one go, from left to right, with a bound on how deep elements may stand in each other.
#include "controller/adapters/s3/s3_xml.h"

#include "controller/base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace rowlock {

namespace {

constexpr int kDepthMax = 16;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_name_letter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == ':' || byte >= 0x80;
}

// Nothing when it is no character that XML may have.
std::optional<std::string> utf8_of(std::uint32_t code) {
  const bool is_character = code == 0x9 || code == 0xA || code == 0xD ||
                            (code >= 0x20 && code < 0xD800) || (code >= 0xE000 && code < 0xFFFE) ||
                            (code >= 0x10000 && code <= 0x10FFFF);
  if (!is_character) return std::nullopt;
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  if (code < 0x80) return std::string{byte(code)};
  if (code < 0x800) return std::string{byte(0xC0 | code >> 6), byte(0x80 | (code & 0x3F))};
  if (code < 0x10000) {
    return std::string{byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 0x3F)),
                       byte(0x80 | (code & 0x3F))};
  }
  return std::string{byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 0x3F)),
                     byte(0x80 | (code >> 6 & 0x3F)), byte(0x80 | (code & 0x3F))};
}

// What stands between & and ;.
std::optional<std::string> referred_to(std::string_view name) {
  if (name == "lt") return "<";
  if (name == "gt") return ">";
  if (name == "amp") return "&";
  if (name == "quot") return "\"";
  if (name == "apos") return "'";
  if (!name.starts_with('#')) return std::nullopt;
  name.remove_prefix(1);
  const bool is_hex = name.starts_with('x');
  if (is_hex) name.remove_prefix(1);
  if (name.empty() || name.size() > 7) return std::nullopt;
  std::uint32_t code = 0;
  for (const char c : name) {
    std::uint32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<std::uint32_t>(c - '0');
    } else if (is_hex && c >= 'a' && c <= 'f') {
      digit = static_cast<std::uint32_t>(c - 'a' + 10);
    } else if (is_hex && c >= 'A' && c <= 'F') {
      digit = static_cast<std::uint32_t>(c - 'A' + 10);
    } else {
      return std::nullopt;
    }
    code = code * (is_hex ? 16 : 10) + digit;
  }
  return utf8_of(code);
}

// False from any of these: the document is none.
class Reader {
 public:
  explicit Reader(std::string_view document) : rest_(document) {}

  bool document(XmlElement& root) {
    (void)skip("\xEF\xBB\xBF");
    if (skip("<?xml") && !skip_past("?>")) return false;
    return skip_between() && element(root, 0) && skip_between() && rest_.empty();
  }

 private:
  bool skip(std::string_view start) {
    if (!rest_.starts_with(start)) return false;
    rest_.remove_prefix(start.size());
    return true;
  }
  bool skip_past(std::string_view end) {
    const std::size_t at = rest_.find(end);
    if (at == std::string_view::npos) return false;
    rest_.remove_prefix(at + end.size());
    return true;
  }
  bool skip_blanks() {
    const std::size_t before = rest_.size();
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    return rest_.size() < before;
  }
  // Blanks and comments, before and after the root.
  bool skip_between() {
    skip_blanks();
    while (skip("<!--")) {
      if (!skip_past("-->")) return false;
      skip_blanks();
    }
    return true;
  }

  std::string_view name() {
    const auto* const end = std::find_if_not(rest_.begin(), rest_.end(), is_name_letter);
    const std::string_view found = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(found.size());
    return found;
  }

  bool skip_attribute() {
    if (name().empty()) return false;
    skip_blanks();
    if (!skip("=")) return false;
    skip_blanks();
    const bool is_single = rest_.starts_with('\'');
    if (!is_single && !rest_.starts_with('"')) return false;
    rest_.remove_prefix(1);
    const std::size_t end = rest_.find(is_single ? '\'' : '"');
    if (end == std::string_view::npos || rest_.substr(0, end).find('<') != std::string_view::npos) {
      return false;
    }
    rest_.remove_prefix(end + 1);
    return true;
  }

  // Requires: depth is that of the elements around it.
  bool element(XmlElement& made, int depth) {
    if (depth == kDepthMax || !skip("<")) return false;
    const std::string_view full_name = name();
    if (full_name.empty()) return false;
    made.name = std::string(full_name.substr(full_name.find(':') + 1));
    while (skip_blanks() && !rest_.starts_with('/') && !rest_.starts_with('>')) {
      if (!skip_attribute()) return false;
    }
    if (skip("/>")) return true;
    if (!skip(">") || !content(made, depth)) return false;
    if (name() != full_name) return false;
    skip_blanks();
    return skip(">");
  }

  // Up to and with the "</" that ends it.
  bool content(XmlElement& made, int depth) {
    while (!rest_.empty()) {
      if (skip("</")) return true;
      if (skip("<!--")) {
        if (!skip_past("-->")) return false;
      } else if (rest_.starts_with("<![CDATA[")) {
        if (!characters_as_they_are(made)) return false;
      } else if (rest_.starts_with('<')) {
        made.elements.emplace_back();
        if (!element(made.elements.back(), depth + 1)) return false;
      } else if (!characters(made)) {
        return false;
      }
    }
    return false;
  }

  bool characters_as_they_are(XmlElement& made) {
    (void)skip("<![CDATA[");
    const std::size_t end = rest_.find("]]>");
    if (end == std::string_view::npos) return false;
    made.text += rest_.substr(0, end);
    return skip_past("]]>");
  }

  bool characters(XmlElement& made) {
    const std::size_t end = std::min(rest_.find_first_of("<&"), rest_.size());
    made.text += rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (!skip("&")) return true;
    const std::size_t semicolon = rest_.substr(0, 12).find(';');
    if (semicolon == std::string_view::npos) return false;
    const std::optional<std::string> meant = referred_to(rest_.substr(0, semicolon));
    if (!meant) return false;
    made.text += *meant;
    rest_.remove_prefix(semicolon + 1);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

const XmlElement* XmlElement::find(std::string_view wanted) const {
  const auto found = std::find_if(elements.begin(), elements.end(),
                                  [&](const XmlElement& each) { return each.name == wanted; });
  return found == elements.end() ? nullptr : &*found;
}

std::string XmlElement::value(std::string_view wanted) const {
  const XmlElement* const found = find(wanted);
  return found == nullptr ? "" : found->text;
}

Result<XmlElement> read_xml(std::string_view document) {
  XmlElement root;
  if (utf8_first_fault(document) != std::string_view::npos ||
      document.find('\0') != std::string_view::npos || !Reader(document).document(root)) {
    return Error{Fault::transient, Cause::other, "the answer is not the XML that S3 speaks", ""};
  }
  return root;
}

}  // namespace rowlock
