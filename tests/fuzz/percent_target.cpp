// What is encoded is decoded to the same, and what is decoded is text without a NUL.
#include "controller/base/check.h"
#include "controller/base/percent.h"
#include "controller/base/utf8.h"
#include "tests/fuzz/targets.h"

namespace rowlock {

void fuzz_percent(std::string_view bytes) {
  const bool is_text = utf8_first_fault(bytes) == std::string_view::npos &&
                       bytes.find('\0') == std::string_view::npos;
  const std::string encoded = percent_encoded(bytes, "/");
  CHECK(percent_decoded_bytes(encoded) == bytes);
  CHECK(percent_decoded(encoded).has_value() == is_text);

  const std::string meant = percent_decoded_bytes(bytes);
  CHECK(meant.size() <= bytes.size());
  const auto decoded = percent_decoded(bytes);
  if (!decoded) return;
  CHECK(*decoded == meant);
  CHECK(utf8_first_fault(meant) == std::string_view::npos);
  CHECK(meant.find('\0') == std::string::npos);
}

}  // namespace rowlock
