// Clients that ask a proxy for / without a pause, each request on a connection of its own, and
// count what is not 200.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rowlock_live {

// The status of one GET of /, such as "200"; "no connection" or "no answer" when there is none
// within ten seconds.
std::string http_status(const std::string& address, int port, const std::string& host);

class HttpLoad {
 public:
  HttpLoad(const std::string& address, int port, const std::string& host, int clients);
  ~HttpLoad() { stop(); }
  HttpLoad(const HttpLoad&) = delete;
  HttpLoad& operator=(const HttpLoad&) = delete;

  void stop();
  long requests() const { return requests_; }
  long failed() const { return failed_; }
  std::string first_failure() const;

 private:
  std::atomic<bool> stop_{false};
  std::atomic<long> requests_{0};
  std::atomic<long> failed_{0};
  mutable std::mutex mutex_;
  std::string first_failure_;
  std::vector<std::thread> clients_;
};

}  // namespace rowlock_live
