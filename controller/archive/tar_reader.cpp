// By libarchive, which is generous: it takes many forms of archive. All that makes the reading
// strict is in described() and check_end().
#include "controller/archive/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

namespace rowlock {
namespace {

constexpr std::size_t kNameLettersMax = 90;  // With a piece's number it fits a plain tar header.
constexpr std::size_t kNumberDigitsMin = 6;
constexpr std::size_t kNumberDigitsMax = 9;

bool is_letter_or_digit(char each) {
  return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') ||
         (each >= '0' && each <= '9');
}

// As TarWriter writes it; 0: it does not.
int number_of_piece(std::string_view text) {
  int number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = text.size() >= kNumberDigitsMin && text.size() <= kNumberDigitsMax &&
                         read.ec == std::errc() && read.ptr == text.data() + text.size();
  return is_number && fmt::format("{:06}", number) == text ? number : 0;
}

// Any bytes, so that they can be shown.
std::string shown(std::string_view path) {
  std::string text;
  for (const char each : path.substr(0, kNameLettersMax)) {
    text += each >= ' ' && each <= '~' ? each : '?';
  }
  return text;
}

}  // namespace

bool is_member_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameLettersMax && is_letter_or_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char each) {
           return is_letter_or_digit(each) || each == '.' || each == '_' || each == '-';
         });
}

TarReader::TarReader(Source in) : plain_(std::move(in)), archive_(archive_read_new()) {
  CHECK(archive_ != nullptr);
  CHECK(archive_read_support_format_tar(archive_) == ARCHIVE_OK);
}

TarReader::~TarReader() { archive_read_free(archive_); }

ssize_t TarReader::give(archive* from, void* self, const void** bytes) {
  auto& reader = *static_cast<TarReader*>(self);
  const auto plain = reader.plain_.read();
  if (!plain.ok()) {
    reader.state_ = plain.error();
    archive_set_error(from, EIO, "what gives it has failed");
    return -1;
  }
  const std::string_view block = plain.value();
  if (const auto last = block.find_last_not_of('\0'); last != std::string_view::npos) {
    reader.nonzero_end_ = reader.plain_bytes_ + static_cast<std::int64_t>(last) + 1;
  }
  reader.plain_bytes_ += static_cast<std::int64_t>(block.size());
  *bytes = block.data();
  return static_cast<ssize_t>(block.size());
}

// What gave the bytes knows better than libarchive why it failed.
Error TarReader::failure() {
  if (state_.ok()) {
    const char* said = archive_error_string(archive_);
    return refusal(fmt::format("is not what tar writes: {}",
                               said == nullptr || *said == '\0' ? "no reason given" : said));
  }
  return state_.error();
}

Error TarReader::refusal(const std::string& why) {
  state_ = Error{Fault::rejected, Cause::other, "the archive " + why, ""};
  return state_.error();
}

Result<std::string> TarReader::next() {
  if (!state_.ok()) return state_.error();
  CHECK(is_read_);
  if (!is_open_) {
    is_open_ = true;
    if (archive_read_open(archive_, this, nullptr, &TarReader::give, nullptr) != ARCHIVE_OK) {
      return failure();
    }
    TRY(look_ahead());
  }
  current_ = std::exchange(ahead_, Entry());
  if (current_.name.empty()) return current_.name;
  TRY(begin_run());
  is_read_ = false;
  return current_.name;
}

Result<> TarReader::begin_run() {
  const auto [known, is_new] = pieces_.emplace(current_.name, current_.piece);
  if (current_.piece > 1) {
    const bool follows = !is_new && known->second == current_.piece - 1 && current_.size_bytes > 0;
    if (!follows) return refusal(fmt::format("lacks a piece of its member {}", current_.name));
  } else if (!is_new) {
    return refusal(fmt::format("has its member {} twice", current_.name));
  }
  if (pieces_.size() > kMembersMax) {
    return refusal(fmt::format("has more than {} members", kMembersMax));
  }
  return Done{};
}

Result<std::string_view> TarReader::read() {
  if (!state_.ok()) return state_.error();
  while (!is_read_) {
    const void* bytes = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int code = archive_read_data_block(archive_, &bytes, &size, &offset);
    if (code == ARCHIVE_OK && size > 0) {
      return std::string_view(static_cast<const char*>(bytes), size);
    }
    if (code == ARCHIVE_OK) continue;
    if (code != ARCHIVE_EOF) return failure();
    TRY(look_ahead());
    const bool goes_on = current_.piece > 0 && ahead_.name == current_.name &&
                         ahead_.piece == current_.piece + 1 && ahead_.size_bytes > 0;
    if (goes_on) current_ = std::exchange(ahead_, Entry());
    is_read_ = !goes_on;
    if (is_read_) pieces_[current_.name] = current_.piece;
  }
  return std::string_view();
}

// Finds the next entry, or that there is none.
Result<> TarReader::look_ahead() {
  ahead_ = Entry();
  archive_entry* found = nullptr;
  const int code = archive_read_next_header(archive_, &found);
  if (code == ARCHIVE_EOF) return check_end();
  if (code != ARCHIVE_OK) return failure();
  const char* said = archive_entry_pathname(found);
  const std::string path = said == nullptr ? "" : said;
  if (archive_entry_filetype(found) != AE_IFREG || archive_entry_hardlink(found) != nullptr ||
      archive_entry_symlink(found) != nullptr || archive_entry_size_is_set(found) == 0 ||
      archive_entry_sparse_count(found) > 0) {
    return refusal(fmt::format("has a member that is no plain file: {}", shown(path)));
  }
  auto entry = described(path, archive_entry_size(found));
  if (!entry.ok()) return refusal(entry.error().message);
  ahead_ = std::move(entry).value();
  return Done{};
}

Result<TarReader::Entry> TarReader::described(const std::string& path,
                                              std::int64_t size_bytes) const {
  const std::size_t slash = path.find('/');
  Entry entry{path.substr(0, slash), 0, size_bytes};
  if (slash != std::string::npos) entry.piece = number_of_piece(path.substr(slash + 1));
  const bool is_named_well =
      is_member_name(entry.name) && (slash == std::string::npos || entry.piece > 0);
  if (!is_named_well || size_bytes < 0) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("has a member with a name that no backup has: {}", shown(path)), ""};
  }
  return entry;
}

// Tar ends with zeros; behind them something could hide that other programs would unpack.
Result<> TarReader::check_end() {
  const std::int64_t end = archive_filter_bytes(archive_, 0);
  const void* rest = nullptr;
  ssize_t count = 1;
  while (count > 0) count = give(archive_, this, &rest);
  if (count < 0) return failure();
  if (nonzero_end_ > end) return refusal("goes on after its end");
  return Done{};
}

}  // namespace rowlock
