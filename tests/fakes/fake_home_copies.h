// A home that is copied: two short texts in place of its databases, which can be changed
// meanwhile.
#pragma once

#include "controller/backup/backup_file.h"
#include "controller/ports/home_copies.h"
#include "controller/ports/member_writer.h"

#include <array>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace rowlock {

class FakeHomeCopies final : public HomeCopies {
 public:
  // What each text of a home begins with, by its member.
  static constexpr std::array<std::pair<const char*, const char*>, 2> kTexts = {
      {{"desired.db", "what should be"}, {"state.db", "what was"}}};

  // From now on both texts end so.
  void change(const std::string& ending) {
    const std::lock_guard lock(mutex_);
    ending_ = ending;
  }

  Result<> copy(MemberWriter& members, const std::atomic<bool>& ending) override {
    for (const auto& [name, beginning] : kTexts) {
      if (ending) {
        return Error{Fault::transient, Cause::other,
                     std::string("copy ") + name + ": broken off, since Rowlock is ending", ""};
      }
      const std::string text = beginning + now();
      TRY(members.begin(name, static_cast<std::int64_t>(text.size())));
      TRY(members.write(text));
      TRY(members.end());
    }
    return Done{};
  }

  Result<> try_out(BackupFileReader& backup) override {
    std::map<std::string, std::string> texts;
    while (true) {
      const std::string name = TRY(backup.next());
      if (name.empty()) break;
      while (true) {
        const std::string bytes = TRY(backup.read());
        if (bytes.empty()) break;
        texts[name] += bytes;
      }
    }
    for (const auto& [name, beginning] : kTexts) {
      if (!texts[name].starts_with(beginning)) {
        return Error{Fault::rejected, Cause::corrupt, std::string(name) + " is none", ""};
      }
    }
    return Done{};
  }

 private:
  std::string now() const {
    const std::lock_guard lock(mutex_);
    return ending_;
  }

  mutable std::mutex mutex_;
  std::string ending_;
};

}  // namespace rowlock
