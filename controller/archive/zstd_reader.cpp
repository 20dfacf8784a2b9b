// For libarchive this is an archive of the format "raw", whose only member is all there is.
#include "controller/archive/zstd_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>

namespace rowlock {

ZstdReader::ZstdReader(Source in) : in_(std::move(in)), archive_(archive_read_new()) {
  CHECK(archive_ != nullptr);
  CHECK(archive_read_support_filter_zstd(archive_) == ARCHIVE_OK);
  CHECK(archive_read_support_format_raw(archive_) == ARCHIVE_OK);
}

ZstdReader::~ZstdReader() { archive_read_free(archive_); }

ssize_t ZstdReader::give(archive* from, void* self, const void** bytes) {
  auto& reader = *static_cast<ZstdReader*>(self);
  auto block = reader.in_();
  if (!block.ok()) {
    reader.state_ = block.error();
    archive_set_error(from, EIO, "what gives it has failed");
    return -1;
  }
  reader.block_ = std::move(block).value();
  *bytes = reader.block_.data();
  return static_cast<ssize_t>(reader.block_.size());
}

// What gave the bytes knows better than libarchive why it failed.
Error ZstdReader::failure() {
  if (state_.ok()) {
    const char* said = archive_error_string(archive_);
    state_ = Error{Fault::rejected, Cause::other,
                   fmt::format("the archive is not what zstd writes: {}",
                               said == nullptr || *said == '\0' ? "no reason given" : said),
                   ""};
  }
  return state_.error();
}

Result<> ZstdReader::open() {
  is_open_ = true;
  archive_entry* all = nullptr;
  if (archive_read_open(archive_, this, nullptr, &ZstdReader::give, nullptr) != ARCHIVE_OK ||
      archive_read_next_header(archive_, &all) != ARCHIVE_OK) {
    return failure();
  }
  if (archive_filter_code(archive_, 0) != ARCHIVE_FILTER_ZSTD) {
    archive_set_error(archive_, EIO, "it is not compressed, or in another way");
    return failure();
  }
  return Done{};
}

Result<std::string_view> ZstdReader::read() {
  if (!state_.ok()) return state_.error();
  if (!is_open_) {
    TRY(open());
  }
  const void* bytes = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  const int code = archive_read_data_block(archive_, &bytes, &size, &offset);
  if (code == ARCHIVE_EOF) return std::string_view();
  if (code != ARCHIVE_OK) return failure();
  return std::string_view(static_cast<const char*>(bytes), size);
}

}  // namespace rowlock
