// For libarchive this is an archive of the format "raw", whose only member is all there is.
#include "controller/archive/zstd_text.h"

#include "controller/archive/zstd_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <memory>

namespace rowlock {
namespace {

// Rows that hardly differ: higher levels take several times as long for a few parts in a hundred.
constexpr char kLevel[] = "6";

struct FreeArchive {
  void operator()(archive* made) const { archive_write_free(made); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

ssize_t take(archive*, void* to, const void* bytes, std::size_t size) {
  static_cast<std::string*>(to)->append(static_cast<const char*>(bytes), size);
  return static_cast<ssize_t>(size);
}

}  // namespace

Result<std::string> zstd_packed(std::string_view plain) {
  std::string packed;
  const std::unique_ptr<archive, FreeArchive> made(archive_write_new());
  const std::unique_ptr<archive_entry, FreeEntry> all(archive_entry_new());
  CHECK(made != nullptr && all != nullptr);
  CHECK(archive_write_set_format_raw(made.get()) == ARCHIVE_OK);
  CHECK(archive_write_add_filter_zstd(made.get()) == ARCHIVE_OK);
  CHECK(archive_write_set_filter_option(made.get(), "zstd", "compression-level", kLevel) ==
        ARCHIVE_OK);
  archive_write_set_bytes_per_block(made.get(), 0);
  archive_entry_set_filetype(all.get(), AE_IFREG);
  const bool is_written =
      archive_write_open2(made.get(), &packed, nullptr, take, nullptr, nullptr) == ARCHIVE_OK &&
      archive_write_header(made.get(), all.get()) == ARCHIVE_OK &&
      archive_write_data(made.get(), plain.data(), plain.size()) ==
          static_cast<la_ssize_t>(plain.size()) &&
      archive_write_close(made.get()) == ARCHIVE_OK;
  if (is_written) return packed;
  const char* said = archive_error_string(made.get());
  return Error{Fault::broken, Cause::other,
               fmt::format("cannot pack: {}", said == nullptr ? "no reason given" : said), ""};
}

Result<std::string> zstd_unpacked(std::string_view packed, std::size_t plain_max) {
  bool is_given = false;
  ZstdReader reader([&]() -> Result<std::string> {
    return std::exchange(is_given, true) ? std::string() : std::string(packed);
  });
  std::string plain;
  for (;;) {
    const auto more = TRY(reader.read());
    if (more.empty()) return plain;
    if (plain.size() + more.size() > plain_max) {
      return Error{Fault::rejected, Cause::malformed,
                   fmt::format("it unpacks to more than {} bytes", plain_max), ""};
    }
    plain += more;
  }
}

}  // namespace rowlock
