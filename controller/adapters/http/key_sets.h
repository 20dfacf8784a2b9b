// Key sets of other issuers, from files and by HTTP.
#pragma once

#include "controller/ports/key_sets.h"

#include <string>

namespace rowlock {

class KeySetReader final : public KeySets {
 public:
  Result<std::string> read(const std::string& source) override;
};

}  // namespace rowlock
