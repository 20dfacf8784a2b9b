// Apart from the list of targets, so that a program of libFuzzer's has one target in it alone.
#include "tests/fuzz/targets.h"

namespace rowlock {

std::pair<std::string_view, std::string_view> first_line(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return {bytes, {}};
  return {bytes.substr(0, end), bytes.substr(end + 1)};
}

}  // namespace rowlock
