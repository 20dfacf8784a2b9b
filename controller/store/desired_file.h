// desired.db as the controller sees it: a file that other programs write, and that is only ever
// read, for well under a millisecond at a time. Whether it changed is asked of SQLite; that it may
// have changed is told by the folder.
#pragma once

#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

// The rows of one table, in the columns that the file and the binary both have.
struct TableRows {
  std::vector<std::string> columns;
  std::vector<Row> rows;

  bool operator==(const TableRows& other) const {
    return columns == other.columns &&
           std::equal(rows.begin(), rows.end(), other.rows.begin(), other.rows.end(),
                      [](const Row& a, const Row& b) { return a.cells() == b.cells(); });
  }
};

class DesiredFile {
 public:
  DesiredFile(std::string path, const Schema& schema) : path_(std::move(path)), schema_(schema) {}

  // Whether the file is another one, or holds another commit, than at the last read(). A few
  // microseconds. An unreadable file counts as changed whenever it differs from what could not be
  // read before.
  bool changed();

  // Every desired table as of one moment. A file that is not there, is no database, is damaged, is
  // from a newer Rowlock or has lost a table or a column is an error that says so and what to do.
  // What is not there because the file is older is left out. A BLOB reads as kBlobMark.
  // Fault::transient: another program holds it just now.
  Result<std::map<std::string, TableRows>> read();

 private:
  // What the file system says of the file; another one, and the open connection cannot be trusted.
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  static Stamp stamp_of(const std::string& path);

  // How the write-ahead log beside the file begins; empty when there is none.
  std::string log_head() const;
  Result<> check_log();

  Result<> open();
  Result<std::int64_t> check_version();
  Result<> check_shape();
  Result<std::string> question_for(const std::string& table, std::int64_t found);
  Result<std::map<std::string, TableRows>> read_tables();

  std::string path_;
  const Schema& schema_;
  std::optional<Database> database_;
  std::map<std::string, std::vector<std::string>>
      known_;                                     // Columns of every table, by this binary.
  std::map<std::string, std::string> questions_;  // What reads a table that the file has.
  std::string shape_;                             // Of the file when they were made.
  Stamp stamp_;
  std::int64_t version_ = -1;  // data_version at the last read; -1: never read
  Stamp owner_;                // Of the file that was last read whole,
  std::string log_head_;  // and how its write-ahead log began then; two logs never begin alike.
  bool has_foreign_log_ = false;
};

}  // namespace rowlock
