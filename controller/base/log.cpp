// A line is built whole and written at once. What is logged may come from anywhere (an engine's
// answer, a row), so no byte of it may end the line, move a terminal's cursor, or break the JSON.
#include "controller/base/log.h"

#include "controller/base/check.h"
#include "controller/base/time.h"
#include "controller/base/utf8.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace rowlock {
namespace {

constexpr std::size_t kMessageMax = Log::kLineMax / 2;  // So that the fields get their room.
constexpr std::size_t kTailMax = 64;                    // Room for what ends a line that was cut.
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

std::string_view name_of(Log::Level level) {
  switch (level) {
    case Log::Level::debug: return "debug";
    case Log::Level::info: return "info";
    case Log::Level::warn: return "warn";
    case Log::Level::error: return "error";
  }
  UNREACHABLE();
}

// The priorities of syslog(3).
int priority_of(Log::Level level) {
  switch (level) {
    case Log::Level::debug: return 7;
    case Log::Level::info: return 6;
    case Log::Level::warn: return 4;
    case Log::Level::error: return 3;
  }
  UNREACHABLE();
}

// systemd.exec(5): the variable holds device and inode of the stream; a child whose stderr went
// elsewhere inherits the variable too, so being set is not enough.
bool is_journal_stream(std::FILE* out) {
  const char* named = std::getenv("JOURNAL_STREAM");
  struct stat status = {};
  if (named == nullptr || fstat(fileno(out), &status) != 0) {
    return false;
  }
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == named;
}

// One character as it stands between JSON's quotes. JSON would let some through that terminals
// obey.
std::string escaped(std::string_view character) {
  switch (character[0]) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
  }
  const auto code = static_cast<std::uint32_t>(utf8_code_point(character));
  return moves_the_terminal(code) ? fmt::format("\\u{:04x}", code) : std::string(character);
}

// A line in the making, never longer than it may be.
class Line {
 public:
  explicit Line(std::string start) : text_(std::move(start)) {}

  bool is_cut() const { return is_cut_; }

  // Requires: short, and ASCII.
  void add(std::string_view raw) { text_ += raw; }

  // Escapes, up to `end_max` bytes into the line, then an ellipsis.
  void add_escaped(std::string_view text, std::size_t end_max) {
    // A byte of the text takes one byte or more of the line, so no more than this can be shown.
    const std::string valid = utf8_sanitised(text.substr(0, Log::kLineMax));
    std::string_view rest = valid;
    while (!rest.empty()) {
      const std::size_t length = utf8_character_length(rest);
      const std::string character = escaped(rest.substr(0, length));
      if (text_.size() + character.size() + kEllipsis.size() > end_max) {
        text_ += kEllipsis;
        is_cut_ = true;
        return;
      }
      text_ += character;
      rest.remove_prefix(length);
    }
  }

  // Whether another field of that name may begin here; when not, the line is cut.
  bool has_room_for(std::string_view name) {
    const bool has_room = text_.size() + name.size() + 2 * kTailMax <= Log::kLineMax;
    is_cut_ = is_cut_ || !has_room;
    return has_room;
  }

  std::string finished(std::string_view tail) && { return std::move(text_.append(tail)); }

 private:
  std::string text_;
  bool is_cut_ = false;
};

constexpr std::size_t kFieldsEnd = Log::kLineMax - kTailMax;

void add_json_value(Line& line, const Field& field) {
  if (const auto* text = std::get_if<std::string>(&field.value)) {
    line.add("\"");
    line.add_escaped(*text, kFieldsEnd);
    line.add("\"");
  } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
    line.add(fmt::format("{}", *integer));
  } else {
    const double number = std::get<double>(field.value);
    line.add(std::isfinite(number) ? fmt::format("{}", number) : "null");  // JSON has no infinity.
  }
}

std::string json_line(std::string start, Log::Level level, std::string_view message,
                      std::initializer_list<Field> fields) {
  Line line(std::move(start));
  line.add(
      fmt::format(R"({{"ts":"{}","level":"{}","msg":")", rfc3339(system_now_ms()), name_of(level)));
  line.add_escaped(message, kMessageMax);
  line.add("\"");
  for (const Field& field : fields) {
    if (!line.has_room_for(field.name)) {
      break;
    }
    line.add(",\"");
    line.add_escaped(field.name, kFieldsEnd);
    line.add("\":");
    add_json_value(line, field);
  }
  const bool is_cut = line.is_cut();
  return std::move(line).finished(is_cut ? ",\"cut\":true}\n" : "}\n");
}

// Words stand bare, anything else between quotes.
void add_text_value(Line& line, const Field& field) {
  const auto* text = std::get_if<std::string>(&field.value);
  const bool is_bare =
      text == nullptr || (!text->empty() && text->find_first_of(" \"=\n\t") == std::string::npos);
  if (!is_bare) {
    add_json_value(line, field);
  } else if (text != nullptr) {
    line.add_escaped(*text, kFieldsEnd);
  } else if (const auto* number = std::get_if<double>(&field.value)) {
    line.add(fmt::format("{}", *number));
  } else {
    line.add(fmt::format("{}", std::get<std::int64_t>(field.value)));
  }
}

std::string text_line(std::string start, Log::Level level, std::string_view message,
                      std::initializer_list<Field> fields) {
  Line line(std::move(start));
  line.add(fmt::format("{} {:<5} ", rfc3339(system_now_ms()), name_of(level)));
  line.add_escaped(message, kMessageMax);
  for (const Field& field : fields) {
    if (!line.has_room_for(field.name)) {
      break;
    }
    line.add(" ");
    line.add_escaped(field.name, kFieldsEnd);
    line.add("=");
    add_text_value(line, field);
  }
  return std::move(line).finished("\n");
}

}  // namespace

Log::Format Log::format_for(std::FILE* out) {
  return isatty(fileno(out)) == 1 ? Format::text : Format::json;
}

Log::Log(Format format, std::FILE* out, Level least)
    : format_(format), out_(out), least_(least), is_journal_(is_journal_stream(out)) {}

void Log::debug(std::string_view message, std::initializer_list<Field> fields) {
  write(Level::debug, message, fields);
}

void Log::info(std::string_view message, std::initializer_list<Field> fields) {
  write(Level::info, message, fields);
}

void Log::warn(std::string_view message, std::initializer_list<Field> fields) {
  write(Level::warn, message, fields);
}

void Log::error(std::string_view message, std::initializer_list<Field> fields) {
  write(Level::error, message, fields);
}

void Log::write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < least_) {
    return;
  }
  std::string start = is_journal_ ? fmt::format("<{}>", priority_of(level)) : "";
  const std::string line = format_ == Format::json
                               ? json_line(std::move(start), level, message, fields)
                               : text_line(std::move(start), level, message, fields);
  // A log that cannot be written is nothing to stop for, and there is nowhere to say so.
  (void)std::fwrite(line.data(), 1, line.size(), out_);
  (void)std::fflush(out_);
}

}  // namespace rowlock
