// What HAProxy says may run over several lines and hold any bytes; here it becomes one sentence
// that an error can carry.
#include "controller/adapters/haproxy/haproxy_error.h"

#include "controller/base/utf8.h"

#include <sstream>

namespace rowlock {

namespace {

constexpr std::size_t kWordsBytesMax = 500;

}  // namespace

Error with_attempt(const std::string& attempt, Error error) {
  error.message = attempt + ": " + error.message;
  return error;
}

Error not_there(const std::string& attempt, const std::string& what) {
  return Error{Fault::transient, Cause::not_found, attempt + ": what runs has no such " + what, ""};
}

std::string in_one_line(const std::string& answer) {
  std::istringstream words(answer);
  std::string line;
  for (std::string word; words >> word && line.size() < kWordsBytesMax;) {
    line += (line.empty() ? "" : " ") + word;
  }
  return utf8_sanitised(line);
}

}  // namespace rowlock
