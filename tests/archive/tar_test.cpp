// What was put into an archive comes out of it, by our own reader and by GNU tar; and whatever else
// an archive can hold is refused.
#include "controller/archive/tar_reader.h"
#include "controller/archive/tar_writer.h"
#include "tests/archive/archives.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <string>

using namespace rowlock;

namespace {

constexpr std::size_t kPiece = TarWriter::kPieceBytes;
const std::vector<std::size_t> kSizes = {0,          1,          511,           512,        513,
                                         65535,      65536,      65537,         kPiece - 1, kPiece,
                                         kPiece + 1, 3 * kPiece, 3 * kPiece + 7};

// What GNU tar prints.
std::string gnu_tar(const TempFolder& folder, const std::string& archive,
                    const std::string& options) {
  write(folder / "archive", archive);
  const std::string command =
      "tar --zstd " + options + " <'" + (folder / "archive") + "' >'" + (folder / "out") + "'";
  cr_assert_eq(std::system(command.c_str()), 0, "%s", command.c_str());
  return contents(folder / "out");
}

std::string refusal_of(const std::string& tar) { return read_archive(zstd_of(tar)).refusal; }

}  // namespace

Test(archive_tar, members_of_every_size_come_out_as_they_went_in, .timeout = 60) {
  for (const std::size_t size : kSizes) {
    const std::string content = noise(size);
    const std::string archive = archive_of({{"known", content}, {"unknown*", content}});

    const ReadArchive read = read_archive(archive);

    cr_assert(read.refusal.empty(), "%zu: %s", size, read.refusal.c_str());
    cr_assert_eq(read.members.size(), 2);
    cr_expect(read.members[0] == std::pair(std::string("known"), content), "%zu", size);
    cr_expect(read.members[1] == std::pair(std::string("unknown"), content), "%zu", size);
  }
}

Test(archive_tar, gnu_tar_joins_the_pieces_and_lists_them, .timeout = 60) {
  const TempFolder folder;
  for (const std::size_t size : kSizes) {
    const std::string content = noise(size);
    const std::string archive =
        archive_of({{"a", "first"}, {"dump*", content}, {"dumped", "another"}});

    cr_expect(gnu_tar(folder, archive, "-xO dump") == content, "%zu", size);
    cr_expect(gnu_tar(folder, archive, "-xO dumped") == "another", "%zu", size);
  }
  const std::string three = archive_of({{"a", "x"}, {"dump*", noise(2 * kPiece + 1)}, {"b", "y"}});
  cr_expect(gnu_tar(folder, three, "-t") == "a\ndump/000001\ndump/000002\ndump/000003\nb\n");
  cr_expect(gnu_tar(folder, archive_of({}), "-t").empty());
}

Test(archive_tar, however_it_is_cut_into_blocks_it_reads_the_same, .timeout = 60) {
  const std::string content = noise(70'000);
  const std::string archive = archive_of({{"a*", content}, {"b", content}});

  for (const std::size_t block : {1U, 7U, 511U, 65'536U, 1'000'000U}) {
    cr_expect(read_archive(archive, block).members == Members({{"a", content}, {"b", content}}),
              "%zu", block);
  }
}

Test(archive_tar, one_that_is_cut_off_is_refused) {
  const std::string archive = archive_of({{"a", "some"}, {"dump*", noise(3000)}});

  for (std::size_t size = 0; size < archive.size(); ++size) {
    cr_expect(!read_archive(archive.substr(0, size)).refusal.empty(), "%zu", size);
  }
}

Test(archive_tar, what_follows_the_end_is_refused) {
  const std::string archive = archive_of({{"a", "some"}});
  const std::string tar = tar_entry("a", "some") + tar_end();

  cr_expect(
      read_archive(archive + "x").refusal.starts_with("the archive is not what zstd writes: "));
  cr_expect(read_archive(archive + archive).refusal == "the archive goes on after its end");
  cr_expect(refusal_of(tar).empty(), "%s", refusal_of(tar).c_str());
  cr_expect(refusal_of(tar + std::string(8192, '\0')).empty(), "tar fills up its last block");
  cr_expect(refusal_of(tar + "x") == "the archive goes on after its end");
  cr_expect(refusal_of(tar + std::string(300'000, '\0') + "x") ==
            "the archive goes on after its end");
  cr_expect(refusal_of(tar + tar) == "the archive goes on after its end");
}

Test(archive_tar, members_that_are_no_plain_files_are_refused) {
  const std::string plain = "the archive has a member that is no plain file: ";
  const std::vector<std::pair<std::string, std::string>> refused = {
      {tar_entry("x", "", '1', "/etc/passwd"), plain + "x"},
      {tar_entry("x", "", '2', "/etc/passwd"), plain + "x"},
      {tar_entry("x", "", '3'), plain + "x"},
      {tar_entry("x", "", '4'), plain + "x"},
      {tar_entry("x", "", '5'), plain + "x"},
      {tar_entry("x", "", '6'), plain + "x"},
      {tar_entry("x/", ""), plain + "x/"},
  };
  for (const auto& [entry, sentence] : refused) {
    const std::string said = refusal_of(tar_entry("a", "1") + entry + tar_end());
    cr_expect(said == sentence, "%s", said.c_str());
    cr_expect(refusal_of(entry + tar_end()) == sentence);
  }
}

Test(archive_tar, names_that_no_backup_has_are_refused) {
  const std::string unknown = "the archive has a member with a name that no backup has: ";
  for (const std::string name : {"/etc/passwd",
                                 "../x",
                                 "a/../b",
                                 "a/b",
                                 "a/1",
                                 "a/0000001",
                                 "a/000000",
                                 "a/-00001",
                                 "a/000001/000001",
                                 "a//000001",
                                 "./a",
                                 ".",
                                 "..",
                                 ".hidden",
                                 "-rf",
                                 "a b",
                                 "a\nb",
                                 "\xc3\xa4",
                                 "a/000001x",
                                 "a/1000000000000"}) {
    const std::string said = refusal_of(tar_entry(name, "x") + tar_end());
    cr_expect(said.starts_with(unknown), "%s: %s", name.c_str(), said.c_str());
  }
  cr_expect(refusal_of(tar_entry("a\nb", "x") + tar_end()) == unknown + "a?b");
}

Test(archive_tar, pieces_come_in_order_and_every_name_comes_once) {
  const auto pieces = [](const std::vector<std::string>& names) {
    std::string tar;
    for (const std::string& name : names) tar += tar_entry(name, "x");
    return refusal_of(tar + tar_end());
  };

  cr_expect(pieces({"a/000001", "a/000002", "b/000001", "c"}).empty());
  cr_expect(pieces({"a/000001", "b", "a/000002"}).empty());
  cr_expect(pieces({"a/000002"}) == "the archive lacks a piece of its member a");
  cr_expect(pieces({"a/000001", "a/000003"}) == "the archive lacks a piece of its member a");
  cr_expect(pieces({"a/000001", "b", "a/000003"}) == "the archive lacks a piece of its member a");
  cr_expect(pieces({"a/000001", "b", "a/000001"}) == "the archive has its member a twice");
  cr_expect(pieces({"a", "b", "a/000002"}) == "the archive lacks a piece of its member a");
  cr_expect(pieces({"a/000001", "a/000001"}) == "the archive has its member a twice");
  cr_expect(pieces({"a/000001", "a"}) == "the archive has its member a twice");
  cr_expect(pieces({"a", "a/000001"}) == "the archive has its member a twice");
  cr_expect(pieces({"a", "b", "a"}) == "the archive has its member a twice");
  cr_expect(refusal_of(tar_entry("a/000001", "x") + tar_entry("a/000002", "") + tar_end()) ==
            "the archive lacks a piece of its member a");
}

Test(archive_tar, members_that_are_written_at_the_same_time_come_run_by_run) {
  const std::string content = noise(100'000);
  const Members mixed = {{"a*", "x"},        {"data.1+", "one"},   {"data.2+", content},
                         {"data.2+", "two"}, {"data.1+", content}, {"b", "y"}};
  const TempFolder folder;

  const ReadArchive read = read_archive(archive_of(mixed));

  cr_expect(read.refusal.empty(), "%s", read.refusal.c_str());
  cr_expect(read.members == Members({{"a", "x"},
                                     {"data.1", "one"},
                                     {"data.2", content + "two"},
                                     {"data.1", content},
                                     {"b", "y"}}));
  cr_expect(gnu_tar(folder, archive_of(mixed), "-xO data.1") == "one" + content);
  cr_expect(gnu_tar(folder, archive_of(mixed), "-xO data.2") == content + "two");
}

Test(archive_tar, more_members_than_a_backup_has_are_refused) {
  std::string tar;
  for (std::size_t i = 0; i < TarReader::kMembersMax; ++i) tar += tar_entry(std::to_string(i), "");

  cr_expect(refusal_of(tar + tar_end()).empty());
  cr_expect(refusal_of(tar + tar_entry("more", "") + tar_end()) ==
            "the archive has more than 1000 members");
}

Test(archive_tar, what_is_no_archive_is_refused) {
  const std::string zstd = "the archive is not what zstd writes: ";
  const std::string tar = "the archive is not what tar writes: ";

  cr_expect(read_archive("").refusal.starts_with(zstd));
  cr_expect(read_archive("hello").refusal == zstd + "it is not compressed, or in another way");
  cr_expect(read_archive(tar_entry("a", "x") + tar_end()).refusal ==
            zstd + "it is not compressed, or in another way");
  cr_expect(refusal_of("hello").starts_with(tar));
  cr_expect(refusal_of(noise(5000)).starts_with(tar));
}

Test(archive_tar, a_source_that_fails_is_named_and_not_the_archive) {
  const std::string archive = archive_of({{"a", noise(1'000'000)}});
  int blocks = 0;
  TarReader reader([&]() -> Result<std::string> {
    if (blocks++ == 0) return archive.substr(0, 500'000);
    return Error{Fault::transient, Cause::unreachable, "the store is gone", ""};
  });

  cr_assert(reader.next().ok());
  Result<std::string_view> read = std::string_view();
  do {
    read = reader.read();
  } while (read.ok());

  cr_expect(read.error().message == "the store is gone");
  cr_expect(read.error().cause == Cause::unreachable);
  cr_expect(reader.read().error().message == "the store is gone");
  cr_expect(reader.next().error().message == "the store is gone");
}

Test(archive_tar, a_sink_that_fails_is_named_and_gets_nothing_more) {
  int calls = 0;
  {
    TarWriter writer(
        [&](std::string_view) -> Result<> {
          ++calls;
          return Error{Fault::transient, Cause::unreachable, "the store is full", ""};
        },
        0);
    cr_assert(writer.begin("dump", -1).ok());
    Result<> written = Done{};
    for (int i = 0; i < 10 && written.ok(); ++i) written = writer.write(noise(kPiece));
    cr_assert_not(written.ok());
    cr_expect(written.error().message == "the store is full");
    cr_expect(writer.write("x").error().message == "the store is full");
    cr_expect(writer.end().error().cause == Cause::unreachable);
  }
  cr_expect_eq(calls, 1);
}

Test(archive_tar, a_writer_that_goes_unfinished_writes_nothing_more) {
  std::string made;
  std::size_t before = 0;
  {
    TarWriter writer(
        [&](std::string_view bytes) -> Result<> {
          made += bytes;
          return Done{};
        },
        0);
    cr_assert(writer.begin("dump", -1).ok());
    cr_assert(writer.write(noise(3 * kPiece)).ok());
    before = made.size();
  }
  cr_expect_eq(made.size(), before);
  cr_expect_gt(before, kPiece);
  cr_expect_not(read_archive(made).refusal.empty());
}

Test(archive_tar, a_member_keeps_to_the_size_that_was_said) {
  TarWriter writer([](std::string_view) -> Result<> { return Done{}; }, 0);
  cr_assert(writer.begin("a", 3).ok());
  cr_assert(writer.write("12").ok());
  cr_expect(writer.write("34").error().message == "archive a: it grew while it was read");
  cr_expect_not(writer.end().ok());

  TarWriter other([](std::string_view) -> Result<> { return Done{}; }, 0);
  cr_assert(other.begin("a", 3).ok());
  cr_assert(other.write("12").ok());
  cr_expect(other.end().error().message == "archive a: it shrank while it was read");
}
