// picojson does the parsing and calls back into Builder below, which makes our own shared,
// unchangeable values directly: copying a member out of a large answer then costs one reference
// count. Writing is done here, since picojson writes "/" as "\/" and 0.1 as 0.10000000000000001.
#include "controller/base/json.h"

#include "controller/base/utf8.h"

#define PICOJSON_USE_INT64  // Otherwise integers above 2^53 lose their last digits.
#include <picojson.h>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <stdexcept>

namespace rowlock {

struct Json::Value {
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;
  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> content;

  // Kept here, out of the header, so that nobody who includes json.h learns of picojson.
  template <typename Content>
  static Json of(Content content) {
    return Json(std::make_shared<const Value>(Value{std::move(content)}));
  }

  class Builder;
};

// The callbacks that picojson's parser makes for one value; each answers whether parsing may go on.
// Recursion is bounded by `depth_left`, so that a text of brackets cannot exhaust the stack.
class Json::Value::Builder {
 public:
  explicit Builder(int levels) : depth_left_(levels) {}

  Json result() { return std::move(result_); }

  bool set_null() { return true; }
  bool set_bool(bool value) { return set(value); }
  bool set_int64(std::int64_t value) { return set(value); }
  // picojson does not look at what this returns, so refusing takes an exception; parse() below
  // catches it.
  bool set_number(double value) {
    if (!std::isfinite(value)) throw std::out_of_range("a number is too large");
    return set(value);
  }

  template <typename Input>
  bool parse_string(Input& input) {
    std::string text;
    return picojson::_parse_string(text, input) && set(std::move(text));
  }

  bool parse_array_start() { return depth_left_ > 0; }
  template <typename Input>
  bool parse_array_item(Input& input, std::size_t) {
    Builder item(depth_left_ - 1);
    if (!picojson::_parse(item, input)) return false;
    array_.push_back(item.result());
    return true;
  }
  bool parse_array_stop(std::size_t) { return set(std::move(array_)); }

  bool parse_object_start() { return depth_left_ > 0; }
  template <typename Input>
  bool parse_object_item(Input& input, const std::string& name) {
    Builder member(depth_left_ - 1);
    if (!picojson::_parse(member, input)) return false;
    // A name given twice means different things to different readers: it is refused.
    return object_.emplace(name, member.result()).second;
  }
  bool parse_object_stop() { return set(std::move(object_)); }

 private:
  template <typename Content>
  bool set(Content read) {
    result_ = Value::of(std::move(read));
    return true;
  }

  int depth_left_;
  Json result_;
  Array array_;
  Object object_;
};

namespace {

constexpr int kDepthMax = 100;

Error not_json(std::string_view what, std::size_t at) {
  Error error;
  error.fault = Fault::rejected;
  error.message = std::string(what) + " at byte " + std::to_string(at);
  return error;
}

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
void write_number(Number value, std::string& out) {
  char digits[64];  // The shortest form of a double that reads back as itself takes at most 24.
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end.ptr);
}

}  // namespace

Json::Json() = default;
Json::~Json() = default;
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::Json(std::shared_ptr<const Value> value) : value_(std::move(value)) {}

Result<Json> Json::parse(std::string_view text) {
  const std::size_t fault = utf8_first_fault(text);
  if (fault != std::string_view::npos) return not_json("not valid UTF-8", fault);

  picojson::input<const char*> input(text.data(), text.data() + text.size());
  const auto offset = [&] { return static_cast<std::size_t>(input.cur() - text.data()); };
  Value::Builder builder(kDepthMax);
  try {
    if (!picojson::_parse(builder, input)) return not_json("not valid JSON", offset());
    input.skip_ws();
  } catch (const std::exception& problem) {
    return not_json(std::string("not valid JSON: ") + problem.what(), offset());
  }
  if (offset() != text.size()) return not_json("more than one JSON value", offset());
  return builder.result();
}

Json Json::string(std::string_view value) { return Value::of(std::string(value)); }
Json Json::integer(std::int64_t value) { return Value::of(value); }
Json Json::boolean(bool value) { return Value::of(value); }
Json Json::array(std::vector<Json> items) { return Value::of(std::move(items)); }

// JSON has no way to write an infinity: it becomes null.
Json Json::number(double value) { return std::isfinite(value) ? Value::of(value) : Json(); }

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
  if (value_ == nullptr) return otherwise;
  if (const auto* integer = std::get_if<std::int64_t>(&value_->content)) return *integer;
  const auto* number = std::get_if<double>(&value_->content);
  // Past 2^63 the conversion would be undefined.
  constexpr double kLimit = 9223372036854775808.0;
  if (number == nullptr || *number < -kLimit || *number >= kLimit) return otherwise;
  return static_cast<std::int64_t>(*number);
}

double Json::as_number(double otherwise) const {
  if (value_ == nullptr) return otherwise;
  if (const auto* integer = std::get_if<std::int64_t>(&value_->content)) {
    return static_cast<double>(*integer);
  }
  const auto* number = std::get_if<double>(&value_->content);
  return number == nullptr ? otherwise : *number;
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

namespace {

void write_members(const Json& json, std::string& out) {
  out += '{';
  const char* separator = "";
  for (const auto& [name, value] : json.members()) {
    out += separator;
    write_string(name, out);
    out += ':';
    out += value.text();
    separator = ",";
  }
  out += '}';
}

void write_items(const Json& json, std::string& out) {
  out += '[';
  const char* separator = "";
  for (const Json& item : json.items()) {
    out += separator;
    out += item.text();
    separator = ",";
  }
  out += ']';
}

}  // namespace

std::string Json::text() const {
  std::string out;
  if (is_null()) {
    out = "null";
  } else if (is_string()) {
    write_string(std::get<std::string>(value_->content), out);
  } else if (is_array()) {
    write_items(*this, out);
  } else if (is_object()) {
    write_members(*this, out);
  } else if (const auto* integer = std::get_if<std::int64_t>(&value_->content)) {
    write_number(*integer, out);
  } else if (const auto* number = std::get_if<double>(&value_->content)) {
    write_number(*number, out);
  } else {
    out = as_boolean() ? "true" : "false";
  }
  return out;
}

}  // namespace rowlock
