// Text that is packed whole, and unpacked by the reader of streams.
#include "controller/archive/zstd_text.h"
#include "tests/archive/archives.h"

#include <criterion/criterion.h>

#include <string>

using namespace rowlock;

// A file that is compressed itself comes back as it was, and not as what is in it.
Test(archive_zstd, what_is_compressed_within_stays_so) {
  const std::string inner = zstd_of("hello");
  for (const std::string& plain : {inner, zstd_of(inner), std::string("plain")}) {
    const auto packed = zstd_packed(plain);
    cr_assert(packed.ok());
    const auto again = zstd_unpacked(packed.value(), 1'000'000);
    cr_assert(again.ok());
    cr_expect(again.value() == plain);
  }
}
