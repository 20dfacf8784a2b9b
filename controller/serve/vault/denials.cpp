// A while begins with a refusal. One that is over and left nothing out is as good as none.
#include "controller/serve/vault/denials.h"

#include <algorithm>

namespace rowlock {

namespace {

// A clock that was set back ends it, too.
bool is_over(std::int64_t since_ms, std::int64_t now_ms) {
  return now_ms >= since_ms + Denials::kWhileMs || now_ms < since_ms;
}

}  // namespace

bool Denials::may_be_written(const std::string& asker, std::int64_t now_ms) {
  if (whiles_.size() >= kAskersMax) {
    std::erase_if(whiles_, [&](const auto& each) {
      return each.second.left_out == 0 && is_over(each.second.since_ms, now_ms);
    });
  }
  const bool has_place = whiles_.size() < kAskersMax || whiles_.contains(asker);
  While& current = whiles_[has_place ? asker : "others"];
  if (is_over(current.since_ms, now_ms) && current.left_out == 0) current = {now_ms, 0, 0};
  if (current.written < kWrittenMax) {
    ++current.written;
    return true;
  }
  ++current.left_out;
  return false;
}

std::vector<Denials::LeftOut> Denials::take_left_out(std::int64_t now_ms) {
  std::vector<LeftOut> taken;
  for (auto each = whiles_.begin(); each != whiles_.end();) {
    const bool ends = each->second.left_out > 0 && is_over(each->second.since_ms, now_ms);
    if (ends) taken.push_back({each->first, each->second.left_out});
    each = ends ? whiles_.erase(each) : std::next(each);
  }
  return taken;
}

bool Denials::has_left_out() const {
  return std::any_of(whiles_.begin(), whiles_.end(),
                     [](const auto& each) { return each.second.left_out > 0; });
}

}  // namespace rowlock
