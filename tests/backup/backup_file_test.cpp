// A backup file gives back what went into it: to us, and to age, tar and nothing else.
#include "controller/backup/backup_file.h"

#include "controller/backup/backup_manifest.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "tests/backup/backup_files.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

using namespace rowlock;

namespace {

constexpr std::size_t kChunk = 65536;
constexpr std::size_t kPiece = 1024 * 1024;
const std::vector<std::size_t> kSizes = {0,          1,          kChunk - 1, kChunk,
                                         kChunk + 1, kPiece - 1, kPiece,     kPiece + 1};

// What `age -d -i IDENTITY FILE | tar OPTIONS` prints.
std::string stock_tools(const TempFolder& folder, const std::string& file,
                        const std::string& identity, const std::string& options) {
  write(folder / "file", file);
  write(folder / "identity", identity);
  const std::string command = fmt::format(
      "cd {} && set -o pipefail && age -d -i identity file | tar {} >out", folder.path(), options);
  cr_assert_eq(std::system(("bash -c '" + command + "'").c_str()), 0, "%s", command.c_str());
  return contents(folder / "out");
}

}  // namespace

Test(backup_file, members_of_every_size_come_back_with_their_header_and_facts, .timeout = 60) {
  for (const std::size_t size : kSizes) {
    const std::string content = noise(size);
    const std::string file =
        backup_of(postgres_header(), {{"globals.sql", content}, {"dump*", content}});

    std::string fault;
    const Members members = members_of(file, fault);

    cr_assert(fault.empty(), "%zu: %s", size, fault.c_str());
    cr_expect(members == Members({{"globals.sql", content}, {"dump", content}}), "%zu", size);
    const auto checked = check_backup_file(SecretBytes(kIdentities[0]), source_of(file, 1000));
    cr_assert(checked.ok());
    const BackupManifest& manifest = checked.value();
    cr_expect(manifest.header == postgres_header());
    cr_expect(manifest.content.text() == some_content().text());
    const std::string hash = to_hex(sha256(content));
    const auto bytes = static_cast<std::int64_t>(size);
    cr_expect(manifest.members ==
              std::vector<MemberFacts>({{"globals.sql", bytes, hash}, {"dump", bytes, hash}}));
  }
}

Test(backup_file, members_that_are_written_at_the_same_time_come_back_mixed) {
  const std::string content = noise(100'000);
  const Members mixed = {{"globals.sql*", "roles"}, {"before*", "tables"}, {"data.1+", content},
                         {"data.2+", "rows"},       {"data.1+", "end"},    {"after*", "indexes"}};
  const std::string file = backup_of(postgres_header(), mixed);

  std::string fault;
  const Members members = members_of(file, fault);

  cr_assert(fault.empty(), "%s", fault.c_str());
  cr_expect(members == Members({{"globals.sql", "roles"},
                                {"before", "tables"},
                                {"data.1", content},
                                {"data.2", "rows"},
                                {"data.1", "end"},
                                {"after", "indexes"}}));
  const auto checked = check_backup_file(SecretBytes(kIdentities[0]), source_of(file, 1000));
  cr_assert(checked.ok());
  const std::vector<MemberFacts>& facts = checked.value().members;
  cr_assert_eq(facts.size(), 5);
  const MemberFacts mended{"data.1", 100'003, to_hex(sha256(content + "end"))};
  cr_expect(facts[2] == mended);
}

Test(backup_file, the_stock_tools_give_the_same_bytes, .timeout = 60) {
  const TempFolder folder;
  const std::string content = noise(3 * kPiece + 1);
  const std::string file =
      backup_of(postgres_header(), {{"globals.sql", "CREATE ROLE x;\n"}, {"dump*", content}});
  const auto member = [&](const std::string& name) {
    return stock_tools(folder, file, kIdentities[0], "--zstd -xO " + name);
  };

  cr_expect(stock_tools(folder, file, kIdentities[0], "--zstd -t") ==
            "RESTORE.txt\nbackup.json\nglobals.sql\ndump/000001\ndump/000002\ndump/000003\n"
            "dump/000004\nmanifest.json\n");
  cr_expect(member("dump") == content);
  cr_expect(member("globals.sql") == "CREATE ROLE x;\n");
  cr_expect(member("backup.json") == text_of(postgres_header()));
  cr_expect(member("RESTORE.txt") == restore_text(postgres_header()));
  cr_expect(read_manifest(member("manifest.json")).ok());
}

Test(backup_file, fifty_mebibytes_pass_through_both, .timeout = 120) {
  const TempFolder folder;
  std::string content;
  for (unsigned i = 0; i < 50; ++i) {  // Half of it noise, half of it text.
    content += noise(kPiece / 2, i) + std::string(kPiece / 2, static_cast<char>('a' + i % 26));
  }
  const std::string file = backup_of(postgres_header(), {{"dump*", content}});

  std::string fault;
  const Members members = members_of(file, fault);

  cr_expect(fault.empty(), "%s", fault.c_str());
  cr_assert_eq(members.size(), 1);
  cr_expect(members[0].second == content);
  cr_expect(stock_tools(folder, file, kIdentities[0], "--zstd -xO dump") == content);
}

Test(backup_file, each_recipient_opens_it_and_nobody_else, .timeout = 60) {
  const TempFolder folder;
  const std::string file =
      backup_of(postgres_header(), {{"dump*", "rows"}}, {kRecipients[0], kRecipients[1]});

  cr_expect(fault_of(file, kIdentities[0]).empty());
  cr_expect(fault_of(file, kIdentities[1]).empty());
  cr_expect(fault_of(file, kIdentities[2] + kIdentities[1]).empty(), "one of two identities");
  cr_expect_not(fault_of(file, kIdentities[2]).empty());
  cr_expect_not(fault_of(file, "").empty());
  cr_expect_not(fault_of(file, "no identity").empty());
  cr_expect(stock_tools(folder, file, kIdentities[1], "--zstd -xO dump") == "rows");
}

Test(backup_file, without_a_recipient_none_is_begun) {
  int calls = 0;
  const auto begin = [&](const std::vector<std::string>& recipients, const BackupHeader& header) {
    const auto begun = BackupFileWriter::begin(recipients, header, [&](std::string_view) {
      ++calls;
      return Result<>(Done{});
    });
    return begun.ok() ? "" : begun.error().message;
  };

  cr_expect(begin({}, postgres_header()) == "no age recipient to encrypt for");
  cr_expect_not(begin({kRecipients[0], "age1"}, postgres_header()).empty());
  BackupHeader nameless = postgres_header("");
  cr_expect(begin({kRecipients[0]}, nameless) == "the backup file's header has an empty id");
  cr_expect_eq(calls, 0);
}

Test(backup_file, a_backup_has_room_for_many_tables_and_odd_names, .timeout = 60) {
  std::vector<Json> tables;
  for (int i = 0; i < 10'000; ++i) {
    tables.push_back(
        Json::object({{"name", Json::string(fmt::format("public.\"t\xc3\xa4 {}\"", i))},
                      {"rows", Json::integer(i)},
                      {"hash", Json::string(std::string(64, 'a'))}}));
  }
  const Json content = Json::object({{"tables", Json::array(tables)}});
  BackupHeader header = postgres_header();
  header.source = "odd \"name\" \xe2\x9c\x93 '; DROP";
  std::string file;
  auto begun = BackupFileWriter::begin({kRecipients[0]}, header, [&](std::string_view bytes) {
    file += bytes;
    return Result<>(Done{});
  });
  cr_assert(begun.ok());
  cr_assert(begun.value()->finish(content).ok());

  const auto checked = check_backup_file(SecretBytes(kIdentities[0]), source_of(file, 100'000));

  cr_assert(checked.ok(), "%s", checked.ok() ? "" : checked.error().message.c_str());
  cr_expect_eq(checked.value().content["tables"].items().size(), 10'000);
  cr_expect(checked.value().header == header);
}

Test(backup_file, names_that_cannot_be_are_refused_by_the_writer) {
  const auto begin = [](const std::vector<std::string>& names) {
    auto begun = BackupFileWriter::begin({kRecipients[0]}, postgres_header(),
                                         [](std::string_view) { return Result<>(Done{}); });
    for (const std::string& name : names) {
      const auto opened = begun.value()->begin(name, -1);
      if (!opened.ok()) return opened.error().message;
      cr_assert(begun.value()->end().ok());
    }
    return std::string();
  };

  cr_expect(begin({"dump", "globals.sql"}).empty());
  for (const std::string name :
       {"", "a/b", "../a", "-a", "RESTORE.txt", "backup.json", "manifest.json"}) {
    cr_expect(begin({name}) == "a backup can have no member called " + name, "%s", name.c_str());
  }
  cr_expect(begin({"dump", "dump"}) == "a backup can have no member called dump");
}

Test(backup_file, a_sink_that_fails_ends_it_with_its_own_error) {
  std::size_t room = 100'000;
  auto begun = BackupFileWriter::begin(
      {kRecipients[0]}, postgres_header(), [&](std::string_view bytes) -> Result<> {
        if (bytes.size() <= room) {
          room -= bytes.size();
          return Done{};
        }
        return Error{Fault::transient, Cause::other, "the disk is full", "make room"};
      });
  cr_assert(begun.ok());
  BackupFileWriter& writer = *begun.value();
  cr_assert(writer.begin("dump", -1).ok());

  Result<> written = Done{};
  for (unsigned i = 0; i < 10 && written.ok(); ++i) written = writer.write(noise(kPiece, i));

  cr_assert_not(written.ok());
  cr_expect(written.error().message == "the disk is full");
  cr_expect(written.error().hint == "make room");
  cr_expect_not(writer.end().ok());
}

Test(backup_file, a_member_that_is_passed_over_is_checked_all_the_same) {
  const std::string file =
      backup_of(postgres_header(), {{"globals.sql", "roles"}, {"dump*", noise(300'000)}});
  auto opened = BackupFileReader::open(SecretBytes(kIdentities[0]), source_of(file, 10'000));
  cr_assert(opened.ok());
  BackupFileReader& reader = *opened.value();

  cr_expect(reader.header() == postgres_header());
  cr_expect(reader.read().value().empty(), "no member has begun");
  cr_expect(reader.next().value() == "globals.sql");
  cr_expect(reader.next().value() == "dump");
  cr_expect_not(reader.read().value().empty());
  cr_expect(reader.next().value().empty());
  cr_expect(reader.next().value().empty());
  cr_expect(reader.read().value().empty());
  cr_expect_eq(reader.manifest().members.size(), 2);
}

Test(backup_file, memory_stays_while_the_stream_grows, .timeout = 120) {
  constexpr long kGrowthMaxKb = 32 * 1024;
  const auto peak_kb = [] {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) return std::atol(line.c_str() + 6);
    }
    return 0L;
  };
#ifdef __SANITIZE_ADDRESS__
  cr_skip_test("AddressSanitizer keeps what was freed");
#endif
  const std::string block = noise(kPiece);
  std::int64_t made = 0;
  auto begun =
      BackupFileWriter::begin({kRecipients[0]}, postgres_header(), [&](std::string_view bytes) {
        made += static_cast<std::int64_t>(bytes.size());
        return Result<>(Done{});
      });
  cr_assert(begun.ok());
  cr_assert(begun.value()->begin("dump", -1).ok());
  const long before = peak_kb();

  for (int i = 0; i < 128; ++i) cr_assert(begun.value()->write(block).ok());

  cr_assert_gt(before, 0);
  cr_expect_lt(peak_kb() - before, kGrowthMaxKb);
  cr_expect_gt(made, 0);
}
