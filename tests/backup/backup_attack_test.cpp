// Backup files that were cut off, altered, put together from two, or forged by somebody who knows
// the recipients: each is found by check_backup_file(), and no byte is given out that was not
// authenticated. What is forged whole, with a manifest of its own, is as honest as any other file
// for these recipients: that one is told by its hash, which the row of the backup has.
#include "controller/backup/backup_file.h"
#include "controller/backup/backup_manifest.h"
#include "controller/crypto/age.h"
#include "tests/backup/backup_files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <random>

using namespace rowlock;

namespace {

constexpr std::size_t kSealedChunk = 65536 + 16;

// A header, and what follows it up to the end of the file.
std::string small_backup() {
  return backup_of(postgres_header(), {{"globals.sql", "CREATE ROLE x;"}, {"dump*", "rows"}});
}

Members large_content() { return {{"globals.sql", "CREATE ROLE x;"}, {"dump*", noise(700'000)}}; }

// Whether what the reader gave of that file begins each member as the content does.
bool gave_only(const Members& given, const Members& content) {
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (i >= content.size()) return false;
    const std::string name = content[i].first.substr(0, content[i].first.find('*'));
    if (given[i].first != name || !content[i].second.starts_with(given[i].second)) {
      return false;
    }
  }
  return true;
}

std::size_t payload_of(const std::string& file) {
  const std::size_t mac = file.find("\n--- ");
  return file.find('\n', mac + 1) + 1 + 16;
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  cr_assert(at != std::string::npos, "%s", from.c_str());
  text.replace(at, from.size(), to);
}

}  // namespace

Test(backup_attack, the_forge_of_this_test_makes_backups_that_pass) {
  const Members content = large_content();

  cr_expect(fault_of(forged(honest(postgres_header(), content))).empty());
}

Test(backup_attack, a_small_one_cut_off_anywhere_is_found, .timeout = 120) {
  const std::string file = small_backup();

  for (std::size_t size = 0; size < file.size(); ++size) {
    cr_expect_not(fault_of(file.substr(0, size)).empty(), "%zu", size);
  }
  cr_expect(fault_of(file).empty());
}

Test(backup_attack, a_large_one_cut_off_anywhere_is_found, .timeout = 120) {
  const Members content = large_content();
  const std::string file = backup_of(postgres_header(), content);
  std::mt19937 random(1);

  for (int i = 0; i < 300; ++i) {
    const std::size_t size = random() % file.size();
    std::string fault;
    const Members given = members_of(file.substr(0, size), fault);
    cr_expect_not(fault.empty(), "%zu", size);
    cr_expect(gave_only(given, content), "%zu", size);
  }
}

Test(backup_attack, a_flip_of_any_bit_is_found, .timeout = 240) {
  const Members content = large_content();
  const std::string file = backup_of(postgres_header(), content);
  std::mt19937 random(2);

  for (int i = 0; i < 1000; ++i) {
    // A tenth of them in the header, which is a thousandth of the file.
    const std::size_t bits = (i % 10 == 0 ? payload_of(file) : file.size()) * 8;
    const std::size_t bit = random() % bits;
    std::string altered = file;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
    std::string fault;
    const Members given = members_of(altered, fault);
    cr_expect_not(fault.empty(), "bit %zu", bit);
    cr_expect(gave_only(given, content), "bit %zu", bit);
  }
}

Test(backup_attack, chunks_that_were_swapped_left_out_or_doubled_are_found, .timeout = 120) {
  const Members content = large_content();
  const std::string file = backup_of(postgres_header(), content);
  const std::size_t began = payload_of(file);
  const std::string head = file.substr(0, began);
  std::vector<std::string> chunks;
  for (std::size_t at = began; at < file.size(); at += kSealedChunk) {
    chunks.push_back(file.substr(at, kSealedChunk));
  }
  const auto check = [&](const std::vector<std::string>& made, const std::string& what) {
    std::string altered = head;
    for (const std::string& chunk : made) altered += chunk;
    std::string fault;
    const Members given = members_of(altered, fault);
    cr_expect_eq(fault.empty(), altered == file, "%s", what.c_str());
    cr_expect(gave_only(given, content), "%s", what.c_str());
  };

  cr_assert_gt(chunks.size(), 5);
  check(chunks, "as it was");
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    std::vector<std::string> without = chunks;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    check(without, fmt::format("without {}", i));
    std::vector<std::string> doubled = chunks;
    doubled.insert(doubled.begin() + static_cast<std::ptrdiff_t>(i), chunks[i]);
    check(doubled, fmt::format("{} twice", i));
    for (std::size_t j = i + 1; j < chunks.size(); ++j) {
      std::vector<std::string> swapped = chunks;
      std::swap(swapped[i], swapped[j]);
      check(swapped, fmt::format("{} and {} swapped", i, j));
    }
  }
}

Test(backup_attack, parts_of_two_backups_do_not_make_one, .timeout = 60) {
  const std::string one = backup_of(postgres_header("b-1"), large_content());
  const std::string other = backup_of(postgres_header("b-2"), large_content());
  const std::size_t began = payload_of(one);

  cr_expect_not(fault_of(one.substr(0, began) + other.substr(payload_of(other))).empty());
  for (std::size_t at = began; at < one.size() && at < other.size(); at += kSealedChunk) {
    cr_expect_not(fault_of(one.substr(0, at) + other.substr(at)).empty(), "%zu", at);
  }
  cr_expect_not(fault_of(one + other).empty());
  cr_expect_not(fault_of(one + "x").empty());
}

Test(backup_attack, a_manifest_of_another_backup_is_found) {
  const Members content = {{"dump*", "rows"}};
  Members members = honest(postgres_header("b-1"), content);
  members.back().second = manifest_of(postgres_header("b-2"), content);

  cr_expect(fault_of(forged(members)) ==
            "the backup file has the manifest of another backup: b-1 begins, b-2 ends it");
  BackupHeader later = postgres_header("b-1");
  ++later.started_at_ms;
  members.back().second = manifest_of(later, content);
  cr_expect(fault_of(forged(members)) ==
            "the backup file has the manifest of another backup: b-1 begins, b-1 ends it");
}

Test(backup_attack, members_that_differ_from_the_manifest_are_found) {
  const Members content = {{"globals.sql", "roles"}, {"dump*", "rows"}};
  const auto with = [&](const Members& put) {
    Members members = head_of(postgres_header());
    members.insert(members.end(), put.begin(), put.end());
    members.emplace_back("manifest.json", manifest_of(postgres_header(), content));
    return fault_of(forged(members));
  };

  cr_expect(with(content).empty());
  cr_expect(with({{"globals.sql", "roles"}, {"dump*", "rovs"}}) ==
            "the backup file has another content in its member dump than its manifest lists");
  cr_expect(with({{"globals.sql", "roles"}, {"dump*", "rows and more"}}) ==
            "the backup file has 13 bytes in its member dump, its manifest lists 4");
  cr_expect(with({{"globals.sql", "roles"}}) ==
            "the backup file lacks its member dump where the manifest lists it");
  cr_expect(with({{"dump*", "rows"}}) ==
            "the backup file lacks its member globals.sql where the manifest lists it");
  cr_expect(with({{"dump*", "rows"}, {"globals.sql", "roles"}}) ==
            "the backup file lacks its member globals.sql where the manifest lists it");
  cr_expect(with({{"globals.sql", "roles"}, {"dump*", "rows"}, {"more", ""}}) ==
            "the backup file has a member that its manifest does not list: more");
  cr_expect(with({{"globals.sql", "roles"}, {"globals.sql", "roles"}, {"dump*", "rows"}}) ==
            "the archive has its member globals.sql twice");
}

Test(backup_attack, pieces_that_come_mixed_are_those_of_data_alone) {
  const std::string roles = "globals.sql";
  const Members parts = {{"data.1+", "a"}, {"data.2+", "b"}, {"data.1+", "c"}};
  const auto with = [&](const Members& put, const Members& listed) {
    Members members = head_of(postgres_header());
    members.insert(members.end(), put.begin(), put.end());
    members.emplace_back("manifest.json", manifest_of(postgres_header(), listed));
    return fault_of(forged(members));
  };

  cr_expect(with(parts, {{"data.1", "ac"}, {"data.2", "b"}}).empty());
  cr_expect(with(parts, {{"data.1", "ca"}, {"data.2", "b"}}) ==
            "the backup file has another content in its member data.1 than its manifest lists");
  cr_expect(with(parts, {{"data.1", "a"}, {"data.2", "b"}}) ==
            "the backup file has 2 bytes in its member data.1, its manifest lists 1");
  cr_expect(with({{roles + "+", "a"}, {"data.2+", "b"}, {roles + "+", "c"}},
                 {{roles, "ac"}, {"data.2", "b"}}) ==
            "the backup file has its member globals.sql torn apart");
}

Test(backup_attack, members_out_of_their_order_are_found) {
  const Members good = honest(postgres_header(), {{"dump*", "rows"}});
  const auto ordered = [&](const std::vector<std::size_t>& order) {
    Members members;
    for (const std::size_t at : order) members.push_back(good[at]);
    return fault_of(forged(members));
  };

  cr_expect(ordered({0, 1, 2, 3}).empty());
  cr_expect(ordered({1, 0, 2, 3}) ==
            "the backup file lacks RESTORE.txt where it belongs: it is no backup of Rowlock's");
  cr_expect(ordered({0, 2, 1, 3}) ==
            "the backup file lacks backup.json where it belongs: it is no backup of Rowlock's");
  cr_expect(ordered({0, 1, 3, 2}) == "the backup file has a member after its manifest: dump");
  cr_expect(ordered({0, 1, 2}) == "the backup file has no manifest: the backup was not finished");
  cr_expect(ordered({0, 1}) == "the backup file has no manifest: the backup was not finished");
  cr_expect(ordered({0, 1, 2, 3, 3}) == "the archive has its member manifest.json twice");
  cr_expect(ordered({0, 1, 2, 0, 3}) == "the archive has its member RESTORE.txt twice");
  cr_expect(ordered({}) ==
            "the backup file lacks RESTORE.txt where it belongs: it is no backup of Rowlock's");
}

Test(backup_attack, what_a_tar_can_hold_besides_is_found) {
  const BackupHeader header = postgres_header();
  const auto with = [&](const std::string& entry) {
    std::string tar;
    for (const auto& [name, text] : head_of(header)) tar += tar_entry(name, text);
    tar += entry + tar_entry("manifest.json", manifest_of(header, {})) + tar_end();
    return fault_of(age_encrypt({kRecipients[0]}, zstd_of(tar)).value());
  };

  cr_expect(with("").empty(), "%s", with("").c_str());
  cr_expect(with(tar_entry("x", "", '2', "/etc/passwd")) ==
            "the archive has a member that is no plain file: x");
  cr_expect(with(tar_entry("x", "", '1', "backup.json")) ==
            "the archive has a member that is no plain file: x");
  cr_expect(with(tar_entry("../x", "y")) ==
            "the archive has a member with a name that no backup has: ../x");
  cr_expect(with(tar_entry("/x", "y")) ==
            "the archive has a member with a name that no backup has: /x");
  cr_expect(with(tar_end() + tar_entry("x", "y")) == "the archive goes on after its end");
}

Test(backup_attack, what_is_too_large_is_not_read_to_its_end, .timeout = 120) {
  Members members = honest(postgres_header(), {});
  members[0].second = std::string(kRestoreBytesMax + 1, 'x');
  cr_expect(fault_of(forged(members)) == "the backup file has a RESTORE.txt of over 65536 bytes");

  members = honest(postgres_header(), {});
  members[1].second += std::string(kHeaderBytesMax, ' ');
  cr_expect(fault_of(forged(members)) == "the backup file has a backup.json of over 65536 bytes");

  members = honest(postgres_header(), {});
  members[2].second += std::string(kManifestBytesMax, ' ');
  cr_expect(fault_of(forged(members)) ==
            "the backup file has a manifest.json of over 67108864 bytes");
}

Test(backup_attack, a_header_of_another_form_is_found) {
  const std::string good = text_of(postgres_header());
  const auto fault_with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    replace(text, from, to);
    Members members = honest(postgres_header(), {});
    members[1].second = text;
    return fault_of(forged(members));
  };
  const std::string header = "the backup file's header ";

  cr_expect(fault_with("\"id\":\"b-1\"", "\"id\":1") == header + "has a id of another type");
  cr_expect(fault_with("\"id\":\"b-1\",", "") == header + "lacks id");
  cr_expect(fault_with("\"id\":\"b-1\"", "\"id\":null") == header + "lacks id");
  cr_expect(fault_with("\"id\":\"b-1\"", "\"id\":\"\"") == header + "has an empty id");
  cr_expect(fault_with("{", "{\"more\":1,") == header + "has a member that is not known here");
  cr_expect(fault_with("{", "{\"id\":\"b-2\",").starts_with(header + "cannot be read: "));
  cr_expect(fault_with("1795600000000", "1.5") == header + "has a started_at_ms of another type");
  cr_expect(fault_with("1795600000000", "\"1795600000000\"") ==
            header + "has a started_at_ms of another type");
  cr_expect(fault_with("\"postgres\"", "\"mysql\"") ==
            header + "has a kind that is neither postgres nor home");
  cr_expect(fault_with("\"format\":1", "\"format\":2") ==
            "the backup file's format is 2, this rowlock reads up to 1");
  cr_expect(fault_with("\"format\":1", "\"format\":0") == "the backup file's format is none");
  cr_expect(fault_with(good, "[]") == header + "is no object");
  cr_expect(fault_with(good, "").starts_with(header + "cannot be read: "));
  cr_expect(fault_with("\n", "{}").starts_with(header + "cannot be read: "));
}

Test(backup_attack, a_manifest_of_another_form_is_found) {
  const std::string good = manifest_of(postgres_header(), {{"dump", "rows"}});
  const auto fault_with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    replace(text, from, to);
    Members members = honest(postgres_header(), {{"dump", "rows"}});
    members.back().second = text;
    return fault_of(forged(members));
  };
  const std::string manifest = "the backup file's manifest ";
  const std::string list = "the backup file's list of members in its manifest ";

  cr_expect(fault_with("\"members\":", "\"membres\":") == manifest + "lacks members");
  cr_expect(fault_with("{", "{\"more\":1,") == manifest + "has a member that is not known here");
  cr_expect(fault_with(some_content().text(), "[]") ==
            manifest + "has a content that is no object");
  cr_expect(fault_with("\"size_bytes\":4", "\"size_bytes\":-4") ==
            list + "has one of another form");
  cr_expect(fault_with("\"size_bytes\":4", "\"size_bytes\":4.5") ==
            list + "has one of another form");
  cr_expect(fault_with("\"size_bytes\":4", "\"size_bytes\":\"4\"") ==
            list + "has one of another form");
  cr_expect(fault_with("\"sha256\":\"", "\"sha256\":\"0") == list + "has one of another form");
  cr_expect(fault_with("\"sha256\":\"", "\"sha257\":\"") == list + "lacks sha256");
  cr_expect(fault_with("\"name\":\"dump\"", "\"name\":5") == list + "has one of another form");
  cr_expect(fault_with("\"backup\":{", "\"backup\":{\"x\":1,") ==
            "the backup file's header has a member that is not known here");
  cr_expect(fault_with(good, "x").starts_with(manifest + "cannot be read: "));
}

Test(backup_attack, a_source_that_fails_is_named_and_not_the_file) {
  const std::string file = backup_of(postgres_header(), large_content());
  int blocks = 0;
  const auto checked = check_backup_file(SecretBytes(kIdentities[0]), [&]() -> Result<std::string> {
    if (blocks < 3) return file.substr(static_cast<std::size_t>(blocks++) * 100'000, 100'000);
    return Error{Fault::transient, Cause::unreachable, "the store is gone", "wait"};
  });

  cr_assert_not(checked.ok());
  cr_expect(checked.error().message == "the store is gone");
  cr_expect(checked.error().fault == Fault::transient);
}

Test(backup_attack, a_reader_that_has_failed_gives_nothing_more) {
  const std::string file = backup_of(postgres_header(), large_content());
  auto opened =
      BackupFileReader::open(SecretBytes(kIdentities[0]), source_of(file.substr(0, 400'000), 1000));
  cr_assert(opened.ok());
  BackupFileReader& reader = *opened.value();
  Result<std::string> read = std::string();
  do {
    read = reader.next();
  } while (read.ok() && !read.value().empty());

  cr_assert_not(read.ok());
  cr_expect(reader.next().error().message == read.error().message);
  cr_expect(reader.read().error().message == read.error().message);
}
