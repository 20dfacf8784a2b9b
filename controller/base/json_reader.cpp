// A reader by recursive descent, of the grammar of RFC 8259 and nothing beside it. It looks at each
// byte a fixed number of times, whatever the text: strangers send it.
#include "controller/base/json_value.h"
#include "controller/base/utf8.h"

#include <optional>

namespace rowlock {

namespace {

constexpr std::size_t kNameShownMax = 60;

Error not_json(std::string_view what, std::size_t at) {
  return {Fault::rejected, Cause::other, std::string(what) + " at byte " + std::to_string(at), ""};
}

bool is_digit(char each) { return each >= '0' && each <= '9'; }

void append_utf8(char32_t code, std::string& out) {
  const auto byte = [](char32_t bits) {
    return static_cast<char>(static_cast<unsigned char>(bits));
  };
  const auto further = [&](int shift) { out += byte(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    out += byte(code);
  } else if (code < 0x800) {
    out += byte(0xc0 | code >> 6);
    further(0);
  } else if (code < 0x10000) {
    out += byte(0xe0 | code >> 12);
    further(6);
    further(0);
  } else {
    out += byte(0xf0 | code >> 18);
    further(12);
    further(6);
    further(0);
  }
}

}  // namespace

// Each `take` moves past what it read and answers nothing when that is not there; where and why is
// then in error().
class Json::Reader {
 public:
  Reader(std::string_view text, const Reading& reading) : text_(text), reading_(reading) {}

  Result<Json> all() {
    auto value = take_value(reading_.depth_max);
    if (!value) return error_.value_or(not_json("not valid JSON", at_));
    skip_blanks();
    if (at_ != text_.size()) return not_json("more than one JSON value", at_);
    return std::move(*value);
  }

 private:
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_blanks() {
    while (next() == ' ' || next() == '\t' || next() == '\n' || next() == '\r') ++at_;
  }

  bool take(char wanted) {
    const bool is_there = at_ < text_.size() && text_[at_] == wanted;
    at_ += is_there ? 1 : 0;
    return is_there;
  }

  bool take_word(std::string_view word) {
    const bool is_there = text_.substr(at_).starts_with(word);
    at_ += is_there ? word.size() : 0;
    return is_there;
  }

  std::optional<Json> take_value(int depth_left) {
    skip_blanks();
    switch (next()) {
      case '{': return take_object(depth_left);
      case '[': return take_array(depth_left);
      case '"': {
        std::string text;
        return take_string(text) ? std::optional(Value::of(std::move(text))) : std::nullopt;
      }
      case 't': return take_word("true") ? std::optional(boolean(true)) : std::nullopt;
      case 'f': return take_word("false") ? std::optional(boolean(false)) : std::nullopt;
      case 'n': return take_word("null") ? std::optional(Json()) : std::nullopt;
      default: return take_number();
    }
  }

  bool may_go_deeper(int depth_left) {
    if (depth_left == 0) {
      error_ = not_json("nested more than " + std::to_string(reading_.depth_max) + " deep", at_);
    }
    return depth_left > 0;
  }

  std::optional<Json> take_array(int depth_left) {
    if (!may_go_deeper(depth_left)) return std::nullopt;
    Value::Array items;
    take('[');
    skip_blanks();
    if (take(']')) return Value::of(std::move(items));
    do {
      auto item = take_value(depth_left - 1);
      if (!item) return std::nullopt;
      items.push_back(std::move(*item));
      skip_blanks();
    } while (take(','));
    return take(']') ? std::optional(Value::of(std::move(items))) : std::nullopt;
  }

  std::optional<Json> take_object(int depth_left) {
    if (!may_go_deeper(depth_left)) return std::nullopt;
    Value::Object members;
    take('{');
    skip_blanks();
    if (take('}')) return Value::of(std::move(members));
    do {
      if (!take_member(members, depth_left)) return std::nullopt;
      skip_blanks();
    } while (take(','));
    return take('}') ? std::optional(Value::of(std::move(members))) : std::nullopt;
  }

  bool take_member(Value::Object& members, int depth_left) {
    skip_blanks();
    const std::size_t begin = at_;
    std::string name;
    if (!take_string(name)) return false;
    skip_blanks();
    if (!take(':')) return false;
    auto value = take_value(depth_left - 1);
    if (!value) return false;
    const auto [place, is_new] = members.try_emplace(std::move(name));
    if (!is_new && reading_.repeated == Repeated::refused) {
      const std::string& known = place->first;
      const std::string shown = known.size() > kNameShownMax ? "" : " " + string(known).text();
      error_ = not_json("the name" + shown + " is given twice, again", begin);
      return false;
    }
    place->second = std::move(*value);
    return true;
  }

  bool take_digits() {
    const std::size_t begin = at_;
    while (is_digit(next())) ++at_;
    return at_ > begin;
  }

  std::optional<Json> take_number() {
    const std::size_t begin = at_;
    take('-');
    if (!take('0') && !take_digits()) return std::nullopt;
    if (take('.') && !take_digits()) return std::nullopt;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!take_digits()) return std::nullopt;
    }
    return Value::of(Value::Number{std::string(text_.substr(begin, at_ - begin))});
  }

  bool take_string(std::string& out) {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const std::size_t begin = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20) {
        ++at_;
      }
      out.append(text_.substr(begin, at_ - begin));
      if (take('"')) return true;
      if (!take('\\') || !take_escape(out)) return false;
    }
    return false;
  }

  bool take_escape(std::string& out) {
    const char letter = next();
    at_ += at_ < text_.size() ? 1 : 0;
    switch (letter) {
      case '"':
      case '\\':
      case '/': out += letter; return true;
      case 'b': out += '\b'; return true;
      case 'f': out += '\f'; return true;
      case 'n': out += '\n'; return true;
      case 'r': out += '\r'; return true;
      case 't': out += '\t'; return true;
      case 'u': return take_code_point(out);
      default: return false;
    }
  }

  std::optional<char32_t> take_four_digits() {
    char32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char each = next();
      const char low = static_cast<char>(each | 0x20);
      if (!is_digit(each) && (low < 'a' || low > 'f')) return std::nullopt;
      code = code * 16 + static_cast<char32_t>(is_digit(each) ? each - '0' : low - 'a' + 10);
    }
    return code;
  }

  // Past U+FFFF it is written as two halves; half of a character is none.
  bool take_code_point(std::string& out) {
    auto code = take_four_digits();
    if (!code || (*code >= 0xdc00 && *code < 0xe000)) return false;
    if (*code >= 0xd800 && *code < 0xdc00) {
      const auto second = take_word("\\u") ? take_four_digits() : std::nullopt;
      if (!second || *second < 0xdc00 || *second >= 0xe000) return false;
      code = 0x10000 + ((*code & 0x3ff) << 10) + (*second & 0x3ff);
    }
    append_utf8(*code, out);
    return true;
  }

  std::string_view text_;
  const Reading& reading_;
  std::size_t at_ = 0;
  std::optional<Error> error_;  // Where there is more to say than that it is not valid.
};

Result<Json> Json::parse(std::string_view text, const Reading& reading) {
  const std::size_t fault = utf8_first_fault(text);
  if (fault != std::string_view::npos) return not_json("not valid UTF-8", fault);
  return Reader(text, reading).all();
}

}  // namespace rowlock
