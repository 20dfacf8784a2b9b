// The home: the folder that holds everything Rowlock knows, and the lock that keeps it to one
// controller.
#pragma once

#include "controller/base/result.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <memory>
#include <string>
#include <vector>

namespace rowlock {

// `file(1)` and PRAGMA application_id tell by it that a database is ours: "ROWL".
constexpr std::int64_t kApplicationId = 0x524F574C;

// The shape of desired.db that this binary writes; a file with a higher one is from a newer
// Rowlock.
constexpr std::int64_t kDesiredVersion = 7;

class Home {
 public:
  explicit Home(std::string folder) : folder_(std::move(folder)) {}

  // --home, else ROWLOCK_HOME, else /var/lib/rowlock. Empty stands for not given.
  static Home at(const std::string& given);

  const std::string& folder() const { return folder_; }
  std::string desired_path() const { return folder_ + "/desired.db"; }
  std::string state_path() const { return folder_ + "/state.db"; }
  std::string lock_path() const { return folder_ + "/rowlock.lock"; }
  std::string socket_path() const { return folder_ + "/rowlock.sock"; }  // The operator's.
  // What programs are given: a folder of its own, since whoever mounted a socket would keep that
  // one when another takes its place.
  std::string api_folder() const { return folder_ + "/api"; }
  std::string api_socket_path() const { return api_folder() + "/api.sock"; }
  // The unseal key, for those who hold an age identity; there when it was asked for.
  std::string unseal_age_path() const { return folder_ + "/unseal.age"; }

  // Makes the folder and what it lacks of both databases, with the node `local` (a lost desired.db
  // is made anew from the accepted copy by `revert`). Rejected when there is a home already, and
  // when there was one whose state.db is lost: that one begins again under another id only when
  // `has_new_id`, and while no controller runs on it.
  Result<> create(const Schema& schema, std::int64_t now_ms, bool has_new_id = false) const;

  // Refuses a folder without a state.db that knows its home: there is no home, or there was one,
  // and then the error says what can be done. A file that cannot be read passes: whoever opens it
  // says why.
  Result<> check_state() const;

  // Refuses a folder on which SQLite's WAL is not safe (network and FUSE file systems), saying what
  // to do.
  Result<> check_file_system() const;

  // Takes the folder and the databases from everybody but owner and group, whatever a umask gave
  // them. Rejected when this user may not, and for a folder that everybody shares.
  Result<> keep_out_others() const;

 private:
  std::string folder_;
};

// Held as long as a controller runs; the operating system lets go of it however the process ends.
class HomeLock {
 public:
  // Rejected when another controller holds it; the message names that one's process and since when.
  // Broken when the file cannot be written.
  static Result<HomeLock> take(const Home& home, std::int64_t now_ms);

  // What the holder wrote ("process 4711, since 2026-…"), or "" when no controller runs on this
  // home.
  static std::string holder(const Home& home);

  // What tells the folder from a copy of it: which file on the disk the lock is, made when.
  std::string place() const;

  HomeLock(HomeLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  HomeLock& operator=(HomeLock&&) = delete;
  ~HomeLock();

 private:
  explicit HomeLock(int fd) : fd_(fd) {}
  int fd_;
};

// The path as a URI that opens it read-only, for ATTACH.
std::string read_only_uri(const std::string& path);

// state.db for the controller, the only one that writes it: migrated, with its tables, views and
// wake triggers in place. Refused when it is from a newer Rowlock. A table whose text has changed
// since is rebuilt with the columns both have.
Result<Database> open_state(const std::string& path, const Schema& schema, std::int64_t now_ms);

// state.db for a reader. Refused when it is from a newer or an older Rowlock than this one.
Result<Database> open_state_for_reading(const Home& home, const Schema& schema);

// desired.db as its owner writes it; what `apply`, `revert` and `sql` do is an edit like any other.
// It never checkpoints: SQLite before 3.51.3 can damage a file when two writers meet there.
Result<Database> open_desired_for_editing(const Home& home);

// What upgrade_desired() did.
struct Upgrade {
  std::int64_t from = 0;            // The version it had.
  std::string copy;                 // Where it is as it was; empty: nothing had to be done.
  std::vector<std::string> tables;  // That are new or changed.
};

// Brings desired.db up to kDesiredVersion in one transaction, after a copy was made beside it. The
// engineer's own triggers and indexes stay.
Result<Upgrade> upgrade_desired(const Home& home, const Schema& schema);

// desired.db read-only, attached under it as `state` state.db read-only, with every view as a TEMP
// view over the edited tables: what an edit would do can be asked before it is committed.
Result<Database> open_for_what_if(const Home& home, const Schema& schema);

}  // namespace rowlock
