// Pure functions on text. The two that clean up what a server or a program said matter most: no
// password and no verifier may pass into an error.
#include "controller/adapters/postgres/postgres_text.h"

#include "controller/base/time.h"
#include "controller/base/utf8.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace rowlock {

namespace {

constexpr std::size_t kNameBytesMax = 63;  // NAMEDATALEN - 1.
constexpr std::size_t kWordsBytesMax = 500;
constexpr std::size_t kTellingBytes = 8;  // Shorter parts of a verifier give nothing away.

std::string with_each(const std::string& text, const std::string& old, const std::string& by) {
  std::string result;
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(old, at)) != std::string::npos;
       at = found + old.size()) {
    result += text.substr(at, found - at) + by;
  }
  return result + text.substr(at);
}

// The rest of the first line at or after `from` with that mark in it, without the end of the
// sentence; empty: there is none. Lines that go on with a tab are another sentence.
std::string marked_line(const std::string& words, const std::string& mark, std::size_t from = 0) {
  const std::size_t found = words.find(mark, from);
  if (found == std::string::npos) return "";
  const std::size_t begin = found + mark.size();
  std::string line = words.substr(begin, words.find('\n', begin) - begin);
  while (line.ends_with('.') || line.ends_with(' ')) line.pop_back();
  return line;
}

// What was refused, as far as it only names things: values and passwords stand in parentheses or
// quotes. "CREATE INDEX pupil_four ON public.pupil USING btree"; empty: that is not said.
std::string command_in(const std::string& words) {
  std::string command = marked_line(words, "\nCommand was: ");
  command.erase(std::min(command.find_first_of("('$;"), command.size()));
  while (command.ends_with(' ')) command.pop_back();
  return command;
}

}  // namespace

bool is_role_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

Result<> check_role_name(const std::string& name) {
  if (is_role_name(name)) return Done{};
  return Error{Fault::rejected, Cause::other,
               "'" + postgres_line(name) + "' cannot be a role's name here",
               "use 1 to 63 of a-z, 0-9 and '_'"};
}

std::string postgres_time(std::int64_t at_ms) {
  const std::string moment = rfc3339(at_ms);
  return moment.substr(0, 10) + " " + moment.substr(11, 8) + "+00";
}

std::string filled_in(const std::string& statement, const PostgresBlanks& blanks) {
  const std::pair<const char*, const std::string&> fillings[] = {
      {"{{name}}", blanks.name},
      {"{{password}}", blanks.password},
      {"{{expiration}}", blanks.expiration}};
  std::string result = statement;
  for (const auto& [blank, by] : fillings) {
    if (!by.empty()) result = with_each(result, blank, by);
  }
  return result;
}

// A server cuts long names, and statements may cut anything.
std::string without_verifier(const std::string& words, const std::string& verifier) {
  if (verifier.empty()) return words;
  const std::string whole = with_each(words, verifier, "{{password}}");
  std::string result;
  for (std::size_t at = 0; at < whole.size();) {
    std::size_t length = 0;
    while (at + length < whole.size() &&
           verifier.find(whole.substr(at, length + 1)) != std::string::npos) {
      ++length;
    }
    if (length >= kTellingBytes) {
      result += "…";
      at += length;
    } else {
      result += whole[at++];
    }
  }
  return result;
}

std::string postgres_name(const std::string& name) {
  std::string result = "\"";
  for (const char c : name) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + "\"";
}

std::string postgres_line(const std::string& words) {
  std::istringstream each(words);
  std::string line;
  for (std::string word; each >> word && line.size() < kWordsBytesMax;) {
    line += (line.empty() ? "" : " ") + word;
  }
  return utf8_sanitised(line.substr(0, kWordsBytesMax));
}

// pg_dump: error: Dumping the contents of table "t" failed: PQgetCopyData() failed.
// pg_dump: detail: Error message from server: server closed the connection unexpectedly
//         This probably means the server terminated abnormally
// pg_dump: detail: Command was: COPY public.t (n) TO stdout;
std::string postgres_program_line(const std::string& words) {
  const std::string error = marked_line(words, ": error: ");
  if (error.empty()) return postgres_line(words);
  const std::string detail =
      marked_line(words, ": detail: Error message from server: ", words.find(": error: "));
  const std::string command = command_in(words);
  return postgres_line(error + (detail.empty() ? "" : ": " + detail) +
                       (command.empty() ? "" : ", in " + command));
}

std::string postgres_refusal_words(const std::string& error) {
  const std::string severity = "ERROR: ";
  const std::size_t at = error.find(severity);
  return at == std::string::npos ? error : error.substr(at + severity.size());
}

}  // namespace rowlock
