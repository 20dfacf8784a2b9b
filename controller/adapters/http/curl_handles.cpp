// A mutex and a list: a handle is taken out for an exchange, and put back with its connections
// open.
#include "controller/adapters/http/curl_handles.h"

#include "controller/base/check.h"

#include <curl/curl.h>

#include <utility>

namespace rowlock {

CurlHandle::CurlHandle() : easy(curl_easy_init()) { CHECK(easy != nullptr); }

CurlHandle::~CurlHandle() { curl_easy_cleanup(easy); }

std::unique_ptr<CurlHandle> CurlHandles::take() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<CurlHandle> handle = std::move(idle_.back());
      idle_.pop_back();
      return handle;
    }
  }
  return std::make_unique<CurlHandle>();
}

void CurlHandles::give_back(std::unique_ptr<CurlHandle> handle) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (idle_.size() < idle_max_) idle_.push_back(std::move(handle));
}

}  // namespace rowlock
