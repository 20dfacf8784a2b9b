// A commit is seen in three ways, the quick one first: the folder's watch, then looks on every turn
// of the loop for some milliseconds (the writer has yet to sync), and a poll for what was missed.
#include "controller/edit_watch.h"

#include <chrono>

namespace rowlock {

namespace {

constexpr std::int64_t kPollMs = 250;

// The folder tells of a commit before it can be read: the writer has yet to sync. Most take less
// than a millisecond, some disks a hundred.
constexpr std::int64_t kSpinForMs = 6;
constexpr std::int64_t kLookEveryMs = 1;
constexpr std::int64_t kLookForMs = 300;

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

EditWatch::EditWatch(Loop& loop, const std::string& folder, DesiredFile& file,
                     std::function<void()> edited)
    : file_(file),
      edited_(std::move(edited)),
      poll_(loop.timer()),
      soon_(loop.timer()),
      spin_(loop.spin([this] { look_again(); })) {
  auto watch =
      FileWatch::open(loop, folder, [this](const std::string& name) { folder_changed(name); });
  if (watch.ok()) {
    folder_ = std::move(watch).value();
  } else {
    obstacle_ = watch.error().message;
  }
  poll_->start_repeating(kPollMs, [this] {
    if (file_.changed()) {
      edited_();
    }
  });
}

void EditWatch::folder_changed(const std::string& name) {
  if (name == "state.db") {
    edited_();  // Nobody writes that but the controller: it may have been taken away.
  }
  if (name.empty() || name.starts_with("desired.db")) {
    hinted_at_ms_ = steady_ms();
    soon_->cancel();
    spin_->start();
  }
}

// Looks on every turn of the loop at first, then every millisecond, then leaves it to the poll.
void EditWatch::look_again() {
  const std::int64_t waited_ms = steady_ms() - hinted_at_ms_;
  if (file_.changed()) {
    spin_->stop();
    soon_->cancel();
    edited_();
  } else if (waited_ms > kLookForMs) {
    soon_->cancel();
  } else if (waited_ms > kSpinForMs && spin_->is_running()) {
    spin_->stop();
    soon_->start_repeating(kLookEveryMs, [this] { look_again(); });
  }
}

}  // namespace rowlock
