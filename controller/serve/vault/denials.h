// What is refused is a line of the audit log, which is never cut, and anybody may ask for what he
// gets refused. So many refusals of one asker are written down in a while; the others are counted,
// and their number is a line when that while is over. All who cannot say who they are are one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rowlock {

class Denials {
 public:
  static constexpr int kWrittenMax = 100;
  static constexpr std::int64_t kWhileMs = 10'000;
  static constexpr std::size_t kAskersMax = 1000;  // All beyond them are one more.

  // Whether one more refusal of the asker is to be written down; if not, it is counted.
  bool may_be_written(const std::string& asker, std::int64_t now_ms);

  struct LeftOut {
    std::string asker;
    std::int64_t count = 0;
  };

  // Those of whiles that are over, and forgotten here.
  std::vector<LeftOut> take_left_out(std::int64_t now_ms);

  bool has_left_out() const;

 private:
  struct While {
    std::int64_t since_ms = 0;
    int written = 0;
    std::int64_t left_out = 0;
  };

  std::map<std::string, While> whiles_;
};

}  // namespace rowlock
