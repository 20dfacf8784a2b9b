// How samples are summed up.
#include "tests/bench/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace rowlock::bench {

bool is_tiny() {
  const char* const asked = std::getenv("TINY");
  return asked != nullptr && std::string_view(asked) == "1";
}

int sized(int full, int tiny) { return is_tiny() ? tiny : full; }

double Samples::quantile(double share) const {
  if (values_.empty()) {
    return 0;
  }
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const double place = share * static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(std::lround(place))];
}

std::string Samples::text() const {
  return fmt::format("{:.3g} ({:.3g} … {:.3g}, n={})", median(), quantile(0.05), quantile(0.95),
                     values_.size());
}

}  // namespace rowlock::bench
