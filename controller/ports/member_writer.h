// Where the members of a backup go, whatever the file is that holds them.
//
// Protocol. begin → write, any number of times → end, for one member after the other; or add_piece
// for several that come at the same time. By one thread at a time.
#pragma once

#include "controller/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace rowlock {

// Where the members of a backup go. By one thread at a time.
class MemberWriter {
 public:
  virtual ~MemberWriter() = default;

  // Begins a member. With a size of -1 it is kept in pieces, which `tar -xO NAME` gives as one.
  virtual Result<> begin(const std::string& name, std::int64_t size_bytes) = 0;
  virtual Result<> write(std::string_view bytes) = 0;
  virtual Result<> end() = 0;

  // The next bytes of one of several members that are written at the same time, which are called
  // data.1, data.2 …: a piece, of about a megabyte. Requires: no member is open, and there are
  // some.
  virtual Result<> add_piece(const std::string& name, std::string_view bytes) = 0;
};

}  // namespace rowlock
