// The bytes are an archive that zstd has not compressed yet. It reads as the same in whatever
// pieces it comes; and its members, written as another archive, come out of that as they went in.
#include "controller/archive/tar_reader.h"
#include "controller/archive/zstd_text.h"
#include "controller/base/check.h"
#include "tests/fuzz/archives.h"
#include "tests/fuzz/targets.h"

#include <optional>

namespace rowlock {

namespace {

// Nothing when it is refused. A member that goes on later is one all the same.
std::optional<FuzzMembers> members_in(std::string_view archive, std::size_t block) {
  TarReader reader(fuzz_source(archive, block));
  FuzzMembers members;
  for (;;) {
    const auto name = reader.next();
    if (!name.ok()) return std::nullopt;
    if (name.value().empty()) return members;
    CHECK(is_member_name(name.value()));
    std::size_t at = members.size();
    for (std::size_t i = 0; reader.is_continued() && i < members.size(); ++i) {
      if (members[i].first == name.value()) at = i;
    }
    if (at == members.size()) members.emplace_back(name.value(), "");
    for (;;) {
      const auto bytes = reader.read();
      if (!bytes.ok()) return std::nullopt;
      if (bytes.value().empty()) break;
      members[at].second += bytes.value();
    }
  }
}

}  // namespace

void fuzz_tar(std::string_view bytes) {
  const auto packed = zstd_packed(bytes);
  CHECK(packed.ok());
  const auto whole = members_in(packed.value(), packed.value().size());
  CHECK(members_in(packed.value(), 11) == whole);
  if (!whole) return;
  const std::string again = fuzz_archive(*whole);
  CHECK(members_in(again, again.size()) == whole);
}

}  // namespace rowlock
