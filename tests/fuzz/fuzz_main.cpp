// Where libFuzzer, which has the main(), comes in. Compiled once for each target, whose function
// FUZZ_TARGET names.
#include "tests/fuzz/targets.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  rowlock::FUZZ_TARGET(std::string_view(reinterpret_cast<const char*>(bytes), size));
  return 0;
}
