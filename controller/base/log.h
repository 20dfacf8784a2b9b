// What the controller has to say while it runs: one line for each event, as JSON for machines or as
// text for a person at a terminal. Secrets never come here.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace rowlock {

// A name and a value beside the message.
struct Field {
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) Field(std::string_view field_name, Integer number)
      : name(field_name), value(static_cast<std::int64_t>(number)) {}
  Field(std::string_view field_name, double number) : name(field_name), value(number) {}
  Field(std::string_view field_name, std::string_view text)
      : name(field_name), value(std::string(text)) {}
  Field(std::string_view field_name, const char* text)
      : name(field_name), value(std::string(text)) {}
  Field(std::string_view field_name, const std::string& text) : name(field_name), value(text) {}

  std::string_view name;  // A word of lower-case letters; must outlive the call.
  std::variant<std::string, std::int64_t, double> value;
};

// Any thread may write; lines do not mix.
class Log {
 public:
  enum class Format { json, text };
  enum class Level { debug, info, warn, error };

  static constexpr std::size_t kLineMax =
      16 * 1024;  // Bytes; what does not fit is cut, and the line says so.

  // Text for a terminal, JSON for anything else.
  static Format format_for(std::FILE* out);

  // Writes to `out`, which it does not own. When `out` is the journal's ($JOURNAL_STREAM names it),
  // each line carries its priority as "<6>" in front, as journald expects.
  Log(Format format, std::FILE* out, Level least = Level::info);

  void debug(std::string_view message, std::initializer_list<Field> fields = {});
  void info(std::string_view message, std::initializer_list<Field> fields = {});
  void warn(std::string_view message, std::initializer_list<Field> fields = {});
  void error(std::string_view message, std::initializer_list<Field> fields = {});

 private:
  void write(Level level, std::string_view message, std::initializer_list<Field> fields);

  Format format_;
  std::FILE* out_;
  Level least_;
  bool is_journal_;
};

}  // namespace rowlock
