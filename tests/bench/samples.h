// Measured times, and what a table shows of them.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace rowlock::bench {

using Moment = std::chrono::steady_clock::time_point;

inline Moment now() { return std::chrono::steady_clock::now(); }
inline double ms_between(Moment from, Moment to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// How often, how many or how long: `full`, or with TINY=1 what just runs the code.
int sized(int full, int tiny);
bool is_tiny();

class Samples {
 public:
  void add(double ms) { values_.push_back(ms); }
  bool empty() const { return values_.empty(); }
  std::size_t size() const { return values_.size(); }

  // The value below which the share (0 to 1) of all samples lies; 0 when there are none.
  double quantile(double share) const;
  double median() const { return quantile(0.5); }

  // "104.2 (98.0 … 131.5, n=40)": median, fifth and ninety-fifth hundredth, count.
  std::string text() const;

 private:
  std::vector<double> values_;
};

}  // namespace rowlock::bench
