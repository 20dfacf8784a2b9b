// Any bytes become text that a terminal can show, no wider than it was to be. The first byte says
// how wide that is.
#include "controller/base/check.h"
#include "controller/base/text.h"
#include "controller/base/utf8.h"
#include "tests/fuzz/targets.h"

namespace rowlock {

void fuzz_text(std::string_view bytes) {
  const std::string clean = utf8_sanitised(bytes);
  CHECK(utf8_first_fault(clean) == std::string_view::npos);
  CHECK(utf8_sanitised(clean) == clean);
  CHECK((clean == bytes) == (utf8_first_fault(bytes) == std::string_view::npos));
  CHECK(display_width(bytes) == display_width(clean));
  if (bytes.empty()) return;

  const std::size_t width = static_cast<unsigned char>(bytes.front()) % 40;
  bytes.remove_prefix(1);
  const std::string shown = truncated(bytes, width);
  CHECK(utf8_first_fault(shown) == std::string_view::npos);
  CHECK(display_width(shown) <= width);
  CHECK(display_width(bytes) > width || shown == utf8_sanitised(bytes));

  const auto [word, rest] = first_line(bytes.substr(0, 100));
  const auto near = nearest(word, {std::string(rest), "status", "secret"});
  CHECK(!near || *near == rest || *near == "status" || *near == "secret");
}

}  // namespace rowlock
