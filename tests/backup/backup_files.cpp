// The keys are written down, so that a file that fails can be opened with a stock age. A forged
// backup differs from an honest one by its members alone: the encryption is good.
#include "tests/backup/backup_files.h"

#include "controller/backup/backup_manifest.h"
#include "controller/crypto/age.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"

#include <criterion/criterion.h>

#include <algorithm>

namespace rowlock {

const std::vector<std::string> kRecipients = {
    "age1swdve9kvpdrm6a577cvygpq0fxn2sa8c4kvwmr2aq24kj57r9fusy6mzpk",
    "age1pdq94awyma63c2ad4gdhsmpa6cudhwphl3ezzahv2stchy82lc0s8m7f0a",
    "age182ytdzdfkrswvzhw5hxmppzvvxnh43vjcm8d5vwe8mcycpjay56qwestll"};
const std::vector<std::string> kIdentities = {
    "AGE-SECRET-KEY-1U3CNZ96JETU04NRMJU0GYSJN4TL78A5HWY05GWCHTX8UF6NL706S6TS5JG\n",
    "AGE-SECRET-KEY-18NPJGZ7M6CL4TTL9T6L973H0PRD2FRY0Q6MS9UJD623DRWFY6DDQR5QSGW\n",
    "AGE-SECRET-KEY-1CTRRGE50C7HUWK7J986WJ0WNNKZ57NV9XKQ6WS40MQJKA9S0PACS26Y3G0\n"};

BackupHeader postgres_header(const std::string& id) {
  return {id, "home-1", "nightly", "postgres", "school", "scheduled", "0.1.0", 1'795'600'000'000};
}

BackupHeader home_header() {
  BackupHeader header = postgres_header();
  header.kind = "home";
  header.source = "";
  return header;
}

Json some_content() {
  return Json::object({{"server_version", Json::string("15.16")},
                       {"tables", Json::array({Json::string("public.pupil")})}});
}

std::string backup_of(const BackupHeader& header, const Members& members,
                      const std::vector<std::string>& recipients) {
  const bool is_in_parts = std::any_of(members.begin(), members.end(),
                                       [](const auto& each) { return each.first == "before*"; });
  std::string file;
  auto begun = BackupFileWriter::begin(
      recipients.empty() ? std::vector<std::string>{kRecipients[0]} : recipients, header,
      [&file](std::string_view bytes) -> Result<> {
        file += bytes;
        return Done{};
      },
      is_in_parts);
  cr_assert(begun.ok(), "%s", begun.ok() ? "" : begun.error().message.c_str());
  BackupFileWriter& writer = *begun.value();
  std::int64_t plain_bytes = 0;
  for (const auto& [name, content] : members) {
    const bool is_in_pieces = name.ends_with('*');
    const auto size = static_cast<std::int64_t>(content.size());
    if (name.ends_with('+')) {
      cr_assert(writer.add_piece(name.substr(0, name.size() - 1), content).ok());
      plain_bytes += size;
      continue;
    }
    cr_assert(
        writer.begin(name.substr(0, name.size() - (is_in_pieces ? 1 : 0)), is_in_pieces ? -1 : size)
            .ok());
    cr_assert(writer.write(content).ok());
    cr_assert(writer.end().ok());
    plain_bytes += size;
  }
  const auto finished = writer.finish(some_content());
  cr_assert(finished.ok(), "%s", finished.ok() ? "" : finished.error().message.c_str());
  cr_assert_eq(writer.bytes(), static_cast<std::int64_t>(file.size()));
  cr_assert_eq(writer.plain_bytes(), plain_bytes);
  cr_assert(writer.sha256() == to_hex(sha256(file)));
  return file;
}

std::string forged(const Members& members) {
  return age_encrypt({kRecipients[0]}, archive_of(members)).value();
}

Members head_of(const BackupHeader& header) {
  return {{kRestoreMember, restore_text(header)}, {kHeaderMember, text_of(header)}};
}

std::string manifest_of(const BackupHeader& header, const Members& content) {
  BackupManifest manifest{header, some_content(), {}};
  for (const auto& [name, bytes] : content) {
    const std::string plain_name = name.substr(0, name.find_first_of("*+"));
    manifest.members.push_back(
        {plain_name, static_cast<std::int64_t>(bytes.size()), to_hex(sha256(bytes))});
  }
  return text_of(manifest);
}

Members honest(const BackupHeader& header, const Members& content) {
  Members all = head_of(header);
  all.insert(all.end(), content.begin(), content.end());
  all.emplace_back(kManifestMember, manifest_of(header, content));
  return all;
}

std::string fault_of(const std::string& file, const std::string& identity, std::size_t block) {
  const auto checked = check_backup_file(SecretBytes(identity), source_of(file, block));
  return checked.ok() ? "" : checked.error().message;
}

Members members_of(const std::string& file, std::string& fault) {
  Members members;
  auto opened = BackupFileReader::open(SecretBytes(kIdentities[0]), source_of(file, 10'000));
  if (!opened.ok()) {
    fault = opened.error().message;
    return members;
  }
  BackupFileReader& reader = *opened.value();
  while (true) {
    const auto name = reader.next();
    fault = name.ok() ? "" : name.error().message;
    if (!name.ok() || name.value().empty()) return members;
    members.emplace_back(name.value(), "");
    while (true) {
      const auto bytes = reader.read();
      if (!bytes.ok()) break;
      if (bytes.value().empty()) break;
      members.back().second += bytes.value();
    }
  }
}

}  // namespace rowlock
