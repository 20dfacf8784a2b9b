// Notices edits of desired.db: a watch on the folder is the hint, SQLite is the truth, a slow poll
// is the net.
#pragma once

#include "controller/loop/file_watch.h"
#include "controller/loop/loop.h"
#include "controller/store/desired_file.h"

#include <functional>
#include <memory>
#include <string>

namespace rowlock {

class EditWatch {
 public:
  // Calls `edited` on the loop thread, within milliseconds of a commit by another process; may call
  // it for nothing. All parts outlive this.
  EditWatch(Loop& loop, const std::string& folder, DesiredFile& file, std::function<void()> edited);

  // Why the folder cannot be watched, in which case edits are noticed by polling alone; "" when it
  // is.
  const std::string& obstacle() const { return obstacle_; }

 private:
  void folder_changed(const std::string& name);
  void look_again();

  DesiredFile& file_;
  std::function<void()> edited_;
  std::string obstacle_;
  std::int64_t hinted_at_ms_ = 0;  // On the steady clock.
  std::unique_ptr<Timer> poll_;
  std::unique_ptr<Timer> soon_;
  std::unique_ptr<Spin> spin_;
  std::unique_ptr<FileWatch> folder_;
};

}  // namespace rowlock
