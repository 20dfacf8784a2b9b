// A tar archive, compressed with zstd, written as a stream: what GNU tar unpacks with
// `tar --zstd -x`. This folder alone knows libarchive. Members are plain files of a known size; one
// whose size is not known is stored in pieces NAME/000001, NAME/000002 …, each with a size of its
// own, which `tar -xO NAME` writes one after the other, as what they were.
#pragma once

#include "controller/base/result.h"
#include "controller/ports/streams.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>

struct archive;

namespace rowlock {

class TarWriter {
 public:
  // How much of a member in pieces is kept in memory until its size is known.
  static constexpr std::size_t kPieceBytes = 1024 * 1024;

  // What it makes goes to `out`. Every member says it was modified then.
  TarWriter(Sink out, std::int64_t modified_at_ms);
  ~TarWriter();  // Gives `out` nothing more: an archive that was not finished is cut off.
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  // A size of -1 stands for not known. Requires: no member is open, and none of that name was
  // before.
  Result<> begin(const std::string& name, std::int64_t size_bytes);

  // Rejected when a member of known size gets more than that.
  Result<> write(std::string_view bytes);

  // Rejected when a member of known size got less than that.
  Result<> end();

  // The next piece of one of several members that are written at the same time. Requires: no member
  // is open, none of that name was, and there is something in it.
  Result<> add_piece(const std::string& name, std::string_view bytes);

  // Requires: no member is open. Nothing may be called after.
  Result<> finish();

 private:
  static ssize_t take(archive* made, void* self, const void* bytes, std::size_t size);

  Result<> begin_entry(const std::string& name, std::int64_t size_bytes);
  Result<> write_entry(const std::string& name, std::string_view bytes);
  Result<> write_piece(const std::string& name, int number, std::string_view bytes);
  Result<> failure(const std::string& attempt);

  Sink out_;
  std::int64_t modified_at_ms_;
  archive* archive_;
  Result<> state_ = Done{};  // Once it is an error it stays that, and every call answers it.
  std::string name_;         // Of the member that is open; empty: none is.
  std::int64_t left_ = 0;    // Of its size, not written yet.
  bool is_in_pieces_ = false;
  int pieces_ = 0;                    // Of it that are written,
  std::string piece_;                 // and the next one.
  std::map<std::string, int> mixed_;  // Pieces of each of those that are written at the same time.
};

}  // namespace rowlock
