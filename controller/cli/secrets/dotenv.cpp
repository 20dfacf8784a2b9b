// A reader of characters with the rules of the header. An error may say the number of a line and
// never its text: that is a secret.
#include "controller/cli/secrets/dotenv.h"

#include "controller/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kExport = "export";

bool is_blank(char each) { return each == ' ' || each == '\t' || each == '\r'; }

bool is_letter(char each) {
  return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') || each == '_';
}

bool belongs_to_key(char each) {
  return is_letter(each) || (each >= '0' && each <= '9') || each == '.' || each == '-';
}

Error bad_line(std::size_t line, std::string_view what) {
  return {Fault::rejected, Cause::other, fmt::format("line {}: {}", line, what),
          "lines are KEY=VALUE, KEY='VALUE' or KEY=\"VALUE\"; # begins a comment"};
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  Result<KeyValues> read() {
    while (!rest_.empty()) {
      skip_blanks();
      if (!is_at_end_of_line() && rest_.front() != '#') {
        TRY(take_pair());
      }
      skip_line();
    }
    return std::move(values_);
  }

 private:
  bool is_at_end_of_line() const { return rest_.empty() || rest_.front() == '\n'; }

  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) {
      rest_.remove_prefix(1);
    }
  }

  // What is left of it is a comment, or nothing.
  void skip_line() {
    rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
    if (!rest_.empty()) {
      rest_.remove_prefix(1);
      ++line_;
    }
  }

  std::string take_key() {
    std::size_t length = 0;
    while (length < rest_.size() && belongs_to_key(rest_[length])) {
      ++length;
    }
    std::string key(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return key;
  }

  Result<> take_pair() {
    if (rest_.starts_with(kExport) && rest_.size() > kExport.size() &&
        is_blank(rest_[kExport.size()])) {
      rest_.remove_prefix(kExport.size());
      skip_blanks();
    }
    const std::string key = take_key();
    if (!is_dotenv_key(key)) {
      return bad_line(line_, "it does not begin with a name of letters, digits and '_'");
    }
    skip_blanks();
    if (rest_.empty() || rest_.front() != '=') {
      return bad_line(line_, "no '=' follows the name");
    }
    rest_.remove_prefix(1);
    skip_blanks();
    const bool is_known = std::any_of(values_.begin(), values_.end(),
                                      [&](const auto& each) { return each.first == key; });
    if (is_known) {
      return bad_line(line_, fmt::format("{} has a line before this one", key));
    }
    auto value = TRY(take_value());
    values_.emplace_back(key, std::move(value));
    return Done{};
  }

  Result<std::string> take_value() {
    if (rest_.empty() || (rest_.front() != '"' && rest_.front() != '\'')) {
      return take_bare();
    }
    auto value = take_quoted(rest_.front());
    skip_blanks();
    if (value.ok() && !is_at_end_of_line() && rest_.front() != '#') {
      return bad_line(line_, "something follows the closing quote");
    }
    return value;
  }

  std::string take_bare() {
    const std::string_view line = rest_.substr(0, rest_.find('\n'));
    std::size_t length = 0;  // Without blanks at the end.
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '#' && (i == 0 || is_blank(line[i - 1]))) {
        break;
      }
      length = is_blank(line[i]) ? length : i + 1;
    }
    rest_.remove_prefix(length);
    return std::string(line.substr(0, length));
  }

  Result<std::string> take_quoted(char quote) {
    std::string value;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      const char each = rest_[i];
      if (each == quote) {
        line_ += static_cast<std::size_t>(
            std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(i), '\n'));
        rest_.remove_prefix(i + 1);
        return value;
      }
      if (each == '\\' && quote == '"' && i + 1 < rest_.size()) {
        value += unescaped(rest_[++i]);
      } else {
        value += each;
      }
    }
    return bad_line(line_, "the quote is not closed");
  }

  static std::string unescaped(char each) {
    switch (each) {
      case 'n': return "\n";
      case 'r': return "\r";
      case 't': return "\t";
      case '"':
      case '\\':
      case '$': return std::string(1, each);
    }
    return std::string("\\") + each;
  }

  std::string_view rest_;
  std::size_t line_ = 1;
  KeyValues values_;
};

bool is_plain(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char each) {
    return belongs_to_key(each) ||
           std::string_view("/:@%+,=?&").find(each) != std::string_view::npos;
  });
}

std::string quoted(std::string_view value) {
  std::string text = "\"";
  for (const char each : value) {
    switch (each) {
      case '\n': text += "\\n"; break;
      case '\r': text += "\\r"; break;
      case '\t': text += "\\t"; break;
      case '"': text += "\\\""; break;
      case '\\': text += "\\\\"; break;
      default: text += each;
    }
  }
  return text + "\"";
}

}  // namespace

bool is_dotenv_key(std::string_view key) {
  return !key.empty() && is_letter(key.front()) &&
         std::all_of(key.begin(), key.end(), belongs_to_key);
}

Result<KeyValues> read_dotenv(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  const std::size_t fault = std::min(utf8_first_fault(text), text.find('\0'));
  if (fault != std::string_view::npos) {
    const auto line =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(fault), '\n');
    return bad_line(static_cast<std::size_t>(line) + 1, "it is not text in UTF-8");
  }
  return Reader(text).read();
}

std::string dotenv_text(const KeyValues& values) {
  std::string text;
  for (const auto& [key, value] : values) {
    CHECK(is_dotenv_key(key));
    text += fmt::format("{}={}\n", key, is_plain(value) ? value : quoted(value));
  }
  return text;
}

}  // namespace rowlock
