// Requests from outside: wrk and hey, from Debian, as child processes.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace rowlock::bench {

// What a load came to.
struct LoadResult {
  long requests = 0;
  long failed = 0;  // Connection errors, time-outs, and answers other than 2xx and 3xx.
  double p99_ms = 0;
  std::string errors;  // The program's own lines about them.
};

class Load {
 public:
  // wrk: that many connections, each asking again as soon as it was answered.
  static Load constant(const std::string& url, const std::string& host, int connections);
  // hey: so many requests a second, for so long.
  static Load at_rate(const std::string& url, const std::string& host, int per_second, int seconds);

  Load(Load&& other) noexcept;
  Load& operator=(Load&&) = delete;
  ~Load();  // Ends it.

  // Ends a constant load, waits for one at a rate; returns what it came to.
  LoadResult result();

 private:
  Load(std::vector<std::string> command, bool stops);
  pid_t process_ = -1;
  std::string output_;
  bool stops_;
};

}  // namespace rowlock::bench
