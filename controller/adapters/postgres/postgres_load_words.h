// What `pg_restore --verbose` says while it loads a dump, read line by line as it comes: which
// entries of the table of contents the server refused, and whether it has come to the end for all
// that.
//
// The lines:
// https://github.com/postgres/postgres/blob/master/src/bin/pg_dump/pg_backup_archiver.c,
// warn_or_exit_horribly()
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

// More are not told apart: then something else is wrong.
constexpr std::size_t kLoadRefusalsMax = 10'000;

struct LoadRefusal {
  std::int64_t number = 0;  // Of the entry; 0: of none, but of the session.
  std::string words;        // could not execute query: ERROR: …
};

class PostgresLoadWords {
 public:
  void take(std::string_view bytes);

  // It went on after each error, to the end of the dump.
  bool has_ended_whole() const { return has_ended_whole_; }
  // The first one of each entry.
  const std::vector<LoadRefusal>& refusals() const { return refusals_; }

 private:
  void read(std::string_view line);

  std::string line_;  // The one that has not ended yet, as much of it as counts.
  std::int64_t number_ = 0;
  bool has_ended_whole_ = false;
  std::vector<LoadRefusal> refusals_;
};

}  // namespace rowlock
