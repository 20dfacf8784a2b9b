// Keys, checked letter by letter: on a disk they become paths, and none may lead out of the store.
#include "controller/adapters/object_key.h"

#include <algorithm>

namespace rowlock {

namespace {

constexpr std::string_view kOurs = ".rowlock-";  // What is not an object that somebody stored.

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool is_part(std::string_view part) {
  return !part.empty() && !part.starts_with(kOurs) && part.size() <= kKeyPartBytesMax &&
         part != "." && part != ".." && std::all_of(part.begin(), part.end(), is_letter);
}

Error refused(const std::string& what) {
  return {Fault::rejected, Cause::other, what + " cannot be the key of an object",
          "use letters, digits, '.', '_' and '-', at most " + std::to_string(kKeyPartBytesMax) +
              " between two slashes and " + std::to_string(kKeyBytesMax) + " in all"};
}

}  // namespace

bool is_key(std::string_view text) {
  if (text.size() > kKeyBytesMax) return false;
  while (true) {
    const std::size_t slash = text.find('/');
    if (!is_part(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

Result<> check_key(const std::string& key) {
  if (!is_key(key)) return refused("'" + key + "'");
  return Done{};
}

Result<> check_key_prefix(const std::string& prefix) {
  // What is a key with one more letter can become one.
  if (!prefix.empty() && !is_key(prefix + "x")) return refused("what begins with '" + prefix + "'");
  return Done{};
}

}  // namespace rowlock
