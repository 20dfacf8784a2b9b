// Handles of libcurl that keep their connections, each for one exchange at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace rowlock {

struct CurlHandle {
  CurlHandle();
  ~CurlHandle();
  CurlHandle(const CurlHandle&) = delete;
  CurlHandle& operator=(const CurlHandle&) = delete;

  void* easy;  // libcurl's CURL*, never null.
};

// Thread-safe.
class CurlHandles {
 public:
  explicit CurlHandles(std::size_t idle_max) : idle_max_(idle_max) {}

  std::unique_ptr<CurlHandle> take();                  // One that is idle, or a new one.
  void give_back(std::unique_ptr<CurlHandle> handle);  // Closed when there are enough.

 private:
  const std::size_t idle_max_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<CurlHandle>> idle_;  // Guarded by mutex_.
};

}  // namespace rowlock
