// The members of a backup, each a line with its name and then its content up to a line of a dot,
// sealed as everybody could who knows the recipient. What passes for a backup has the size and hash
// that its manifest lists for each member, and gives the content as it went in.
#include "controller/archive/tar_reader.h"
#include "controller/backup/backup_manifest.h"
#include "controller/base/check.h"
#include "controller/crypto/age.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "tests/fuzz/archives.h"
#include "tests/fuzz/keys.h"
#include "tests/fuzz/targets.h"

#include <algorithm>

namespace rowlock {

namespace {

constexpr std::string_view kEnd = "\n.\n";

FuzzMembers members_in(std::string_view bytes) {
  FuzzMembers members;
  while (!bytes.empty()) {
    const auto [name, rest] = first_line(bytes);
    const std::size_t end = std::min(rest.find(kEnd), rest.size());
    const bool is_new =
        std::none_of(members.begin(), members.end(),
                     [&, &named = name](auto& each) { return each.first == named; });
    if (is_member_name(name) && is_new) {
      members.emplace_back(std::string(name), std::string(rest.substr(0, end)));
    }
    bytes = rest.substr(std::min(end + kEnd.size(), rest.size()));
  }
  return members;
}

void check_passed(BackupFileReader& backup, const FuzzMembers& members) {
  const std::size_t before = 2;  // RESTORE.txt and backup.json.
  std::size_t count = 0;
  for (;;) {
    const auto name = backup.next();
    if (!name.ok()) return;
    if (name.value().empty()) break;
    std::string content;
    for (;;) {
      const auto bytes = backup.read();
      if (!bytes.ok()) return;
      if (bytes.value().empty()) break;
      content += bytes.value();
    }
    CHECK(before + count < members.size());
    CHECK(members[before + count] == std::pair(name.value(), content));
    ++count;
  }
  CHECK(backup.manifest().members.size() == count);
  CHECK(members.size() == before + count + 1);  // And the manifest.
  CHECK(backup.manifest().header == backup.header());
  for (std::size_t i = 0; i < count; ++i) {
    const MemberFacts& facts = backup.manifest().members[i];
    const std::string& content = members[before + i].second;
    CHECK(facts.size_bytes == static_cast<std::int64_t>(content.size()));
    CHECK(facts.sha256 == to_hex(sha256(content)));
  }
}

}  // namespace

void fuzz_backup(std::string_view bytes) {
  const FuzzMembers members = members_in(bytes);
  const std::string file = age_encrypt({kFuzzRecipient}, fuzz_archive(members)).value();
  const SecretBytes identity(kFuzzIdentity);
  const auto checked = check_backup_file(identity, fuzz_source(file, 100));
  const auto opened = BackupFileReader::open(identity, fuzz_source(file, file.size()));
  CHECK(opened.ok() || !checked.ok());
  if (opened.ok()) check_passed(*opened.value(), members);
}

}  // namespace rowlock
