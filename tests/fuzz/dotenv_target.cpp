// What was read is written so that it reads as the same again.
#include "controller/base/check.h"
#include "controller/cli/secrets/dotenv.h"
#include "tests/fuzz/targets.h"

namespace rowlock {

void fuzz_dotenv(std::string_view bytes) {
  const auto read = read_dotenv(bytes);
  if (!read.ok()) return;
  for (const auto& [key, value] : read.value()) CHECK(is_dotenv_key(key));
  const auto again = read_dotenv(dotenv_text(read.value()));
  CHECK(again.ok());
  CHECK(again.value() == read.value());
}

}  // namespace rowlock
