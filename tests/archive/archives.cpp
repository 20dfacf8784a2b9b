// Headers of tar are made by hand here, field by field, because no library would write the broken
// ones that the tests need.
#include "tests/archive/archives.h"

#include "controller/archive/tar_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <random>

namespace rowlock {
namespace {

void put(std::string& header, std::size_t at, const std::string& field) {
  header.replace(at, field.size(), field);
}

}  // namespace

Source source_of(std::string bytes, std::size_t block) {
  return [bytes = std::move(bytes), block, at = std::size_t{0}]() mutable -> Result<std::string> {
    std::string next = bytes.substr(at, block);
    at += next.size();
    return next;
  };
}

std::string archive_of(const Members& members) {
  std::string made;
  TarWriter writer(
      [&made](std::string_view bytes) -> Result<> {
        made += bytes;
        return Done{};
      },
      1'000'000);
  for (const auto& [name, content] : members) {
    if (name.ends_with('+')) {
      cr_assert(writer.add_piece(name.substr(0, name.size() - 1), content).ok());
      continue;
    }
    const bool is_in_pieces = name.ends_with('*');
    const std::string plain_name = name.substr(0, name.size() - (is_in_pieces ? 1 : 0));
    const auto size = static_cast<std::int64_t>(content.size());
    cr_assert(writer.begin(plain_name, is_in_pieces ? -1 : size).ok());
    cr_assert(writer.write(content).ok());
    cr_assert(writer.end().ok());
  }
  cr_assert(writer.finish().ok());
  return made;
}

ReadArchive read_archive(const std::string& archive, std::size_t block) {
  TarReader reader(source_of(archive, block));
  Members members;
  while (true) {
    const auto name = reader.next();
    if (!name.ok()) return {{}, name.error().message};
    if (name.value().empty()) return {members, ""};
    members.emplace_back(name.value(), "");
    while (true) {
      const auto bytes = reader.read();
      if (!bytes.ok()) return {{}, bytes.error().message};
      if (bytes.value().empty()) break;
      members.back().second += bytes.value();
    }
  }
}

// https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html, "ustar Interchange Format"
std::string tar_entry(const std::string& name, const std::string& content, char type,
                      const std::string& link) {
  std::string header(512, '\0');
  put(header, 0, name);
  put(header, 100, "0000600");
  put(header, 108, "0000000");
  put(header, 116, "0000000");
  put(header, 124, fmt::format("{:011o}", content.size()));
  put(header, 136, "00000000000");
  put(header, 148, "        ");
  put(header, 156, std::string(1, type));
  put(header, 157, link);
  put(header, 257, std::string("ustar\00000", 8));
  unsigned sum = 0;
  for (const char each : header) sum += static_cast<unsigned char>(each);
  put(header, 148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

std::string tar_end() { return std::string(1024, '\0'); }

std::string zstd_of(const std::string& plain) {
  std::string made(plain.size() + 10'000, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_add_filter_zstd(writer);
  archive_write_set_format_raw(writer);
  archive_write_set_bytes_in_last_block(writer, 1);
  cr_assert(archive_write_open_memory(writer, made.data(), made.size(), &used) == ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  cr_assert(archive_write_header(writer, entry) == ARCHIVE_OK);
  const auto written = archive_write_data(writer, plain.data(), plain.size());
  cr_assert(written == static_cast<la_ssize_t>(plain.size()));
  cr_assert(archive_write_close(writer) == ARCHIVE_OK);
  archive_entry_free(entry);
  archive_write_free(writer);
  return made.substr(0, used);
}

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string bytes((size + 7) / 8 * 8, '\0');
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    const std::uint64_t word = random();
    std::copy_n(reinterpret_cast<const char*>(&word), 8, bytes.data() + at);
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace rowlock
