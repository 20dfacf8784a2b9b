// Written by hand and not by a library: one line, in place on a terminal, and seldom elsewhere so
// that a log stays short.
#include "controller/cli/look/progress_line.h"

#include "controller/base/time.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr std::int64_t kKb = 1000;
constexpr std::int64_t kMb = 1000 * kKb;

}  // namespace

std::string progress_text(std::string_view phase, std::int64_t bytes, std::int64_t all) {
  const bool is_large = (all > 0 ? all : bytes) >= 10 * kMb;
  const std::int64_t unit = is_large ? kMb : kKb;
  const char* const name = is_large ? "MB" : "KB";
  if (all > 0) return fmt::format("{}: {} of {} {}", phase, bytes / unit, all / unit, name);
  if (bytes > 0) return fmt::format("{}: {} {} so far", phase, bytes / unit, name);
  return std::string(phase);
}

void ProgressLine::show(const std::string& phase, const std::string& text, std::int64_t now_ms) {
  const bool is_new = phase != phase_;
  if (text == text_) return;
  if (terminal_.shows_progress()) {
    if (is_new) end();
    fmt::print(stderr, "\r{}\x1b[K", printable(text));
    is_open_ = true;
  } else if (is_new || now_ms - said_at_ms_ >= kSayEveryMs) {
    terminal_.note(text);
    said_at_ms_ = now_ms;
  }
  phase_ = phase;
  text_ = text;
}

void ProgressLine::end() {
  if (is_open_) fmt::print(stderr, "\n");
  is_open_ = false;
}

TellProgress ProgressLine::teller() {
  return [this](const std::string& phase, std::int64_t bytes, std::int64_t all) {
    show(phase, progress_text(phase, bytes, all), system_now_ms());
  };
}

}  // namespace rowlock
