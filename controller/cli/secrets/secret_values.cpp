// The words after the path are checked all together before anything is read: a wrong one must not
// cost the person a value that was just typed.
#include "controller/cli/secrets/secret_values.h"

#include "controller/base/utf8.h"
#include "controller/cli/secrets/secret_input.h"
#include "controller/crypto/secret_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace rowlock {
namespace {

constexpr std::size_t kKeysMax = 1000;

Error rejected(std::string message, std::string hint) {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

Result<ValueSource> read_value_source(const std::string& word) {
  const std::size_t equals = word.find('=');
  const std::string key = word.substr(0, equals);
  const std::string source = equals == std::string::npos ? "-" : word.substr(equals + 1);
  if (key.empty() || utf8_first_fault(key) != std::string::npos) {
    return rejected("a key is missing: say KEY, KEY=- or KEY=@FILE", "");
  }
  if (source == "-") {
    return ValueSource{key, ""};
  }
  if (source.size() > 1 && source.front() == '@') {
    return ValueSource{key, source.substr(1)};
  }
  return rejected(
      fmt::format("{0}: a value on the command line can be read by everybody on this machine; say "
                  "{0} to type it or pipe it in, or {0}=@FILE",
                  key),
      "nothing was written; the value that you just typed may be in your shell's history");
}

// Typed at the terminal, or piped in. Nothing: given up.
Result<std::optional<std::string>> value_of_stdin(const std::string& key, bool reads_person) {
  if (reads_person) {
    return hidden_line(key + ": ");
  }
  auto text = TRY(all_of_stdin());
  return std::optional(without_line_end(std::move(text)));
}

}  // namespace

std::string without_line_end(std::string text) {
  if (text.ends_with('\n')) {
    text.pop_back();
    if (text.ends_with('\r')) {
      text.pop_back();
    }
  }
  return text;
}

Result<std::vector<ValueSource>> read_value_sources(const std::vector<std::string>& words) {
  if (words.size() > kKeysMax) {
    return rejected(fmt::format("more than {} keys", kKeysMax), "");
  }
  std::vector<ValueSource> sources;
  for (const std::string& word : words) {
    const auto read = TRY(read_value_source(word));
    const ValueSource& source = read;
    for (const ValueSource& other : sources) {
      if (other.key == source.key) {
        return rejected(fmt::format("{} is named twice", source.key), "");
      }
      if (other.is_stdin() && source.is_stdin()) {
        return rejected(
            fmt::format("stdin is one value, and {} and {} both want it", other.key, source.key),
            "give one of them as KEY=@FILE, or the whole map with --stdin-json");
      }
    }
    sources.push_back(source);
  }
  return sources;
}

Result<std::optional<Json>> map_of(const std::vector<ValueSource>& sources, bool reads_person) {
  std::vector<std::pair<std::string, Json>> members;
  for (const ValueSource& source : sources) {
    std::optional<std::string> value;
    if (source.is_stdin()) {
      value = TRY(value_of_stdin(source.key, reads_person));
    } else {
      value = TRY(text_of_file(source.file));
    }
    if (!value) {
      return std::optional<Json>();
    }
    if (utf8_first_fault(*value) != std::string::npos) {
      return rejected(fmt::format("{}: what {} holds is not text in UTF-8", source.key,
                                  source.is_stdin() ? "stdin" : source.file),
                      "encode it first, with base64 say");
    }
    members.emplace_back(source.key, Json::string(*value));
    wipe(*value);
  }
  return std::optional(Json::object(std::move(members)));
}

Result<Json> map_of_json(const std::string& text, const std::string& origin) {
  auto parsed = Json::parse(text);
  if (!parsed.ok() || !parsed.value().is_object()) {
    return rejected(fmt::format("{} is not one JSON object{}", origin,
                                parsed.ok() ? "" : ": " + parsed.error().message),
                    R"(such as {"user": "app", "password": "…"})");
  }
  return parsed;
}

}  // namespace rowlock
