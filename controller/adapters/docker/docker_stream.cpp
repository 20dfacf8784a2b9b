// Pieces come as the network cut them, anywhere in a line or in a frame's header, so both classes
// keep what is not whole yet until the rest comes.
#include "controller/adapters/docker/docker_stream.h"

#include "controller/base/utf8.h"

#include <algorithm>
#include <utility>

namespace rowlock {

namespace {

constexpr std::size_t kLineBytesMax = 1024 * 1024;
constexpr std::size_t kHeaderBytes = 8;

unsigned byte_at(const std::string& bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

bool is_frame_header(const std::string& header) {
  return byte_at(header, 0) <= 2 && byte_at(header, 1) == 0 && byte_at(header, 2) == 0 &&
         byte_at(header, 3) == 0;
}

std::size_t frame_length(const std::string& header) {
  return std::size_t{byte_at(header, 4)} << 24 | std::size_t{byte_at(header, 5)} << 16 |
         std::size_t{byte_at(header, 6)} << 8 | byte_at(header, 7);
}

}  // namespace

LineSplitter::LineSplitter(std::function<void(std::string_view line)> on_line)
    : on_line_(std::move(on_line)) {}

void LineSplitter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    if (!dropping_) pending_ += bytes.substr(0, end);
    if (pending_.size() > kLineBytesMax) {
      dropping_ = true;
      pending_.clear();
    }
    if (end == std::string_view::npos) return;
    if (!dropping_) on_line_(pending_);
    dropping_ = false;
    pending_.clear();
    bytes.remove_prefix(end + 1);
  }
}

OutputTail::OutputTail(std::size_t bytes_max) : bytes_max_(bytes_max) {}

void OutputTail::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (bare_ || in_frame_ > 0) {
      const std::size_t count = bare_ ? bytes.size() : std::min(in_frame_, bytes.size());
      keep(bytes.substr(0, count));
      bytes.remove_prefix(count);
      if (!bare_) in_frame_ -= count;
      continue;
    }
    const std::size_t count = std::min(kHeaderBytes - header_.size(), bytes.size());
    header_ += bytes.substr(0, count);
    bytes.remove_prefix(count);
    if (header_.size() < kHeaderBytes) return;
    bare_ = !is_frame_header(header_);
    if (bare_) {
      keep(header_);
    } else {
      in_frame_ = frame_length(header_);
    }
    header_.clear();
  }
}

void OutputTail::keep(std::string_view bytes) {
  kept_ += bytes;
  // Trimmed now and then only, or a flood of small pieces would move the same bytes again and
  // again.
  if (kept_.size() <= 4 * bytes_max_) return;
  kept_.erase(0, kept_.size() - bytes_max_ - 1);
  cut_ = true;
}

std::string OutputTail::text() const {
  // Fewer bytes than a header has are a terminal's short word.
  std::string result = utf8_sanitised(kept_ + header_);
  const bool too_long = result.size() > bytes_max_;
  if (too_long) result.erase(0, result.size() - bytes_max_);
  if (!too_long && !cut_) return result;
  const std::size_t line = result.find('\n');
  // Without a line's end the cut may have gone through a character.
  if (line == std::string::npos || line + 1 == result.size()) {
    std::size_t start = 0;
    while (start < result.size() && (static_cast<unsigned char>(result[start]) & 0xc0) == 0x80)
      ++start;
    return result.substr(start);
  }
  return result.substr(line + 1);
}

}  // namespace rowlock
