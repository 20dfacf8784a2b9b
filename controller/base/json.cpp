// Values, and how they are written: the shortest form of a double, and "/" as it is. What reads
// them is json_reader.cpp.
#include "controller/base/json_value.h"
#include "controller/base/utf8.h"

#include <charconv>
#include <cmath>
#include <optional>

namespace rowlock {

namespace {

void write_string(std::string_view value, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  if (utf8_first_fault(value) != std::string_view::npos) {
    return write_string(utf8_sanitised(value), out);  // No reader would take it as it is.
  }
  out += '"';
  for (const char c : value) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
          out += "\\u00";
          out += kHex[byte >> 4];
          out += kHex[byte & 0xf];
        } else {
          out += c;
        }
      }
    }
  }
  out += '"';
}

template <typename Number>
std::string number_text(Number value) {
  char digits[64];  // The shortest form of a double that reads back as itself takes at most 24.
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, value);
  return std::string(digits, end.ptr);
}

// The whole of `text` as that type; nothing when it cannot hold it.
template <typename Number>
std::optional<Number> number_in(const std::string& text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, value);
  return status == std::errc() && rest == end ? std::optional(value) : std::nullopt;
}

}  // namespace

Json::Json() = default;
Json::~Json() = default;
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::Json(std::shared_ptr<const Value> value) : value_(std::move(value)) {}

Json Json::string(std::string_view value) { return Value::of(std::string(value)); }
Json Json::integer(std::int64_t value) { return Value::of(Value::Number{number_text(value)}); }
Json Json::boolean(bool value) { return Value::of(value); }
Json Json::array(std::vector<Json> items) { return Value::of(std::move(items)); }

// JSON has no way to write an infinity: it becomes null.
Json Json::number(double value) {
  return std::isfinite(value) ? Value::of(Value::Number{number_text(value)}) : Json();
}

Json Json::object(std::vector<std::pair<std::string, Json>> members) {
  Value::Object object;
  for (auto& [name, value] : members) object.insert_or_assign(std::move(name), std::move(value));
  return Value::of(std::move(object));
}

bool Json::is_null() const { return value_ == nullptr; }
bool Json::is_string() const {
  return value_ != nullptr && std::holds_alternative<std::string>(value_->content);
}
bool Json::is_array() const {
  return value_ != nullptr && std::holds_alternative<Value::Array>(value_->content);
}
bool Json::is_object() const {
  return value_ != nullptr && std::holds_alternative<Value::Object>(value_->content);
}

Json Json::operator[](std::string_view member) const {
  if (!is_object()) return Json();
  const auto& object = std::get<Value::Object>(value_->content);
  const auto found = object.find(member);
  return found == object.end() ? Json() : found->second;
}

std::string Json::as_string(std::string_view otherwise) const {
  return is_string() ? std::get<std::string>(value_->content) : std::string(otherwise);
}

std::int64_t Json::as_integer(std::int64_t otherwise) const {
  const auto* written = value_ == nullptr ? nullptr : std::get_if<Value::Number>(&value_->content);
  if (written == nullptr) return otherwise;
  if (const auto whole = number_in<std::int64_t>(written->text)) return *whole;
  // Past 2^63 the conversion would be undefined.
  constexpr double kLimit = 9223372036854775808.0;
  const auto number = number_in<double>(written->text);
  if (!number || *number < -kLimit || *number >= kLimit) return otherwise;
  return static_cast<std::int64_t>(*number);
}

double Json::as_number(double otherwise) const {
  const auto* written = value_ == nullptr ? nullptr : std::get_if<Value::Number>(&value_->content);
  return written == nullptr ? otherwise : number_in<double>(written->text).value_or(otherwise);
}

bool Json::as_boolean(bool otherwise) const {
  const auto* boolean = value_ == nullptr ? nullptr : std::get_if<bool>(&value_->content);
  return boolean == nullptr ? otherwise : *boolean;
}

std::vector<Json> Json::items() const {
  return is_array() ? std::get<Value::Array>(value_->content) : std::vector<Json>();
}

std::vector<std::pair<std::string, Json>> Json::members() const {
  std::vector<std::pair<std::string, Json>> result;
  if (!is_object()) return result;
  for (const auto& [name, value] : std::get<Value::Object>(value_->content)) {
    result.emplace_back(name, value);
  }
  return result;
}

void Json::write(std::string& out) const {
  const char* separator = "";
  if (is_null()) {
    out += "null";
  } else if (is_string()) {
    write_string(std::get<std::string>(value_->content), out);
  } else if (is_array()) {
    out += '[';
    for (const Json& item : std::get<Value::Array>(value_->content)) {
      out += separator;
      item.write(out);
      separator = ",";
    }
    out += ']';
  } else if (is_object()) {
    out += '{';
    for (const auto& [name, value] : std::get<Value::Object>(value_->content)) {
      out += separator;
      write_string(name, out);
      out += ':';
      value.write(out);
      separator = ",";
    }
    out += '}';
  } else if (const auto* number = std::get_if<Value::Number>(&value_->content)) {
    out += number->text;
  } else {
    out += as_boolean() ? "true" : "false";
  }
}

std::string Json::text() const {
  std::string out;
  write(out);
  return out;
}

}  // namespace rowlock
