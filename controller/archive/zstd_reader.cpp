// For libarchive this is an archive of the format "raw", whose only member is all there is.
#include "controller/archive/zstd_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>

namespace rowlock {

namespace {

// RFC 8878, section 3.1.1.
constexpr std::string_view kMagic = "\x28\xb5\x2f\xfd";

}  // namespace

ZstdReader::ZstdReader(Source in) : in_(std::move(in)), archive_(archive_read_new()) {
  CHECK(archive_ != nullptr);
  // That one and no more: what is compressed within it stays so.
  CHECK(archive_read_append_filter(archive_, ARCHIVE_FILTER_ZSTD) == ARCHIVE_OK);
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
  reader.head_ += reader.block_.substr(0, kMagic.size() - reader.head_.size());
  *bytes = reader.block_.data();
  return static_cast<ssize_t>(reader.block_.size());
}

// What gave the bytes knows better than libarchive why it failed.
Error ZstdReader::failure() {
  if (state_.ok()) {
    const char* said = head_ == kMagic ? archive_error_string(archive_)
                                       : "it is not compressed, or in another way";
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
