// A home that is copied: two short texts.
#pragma once

#include "controller/backup/backup_file.h"
#include "controller/ports/home_copies.h"
#include "controller/ports/member_writer.h"

#include <string>

namespace rowlock {

class FakeHomeCopies final : public HomeCopies {
 public:
  std::string desired = "what should be";

  Result<> copy(MemberWriter& members, const std::atomic<bool>&) override {
    for (const auto& [name, text] :
         {std::pair<std::string, std::string>{"desired.db", desired}, {"state.db", "what was"}}) {
      auto done = members.begin(name, static_cast<std::int64_t>(text.size()));
      if (done.ok()) done = members.write(text);
      if (done.ok()) done = members.end();
      if (!done.ok()) return done;
    }
    return Done{};
  }

  Result<> try_out(BackupFileReader& backup) override {
    std::string names;
    while (true) {
      auto next = backup.next();
      if (!next.ok()) return next.error();
      if (next.value().empty()) break;
      names += next.value() + " ";
    }
    return names == "desired.db state.db "
               ? Result<>(Done{})
               : Result<>(Error{Fault::rejected, Cause::corrupt, "it is no home: " + names, ""});
  }
};

}  // namespace rowlock
