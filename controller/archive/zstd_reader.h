// What zstd has compressed, as a stream. To the very end: what follows it is an error.
#pragma once

#include "controller/base/result.h"
#include "controller/ports/streams.h"

#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>

struct archive;

namespace rowlock {

class ZstdReader {
 public:
  explicit ZstdReader(Source in);
  ~ZstdReader();
  ZstdReader(const ZstdReader&) = delete;
  ZstdReader& operator=(const ZstdReader&) = delete;

  // The next bytes, valid until the next call; empty at the end. After an error every further call
  // is that error.
  Result<std::string_view> read();

 private:
  static ssize_t give(archive* from, void* self, const void** bytes);

  Result<> open();
  Error failure();

  Source in_;
  std::string block_;  // The last of `in_`, in use until the next.
  std::string head_;   // The first bytes of all.
  archive* archive_;
  bool is_open_ = false;
  Result<> state_ = Done{};
};

}  // namespace rowlock
