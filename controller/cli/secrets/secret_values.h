// Where the values of `secret put` and `secret patch` come from: each word after the path names a
// key and, but for stdin, a file; a value itself is never a word.
#pragma once

#include "controller/base/json.h"
#include "controller/base/result.h"

#include <optional>
#include <string>
#include <vector>

namespace rowlock {

// What help says of the word PATH.
constexpr char kSecretPath[] = "of the secret, such as db/prod";

struct ValueSource {
  std::string key;
  std::string file;  // Empty: stdin.

  bool is_stdin() const { return file.empty(); }
};

// KEY and KEY=- are stdin, which one key at most can have, KEY=@FILE is a file. Rejected with a
// sentence that does not show what follows the '='.
Result<std::vector<ValueSource>> read_value_sources(const std::vector<std::string>& words);

// The map with the values, one end of line taken off what came from stdin or was typed, while files
// are kept to the last byte. Nothing when somebody thought better of it at the prompt.
// `reads_person`: stdin is a terminal.
Result<std::optional<Json>> map_of(const std::vector<ValueSource>& sources, bool reads_person);

// The object that this JSON text is. The error never shows it.
Result<Json> map_of_json(const std::string& text, const std::string& origin);

// One line's end less, "\n" or "\r\n".
std::string without_line_end(std::string text);

}  // namespace rowlock
