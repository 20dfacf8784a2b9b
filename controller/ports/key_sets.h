// The port to the public keys of issuers whose tokens are believed.
//
// Protocol. One call, whenever: nothing is kept between two. Thread-safe.
#pragma once

#include "controller/base/result.h"

#include <cstddef>
#include <string>

namespace rowlock {

class KeySets {
 public:
  static constexpr std::size_t kBytesMax = 1024 * 1024;

  virtual ~KeySets() = default;

  // What stands at an absolute path or a URL. Rejected when it is no key set.
  virtual Result<std::string> read(const std::string& source) = 0;
};

}  // namespace rowlock
