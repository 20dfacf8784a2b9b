#include "controller/store/desired_file.h"

#include <sys/stat.h>

#include <fmt/format.h>

#include "controller/store/home.h"

namespace rowlock {

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
    return version_ < 0 || stamp_of(path_) != stamp_;
  }
  auto version = database_->data_version();
  if (!version.ok()) {
    return true;
  }
  if (version.value() != version_) {
    return true;
  }
  // The same commit in a file that looks different: written over by something that is not SQLite, or replaced.
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
    if (auto opened = open(); !opened.ok()) {
      version_ = 0;
      return opened.error();
    }
  }
  auto tables = read_tables();
  if (!tables.ok() && tables.error().fault != Fault::transient) {
    database_.reset();
    version_ = 0;
  }
  return tables;
}

Result<> DesiredFile::open() {
  database_.reset();
  if (stamp_ == Stamp{}) {
    return Error{Fault::rejected, Cause::not_found, path_ + " is not there",
                 "put it back, or make it anew from the rows in force with `rowlock revert --all`"};
  }
  auto opened = Database::open(path_, Database::Mode::read_only);
  if (!opened.ok()) {
    return opened.error();
  }
  database_.emplace(std::move(opened).value());
  return database_->run("PRAGMA busy_timeout=0");  // The loop must not wait for somebody else's lock.
}

Result<> DesiredFile::check_version() {
  auto version = database_->scalar("PRAGMA user_version");
  if (!version.ok()) {
    return version.error();
  }
  const std::int64_t found = std::get<std::int64_t>(version.value());
  if (found > kDesiredVersion) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("{} is from a newer Rowlock: it has version {}, this one knows up to {}", path_, found,
                             kDesiredVersion),
                 "start the newer rowlock, or put back the copy from before the upgrade"};
  }
  return Done{};
}

Result<std::map<std::string, TableRows>> DesiredFile::read_tables() {
  if (auto begun = database_->run("BEGIN"); !begun.ok()) {
    return begun.error();
  }
  std::map<std::string, TableRows> tables;
  auto read_all = [&]() -> Result<> {
    if (auto known = check_version(); !known.ok()) {
      return known.error();
    }
    for (const TableText& table : schema_.desired_tables()) {
      auto rows = database_->query("SELECT * FROM " + table.name);
      if (!rows.ok()) {
        const bool lost = rows.error().message.find("no such table") != std::string::npos;
        return lost ? Error{Fault::rejected, Cause::other, fmt::format("{} has no table {}", path_, table.name),
                            "put back a copy; `rowlock init` in an empty folder makes a file with all tables"}
                    : rows.error();
      }
      TableRows& taken = tables[table.name];
      taken.rows = std::move(rows).value();
      if (!taken.rows.empty()) {
        taken.columns = taken.rows.front().columns();
      }
    }
    auto version = database_->data_version();
    if (!version.ok()) {
      return version.error();
    }
    version_ = version.value();
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
