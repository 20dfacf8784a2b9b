// One thread, level 1, and pieces of 1 MiB are what costs the least processor time together with
// the encryption that follows: faster levels save less in here than their larger output costs
// there, and threads compress sooner but not for less.
#include "controller/archive/tar_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

constexpr char kLevel[] = "1";
constexpr int kMode = 0600;
constexpr std::int64_t kFilledUpMax = 16 * 1024 * 1024;

struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

}  // namespace

TarWriter::TarWriter(Sink out, std::int64_t modified_at_ms)
    : out_(std::move(out)), modified_at_ms_(modified_at_ms), archive_(archive_write_new()) {
  CHECK(archive_ != nullptr);
  // "Restricted": extended headers only where one is needed, so that each member is one for any
  // tar.
  CHECK(archive_write_set_format_pax_restricted(archive_) == ARCHIVE_OK);
  CHECK(archive_write_add_filter_zstd(archive_) == ARCHIVE_OK);
  CHECK(archive_write_set_filter_option(archive_, "zstd", "compression-level", kLevel) ==
        ARCHIVE_OK);
  archive_write_set_bytes_per_block(archive_, 0);  // As it comes, not padded to a tape's blocks.
  CHECK(archive_write_open2(archive_, this, nullptr, &TarWriter::take, nullptr, nullptr) ==
        ARCHIVE_OK);
}

// Freeing finishes it, which take() keeps from the sink, and fills up with zeros what the open
// member lacks. Where that is much it is left undone, for a few bytes that libarchive then never
// frees.
TarWriter::~TarWriter() {
  if (state_.ok()) state_ = Error{Fault::broken, Cause::other, "the archive was not finished", ""};
  if (left_ > kFilledUpMax) archive_write_fail(archive_);
  archive_write_free(archive_);
}

// To libarchive all goes well: it would not clean up after a failure. Whoever calls it looks at
// state_ then.
ssize_t TarWriter::take(archive*, void* self, const void* bytes, std::size_t size) {
  auto& writer = *static_cast<TarWriter*>(self);
  if (writer.state_.ok()) writer.state_ = writer.out_({static_cast<const char*>(bytes), size});
  return static_cast<ssize_t>(size);
}

Result<> TarWriter::failure(const std::string& attempt) {
  if (state_.ok()) {
    const char* said = archive_error_string(archive_);
    state_ = Error{Fault::broken, Cause::other,
                   fmt::format("{}: {}", attempt, said == nullptr ? "no reason given" : said), ""};
  }
  return state_;
}

Result<> TarWriter::begin(const std::string& name, std::int64_t size_bytes) {
  CHECK(name_.empty() && !name.empty());
  if (!state_.ok()) return state_;
  name_ = name;
  pieces_ = 0;
  is_in_pieces_ = size_bytes < 0;
  left_ = std::max<std::int64_t>(size_bytes, 0);
  if (is_in_pieces_) {
    piece_.reserve(kPieceBytes);
    return Done{};
  }
  return begin_entry(name, size_bytes);
}

Result<> TarWriter::write(std::string_view bytes) {
  CHECK(!name_.empty());
  if (!state_.ok()) return state_;
  if (!is_in_pieces_) {
    if (static_cast<std::int64_t>(bytes.size()) > left_) {
      return state_ = Error{Fault::transient, Cause::other,
                            fmt::format("archive {}: it grew while it was read", name_), ""};
    }
    left_ -= static_cast<std::int64_t>(bytes.size());
    return write_entry(name_, bytes);
  }
  while (state_.ok() && !bytes.empty()) {
    const std::size_t count = std::min(kPieceBytes - piece_.size(), bytes.size());
    piece_.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    if (piece_.size() == kPieceBytes) {
      (void)write_piece(name_, ++pieces_, piece_).ok();
      piece_.clear();
    }
  }
  return state_;
}

Result<> TarWriter::end() {
  CHECK(!name_.empty());
  if (!state_.ok()) return state_;
  if (!is_in_pieces_ && left_ > 0) {
    return state_ = Error{Fault::transient, Cause::other,
                          fmt::format("archive {}: it shrank while it was read", name_), ""};
  }
  // One of no size at all is one empty piece, so that it is there.
  if (is_in_pieces_ && (pieces_ == 0 || !piece_.empty())) {
    if (auto written = write_piece(name_, ++pieces_, piece_); !written.ok()) return written;
    piece_.clear();
  }
  name_.clear();
  return Done{};
}

Result<> TarWriter::add_piece(const std::string& name, std::string_view bytes) {
  CHECK(name_.empty() && !name.empty() && !bytes.empty());
  if (!state_.ok()) return state_;
  return write_piece(name, ++mixed_[name], bytes);
}

Result<> TarWriter::finish() {
  CHECK(name_.empty());
  if (!state_.ok()) return state_;
  if (archive_write_close(archive_) != ARCHIVE_OK) return failure("finish an archive");
  return state_;
}

Result<> TarWriter::begin_entry(const std::string& name, std::int64_t size_bytes) {
  const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  CHECK(entry != nullptr);
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_size(entry.get(), size_bytes);
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), kMode);
  archive_entry_set_mtime(entry.get(), modified_at_ms_ / 1000, 0);
  if (archive_write_header(archive_, entry.get()) != ARCHIVE_OK) return failure("archive " + name);
  return state_;
}

Result<> TarWriter::write_entry(const std::string& name, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = archive_write_data(archive_, bytes.data(), bytes.size());
    if (written <= 0) return failure("archive " + name);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return state_;
}

Result<> TarWriter::write_piece(const std::string& name, int number, std::string_view bytes) {
  if (auto begun = begin_entry(fmt::format("{}/{:06}", name, number),
                               static_cast<std::int64_t>(bytes.size()));
      !begun.ok()) {
    return begun;
  }
  return write_entry(name, bytes);
}

}  // namespace rowlock
