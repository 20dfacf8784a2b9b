// What `rowlock wait` draws while it waits. On a terminal it draws the lines again over the old
// ones, so it must know how many rows of the screen they took.
#include "controller/base/text.h"
#include "controller/base/time.h"
#include "controller/cli/look/wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace rowlock {
namespace {

constexpr std::size_t kLinesMax = 10;  // Resources shown at a time.
constexpr std::size_t kUsualWidth = 80;
constexpr std::int64_t kTellEveryMs = 10'000;  // Of what tells each second how far it is.

std::size_t converged_in(const Glance& glance) {
  return static_cast<std::size_t>(
      std::count_if(glance.status.begin(), glance.status.end(),
                    [](const Row& row) { return row.text("state") == "converged"; }));
}

std::string tally_of(const Glance& glance) {
  return fmt::format("[{}/{}]", converged_in(glance), glance.status.size());
}

// A policy with two stores has two resources, POLICY/STORE.
bool is_telling(const Glance& glance, const std::string& resource) {
  return std::any_of(glance.telling.begin(), glance.telling.end(), [&](const std::string& each) {
    return (resource + "/").starts_with(each + "/");
  });
}

// The line without its figures: lines that differ in these alone say the same thing.
std::string words_of(std::string line) {
  std::erase_if(line, [](char c) { return c >= '0' && c <= '9'; });
  return line;
}

}  // namespace

void Progress::show(const Glance& glance, std::int64_t now_ms) {
  if (terminal_.is_json()) {
    return;
  }
  if (terminal_.shows_progress()) {
    redraw(glance, now_ms);
  } else {
    tell_changes(glance, now_ms);
  }
}

// Back to where the lines began, and all of them away.
void Progress::clear() {
  if (lines_ > 0) {
    fmt::print(stderr, "\x1b[{}F\x1b[J", lines_);
    lines_ = 0;
  }
}

// A line that wrapped would be counted wrong, so each is cut to the terminal.
void Progress::redraw(const Glance& glance, std::int64_t now_ms) {
  const std::size_t width = (terminal_.width() == 0 ? kUsualWidth : terminal_.width()) - 1;
  const std::string what = glance.is_pending ? "the edit is not accepted yet" : "converging";
  std::vector<std::string> lines = {
      fmt::format("{} {}, {}", tally_of(glance), what, human_duration(now_ms - began_at_ms_))};
  for (const Row& row : glance.status) {
    if (row.text("state") == "converged" || lines.size() > kLinesMax) {
      continue;
    }
    lines.push_back(fmt::format("  {} {}: {}", row.text("name"),
                                state_text(row.text("state"), false, false),
                                printable(row.text("detail"))));
  }
  std::string text;
  for (const std::string& line : lines) {
    text += truncated(line, width) + "\n";
  }
  clear();
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
  lines_ = lines.size();
}

void Progress::tell_changes(const Glance& glance, std::int64_t now_ms) {
  for (const Row& row : glance.status) {
    std::string line = fmt::format("{} {} {}: {}", row.text("kind"), row.text("name"),
                                   row.text("state"), printable(row.text("detail")));
    const std::string resource = row.text("kind") + "/" + row.text("name");
    Said& last = said_[resource];
    const bool is_due = words_of(line) != words_of(last.line) ||
                        now_ms - last.at_ms >= kTellEveryMs || !is_telling(glance, resource);
    if (line != last.line && is_due) {
      fmt::print(stderr, "{} {} {}\n", rfc3339(now_ms), tally_of(glance), line);
      last = {std::move(line), now_ms};
    }
  }
  std::fflush(stderr);
}

}  // namespace rowlock
