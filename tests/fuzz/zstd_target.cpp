// What is packed comes out as it went in. Any bytes unpack to the same in whatever pieces they
// come, and never to more than is allowed.
#include "controller/archive/zstd_reader.h"
#include "controller/archive/zstd_text.h"
#include "controller/base/check.h"
#include "tests/fuzz/archives.h"
#include "tests/fuzz/targets.h"

#include <optional>

namespace rowlock {

namespace {

constexpr std::size_t kPlainMax = 64 * 1024;

// Nothing when they are refused, or are too many.
std::optional<std::string> unpacked_in_pieces(std::string_view packed) {
  ZstdReader reader(fuzz_source(packed, 3));
  std::string plain;
  for (;;) {
    const auto more = reader.read();
    if (!more.ok()) return std::nullopt;
    if (more.value().empty()) return plain;
    plain += more.value();
    if (plain.size() > kPlainMax) return std::nullopt;
  }
}

}  // namespace

void fuzz_zstd(std::string_view bytes) {
  const auto unpacked = zstd_unpacked(bytes, kPlainMax);
  CHECK(!unpacked.ok() || unpacked.value().size() <= kPlainMax);
  const auto in_pieces = unpacked_in_pieces(bytes);
  CHECK(in_pieces.has_value() == unpacked.ok());
  CHECK(!in_pieces || *in_pieces == unpacked.value());

  if (bytes.empty()) return;  // Nobody packs nothing, which libarchive would not unpack.
  const auto packed = zstd_packed(bytes);
  CHECK(packed.ok());
  const auto again = zstd_unpacked(packed.value(), bytes.size());
  CHECK(again.ok() && again.value() == bytes);
}

}  // namespace rowlock
