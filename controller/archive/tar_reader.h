// What TarWriter wrote, read as a stream; members in pieces come as the one that they were. It
// takes nothing else: a link, a folder, a name of another kind, one that comes twice, pieces with a
// gap and bytes after the end are errors, whoever made the archive. Members that were written at
// the same time come a run of pieces at a time.
#pragma once

#include "controller/archive/zstd_reader.h"
#include "controller/base/result.h"
#include "controller/ports/streams.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>

struct archive;

namespace rowlock {

// Whether a member may be called so: a-z, A-Z, 0-9, '.', '_' and '-', beginning with one of the
// letters or digits; at most 90.
bool is_member_name(std::string_view name);

class TarReader {
 public:
  static constexpr std::size_t kMembersMax = 1000;

  explicit TarReader(Source in);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  // The next member's name; empty: there is none, and nothing follows. Requires: the one before was
  // read to its end. After an error every further call is that error.
  Result<std::string> next();

  // Whether the member goes on where an earlier run of its pieces ended.
  bool is_continued() const { return current_.piece > 1; }

  // The next bytes of the member, valid until the next call; empty at its end.
  Result<std::string_view> read();

 private:
  // What the archive has at one place: a member, or a piece of one.
  struct Entry {
    std::string name;
    int piece = 0;  // 0: it is no piece.
    std::int64_t size_bytes = 0;
  };

  static ssize_t give(archive* from, void* self, const void** bytes);

  Result<> begin_run();
  Result<> look_ahead();
  Result<Entry> described(const std::string& path, std::int64_t size_bytes) const;
  Result<> check_end();
  Error failure();
  Error refusal(const std::string& why);

  ZstdReader plain_;
  std::int64_t plain_bytes_ = 0;  // Of the archive, uncompressed, as far as it was given out,
  std::int64_t nonzero_end_ = 0;  // and where the last one of them was that is no zero.
  archive* archive_;
  bool is_open_ = false;
  bool has_ended_ = false;
  Result<> state_ = Done{};
  std::map<std::string, int> pieces_;  // The last one of each member; 0: it is not in pieces.
  Entry ahead_;                        // Found and not begun; no name: the end.
  Entry current_;                      // That is being read; no name: none is.
  bool is_read_ = true;                // To its end.
};

}  // namespace rowlock
