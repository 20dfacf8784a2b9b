// An open connection is trusted only while the path still leads to the same file and that changes
// by commits alone. Else the file is opened anew, after a look at the log that lies beside it.
#include "controller/store/desired_file.h"

#include "controller/store/came_with.h"
#include "controller/store/cell_fault.h"
#include "controller/store/home.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <set>
#include <sys/stat.h>

namespace rowlock {

namespace {

constexpr std::size_t kLogHeadBytes =
    32;  // With its salts: https://www.sqlite.org/fileformat2.html#walformat

// The columns of every desired table as this binary knows them.
Result<std::map<std::string, std::vector<std::string>>> columns_of(const Schema& schema) {
  Database empty = TRY(Database::open(":memory:", Database::Mode::create));
  std::map<std::string, std::vector<std::string>> all;
  for (const TableText& table : schema.desired_tables()) {
    TRY(empty.run(table.sql));
    const auto columns = TRY(empty.query(
        "SELECT lower(name) AS name FROM pragma_table_info(:table)", {{"table", table.name}}));
    for (const Row& column : columns) all[table.name].push_back(column.text("name"));
  }
  return all;
}

}  // namespace

DesiredFile::Stamp DesiredFile::stamp_of(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) {
    return {};
  }
  return {found.st_dev, found.st_ino, found.st_size,
          std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec};
}

bool DesiredFile::changed() {
  if (version_ < 0 || !database_) {
    return version_ < 0 || stamp_of(path_) != stamp_ ||
           (has_foreign_log_ && log_head() != log_head_);
  }
  auto version = database_->data_version();
  if (!version.ok()) {
    return true;
  }
  if (version.value() != version_) {
    return true;
  }
  // The same commit in a file that looks different: written over by something that is not SQLite,
  // or replaced.
  return stamp_of(path_) != stamp_;
}

Result<std::map<std::string, TableRows>> DesiredFile::read() {
  const Stamp stamp = stamp_of(path_);
  const bool same_file = database_ && stamp.device == stamp_.device && stamp.inode == stamp_.inode;
  bool trusted = same_file;
  if (same_file && stamp != stamp_) {
    auto version = database_->data_version();
    trusted = version.ok() && version.value() != version_;
  }
  stamp_ = stamp;
  if (!trusted) {
    version_ = -1;  // Another connection counts anew: an equal number would mean nothing.
    if (auto own = check_log(); !own.ok()) {
      database_.reset();
      version_ = 0;
      return own.error();
    }
    if (auto opened = open(); !opened.ok()) {
      version_ = opened.error().fault == Fault::transient ? -1 : 0;
      return opened.error();
    }
  }
  const std::int64_t version = version_;
  auto tables = read_tables();
  if (!tables.ok() && tables.error().fault == Fault::transient) {
    version_ = version;  // It was not read: whatever it is then, it is to be read again.
  }
  if (!tables.ok() && tables.error().fault == Fault::broken) {
    database_.reset();
    version_ = 0;
  }
  if (tables.ok()) {
    owner_ = stamp_;
    log_head_ = log_head();
  }
  return tables;
}

std::string DesiredFile::log_head() const {
  std::string head(kLogHeadBytes, '\0');
  std::ifstream log(path_ + "-wal", std::ios::binary);
  log.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(log.gcount()));
  return head;
}

// SQLite takes whatever log lies beside a file for its own: one that `mv` has put in the old one's
// place would read as the old one, and be written over with its pages.
Result<> DesiredFile::check_log() {
  const bool is_another_file = stamp_.device != owner_.device || stamp_.inode != owner_.inode;
  has_foreign_log_ =
      stamp_ != Stamp{} && is_another_file && !log_head_.empty() && log_head() == log_head_;
  if (has_foreign_log_) {
    return Error{
        Fault::rejected, Cause::other,
        fmt::format("{} is another file now, but {}-wal still holds edits of the one before", path_,
                    path_),
        "to take the new file delete desired.db-wal and desired.db-shm, before any program opens "
        "it"};
  }
  return Done{};
}

Result<> DesiredFile::open() {
  database_.reset();
  shape_.clear();
  if (stamp_ == Stamp{}) {
    return Error{Fault::rejected, Cause::not_found, path_ + " is not there",
                 "put it back, or make it anew from the rows in force with `rowlock revert --all`"};
  }
  auto opened = Database::open(path_, Database::Mode::read_only,
                               0);  // The loop must not wait for somebody else's lock.
  if (!opened.ok()) {
    return opened.error();
  }
  database_.emplace(std::move(opened).value());
  return Done{};
}

// Returns the version of the file.
Result<std::int64_t> DesiredFile::check_version() {
  const auto version = TRY(database_->scalar("PRAGMA user_version"));
  const std::int64_t found = std::get<std::int64_t>(version);
  if (found > kDesiredVersion) {
    return Error{
        Fault::rejected, Cause::other,
        fmt::format("{} is from a newer Rowlock: it has version {}, this one knows up to {}", path_,
                    found, kDesiredVersion),
        "start the newer rowlock, or put back the copy from before the upgrade"};
  }
  return found;
}

// What reads the table, by the columns that the file has of it.
Result<std::string> DesiredFile::question_for(const std::string& table, std::int64_t found) {
  const auto there = TRY(database_->query(
      "SELECT lower(name) AS name FROM pragma_table_info(:table)", {{"table", table}}));
  std::set<std::string> columns;
  for (const Row& row : there) columns.insert(row.text("name"));
  if (columns.empty()) {
    if (came_with(table) > found) return std::string();
    return Error{Fault::rejected, Cause::other, fmt::format("{} has no table {}", path_, table),
                 "put back a copy, or make it anew from the rows in force with "
                 "`rowlock revert --all`"};
  }
  std::string list;
  std::string lost;
  for (const std::string& column : known_.at(table)) {
    if (columns.erase(column) == 1) {
      list += fmt::format(
          "{0}CASE typeof(\"{1}\") WHEN 'blob' THEN char({2}) ELSE \"{1}\" END AS \"{1}\"",
          list.empty() ? "" : ", ", column, int{kBlobMark});
    } else if (came_with(table, column) <= found) {
      lost += (lost.empty() ? "" : ", ") + column;
    } else if (const auto before = before_it_came(table, column); !before.empty()) {
      list += fmt::format("{}{} AS \"{}\"", list.empty() ? "" : ", ", before, column);
    }
  }
  if (lost.empty()) return fmt::format("SELECT {} FROM \"{}\"", list, table);
  return Error{
      Fault::rejected, Cause::other,
      fmt::format("{}: the table {} has no column {}{}", path_, table, lost,
                  columns.empty()
                      ? ""
                      : fmt::format("; Rowlock does not know its {}", fmt::join(columns, ", "))),
      "give it its name again with ALTER TABLE … RENAME COLUMN, or put back a copy; columns "
      "of your own are welcome beside Rowlock's"};
}

// Asked of SQLite's own count of changes of the schema, so that it costs nothing in between.
Result<> DesiredFile::check_shape() {
  const auto found = TRY(check_version());
  const auto schema_version = TRY(database_->scalar("PRAGMA schema_version"));
  const std::string shape = fmt::format("{} {}", found, text_of(schema_version));
  if (shape == shape_) return Done{};
  questions_.clear();
  shape_.clear();
  if (known_.empty()) known_ = TRY(columns_of(schema_));
  for (const TableText& table : schema_.desired_tables()) {
    // A file without a number was made by hand, from a dump say: nothing may be missing.
    questions_[table.name] = TRY(question_for(table.name, found == 0 ? kDesiredVersion : found));
  }
  shape_ = shape;
  return Done{};
}

Result<std::map<std::string, TableRows>> DesiredFile::read_tables() {
  TRY(database_->run("BEGIN"));
  std::map<std::string, TableRows> tables;
  auto read_all = [&]() -> Result<> {
    version_ = TRY(database_->data_version());
    TRY(check_shape());
    for (const auto& [table, question] : questions_) {
      TableRows& taken = tables[table];
      if (question.empty()) continue;  // It came with a later version: there is no row of it yet.
      taken.rows = TRY(database_->query(question));
      if (!taken.rows.empty()) {
        taken.columns = taken.rows.front().columns();
      }
    }
    return Done{};
  };
  auto result = read_all();
  (void)database_->run("COMMIT").ok();  // Nothing was written: there is nothing to lose.
  if (!result.ok()) {
    return result.error();
  }
  return tables;
}

}  // namespace rowlock
