// An open connection is trusted only while the path still leads to the same file and that changes
// by commits alone. Else the file is opened anew, after a look at the log that lies beside it.
#include "controller/store/desired_file.h"

#include "controller/store/home.h"

#include <fmt/format.h>

#include <fstream>
#include <sys/stat.h>

namespace rowlock {

namespace {

constexpr std::size_t kLogHeadBytes =
    32;  // With its salts: https://www.sqlite.org/fileformat2.html#walformat

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
  auto tables = read_tables();
  if (!tables.ok() && tables.error().fault != Fault::transient) {
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

Result<std::map<std::string, TableRows>> DesiredFile::read_tables() {
  TRY(database_->run("BEGIN"));
  std::map<std::string, TableRows> tables;
  auto read_all = [&]() -> Result<> {
    const auto found = TRY(check_version());
    for (const TableText& table : schema_.desired_tables()) {
      auto rows = database_->query("SELECT * FROM " + table.name);
      if (!rows.ok()) {
        const bool lost = rows.error().message.find("no such table") != std::string::npos;
        if (lost && found > 0 && found < kDesiredVersion) {
          tables[table.name];  // It came with a later version: there is no row of it yet.
          continue;
        }
        return lost ? Error{Fault::rejected, Cause::other,
                            fmt::format("{} has no table {}", path_, table.name),
                            "put back a copy, or make it anew from the rows in force with "
                            "`rowlock revert --all`"}
                    : rows.error();
      }
      TableRows& taken = tables[table.name];
      taken.rows = std::move(rows).value();
      if (!taken.rows.empty()) {
        taken.columns = taken.rows.front().columns();
      }
    }
    version_ = TRY(database_->data_version());
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
