// How far something is, as one line on stderr: rewritten in place on a terminal; elsewhere a line
// for each phase, and one now and then in between.
#pragma once

#include "controller/cli/terminal/terminal.h"
#include "controller/step_progress.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace rowlock {

// "restoring: 120 of 400 MB", as the view `progress` says it.
std::string progress_text(std::string_view phase, std::int64_t bytes, std::int64_t all);

class ProgressLine {
 public:
  static constexpr std::int64_t kSayEveryMs = 10'000;  // Elsewhere than on a terminal.

  explicit ProgressLine(const Terminal& terminal) : terminal_(terminal) {}
  ~ProgressLine() { end(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // `text` begins with the phase.
  void show(const std::string& phase, const std::string& text, std::int64_t now_ms);

  // What is said next begins a line of its own.
  void end();

  // Tells this, as long as this lives.
  TellProgress teller();

 private:
  const Terminal& terminal_;
  std::string phase_;
  std::string text_;
  std::int64_t said_at_ms_ = 0;
  bool is_open_ = false;  // The cursor stands behind it.
};

}  // namespace rowlock
