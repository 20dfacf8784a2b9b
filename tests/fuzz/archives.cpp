// A source lends its bytes: they outlive it.
#include "tests/fuzz/archives.h"

#include "controller/archive/tar_writer.h"
#include "controller/base/check.h"

namespace rowlock {

Source fuzz_source(std::string_view bytes, std::size_t block) {
  return [bytes, block]() mutable -> Result<std::string> {
    const std::string next(bytes.substr(0, block));
    bytes.remove_prefix(next.size());
    return next;
  };
}

std::string fuzz_archive(const FuzzMembers& members) {
  std::string made;
  TarWriter writer(
      [&made](std::string_view bytes) -> Result<> {
        made += bytes;
        return Done{};
      },
      1'000'000);
  for (const auto& [name, content] : members) {
    CHECK(writer.begin(name, static_cast<std::int64_t>(content.size())).ok());
    CHECK(writer.write(content).ok());
    CHECK(writer.end().ok());
  }
  CHECK(writer.finish().ok());
  return made;
}

}  // namespace rowlock
