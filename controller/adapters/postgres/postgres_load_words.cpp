// The server's words may have several lines, and a statement any number of them: only lines that
// begin as pg_restore's own do are looked at.
#include "controller/adapters/postgres/postgres_load_words.h"

#include "controller/adapters/postgres/postgres_text.h"

#include <cstdlib>

namespace rowlock {

namespace {

constexpr std::string_view kEntry = "pg_restore: from TOC entry ";
constexpr std::string_view kError = "pg_restore: error: ";
constexpr std::string_view kEnd = "pg_restore: warning: errors ignored on restore: ";
constexpr std::size_t kLineBytesMax = 2048;

}  // namespace

void PostgresLoadWords::take(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == '\n') {
      read(line_);
      line_.clear();
    } else if (line_.size() < kLineBytesMax) {
      line_ += c;
    }
  }
}

void PostgresLoadWords::read(std::string_view line) {
  if (line.starts_with(kEntry)) {
    number_ = std::strtoll(std::string(line.substr(kEntry.size())).c_str(), nullptr, 10);
  } else if (line.starts_with(kEnd)) {
    has_ended_whole_ = true;
  } else if (line.starts_with(kError)) {
    const bool is_same = !refusals_.empty() && refusals_.back().number == number_ && number_ != 0;
    if (is_same || refusals_.size() > kLoadRefusalsMax) return;
    refusals_.push_back({number_, postgres_line(std::string(line.substr(kError.size())))});
  }
}

}  // namespace rowlock
