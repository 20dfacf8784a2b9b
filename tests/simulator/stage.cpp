// What clear() does not empty would leak from one seed into the next, and the second would not play
// again alone.
#include "tests/simulator/stage.h"

#include "tests/simulator/timeline.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <unistd.h>

namespace rowlock::simulator {

namespace {

std::string new_folder() {
  const std::string memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  std::string pattern = memory + "/rowlock-simulator-XXXXXX";
  CHECK(mkdtemp(pattern.data()) != nullptr);
  return pattern;
}

void must(const Result<>& result) {
  if (!result.ok()) fmt::print(stderr, "simulator: {}\n", result.error().message);
  CHECK(result.ok());
}

}  // namespace

Stage::Stage(const Schema& schema)
    : schema_(schema), folder_(new_folder()), home_(std::make_unique<Home>(folder_ + "/home")) {
  must(home_->create(schema, kBeginningMs));
  auto desired = Database::open(home_->desired_path(), Database::Mode::read_write);
  CHECK(desired.ok());
  desired_ = std::make_unique<Database>(std::move(desired).value());
  must(desired_->run("PRAGMA synchronous=OFF"));
  reopen_state();
}

Stage::~Stage() {
  state_.reset();
  desired_.reset();
  std::filesystem::remove_all(folder_);
}

void Stage::reopen_state() {
  state_.reset();
  auto state = open_state(home_->state_path(), schema_, kBeginningMs);
  if (!state.ok()) fmt::print(stderr, "simulator: {}\n", state.error().message);
  CHECK(state.ok());
  state_.emplace(std::move(state).value());
  // Nobody else reads it, and the machine does not fail here: this saves most of the system calls.
  for (const char* setting :
       {"PRAGMA synchronous=OFF", "PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=MEMORY"}) {
    CHECK(state_->query(setting).ok());
  }
}

void Stage::keep_state() {
  std::filesystem::remove(folder_ + "/kept");
  must(state_->run("VACUUM INTO :path", {{"path", folder_ + "/kept"}}));
}

bool Stage::put_back_state() {
  if (!std::filesystem::exists(folder_ + "/kept")) return false;
  state_.reset();
  std::filesystem::rename(folder_ + "/kept", home_->state_path());
  reopen_state();
  return true;
}

void Stage::forget_connection() { must(state_->run("DELETE FROM temp.dirty")); }

void Stage::clear() {
  std::filesystem::remove(folder_ + "/kept");
  std::string wiped;
  std::string emptied;
  for (const TableText& table : schema_.desired_tables()) {
    emptied += fmt::format("DELETE FROM {};\n", table.name);
  }
  for (const TableText& table : schema_.observed_tables()) {
    const bool is_filled = schema_.fill().find("INTO " + table.name + " ") != std::string::npos;
    if (table.name != "clock" && !is_filled) {
      wiped += fmt::format("DELETE FROM {};\n", table.name);
    }
  }
  // A clock never goes back, but for this.
  const Values values = {{"home", std::string(kHomeId)}, {"now_ms", kBeginningMs}};
  must(state_->run("BEGIN IMMEDIATE;\n" + emptied + wiped +
                       "DELETE FROM proxy_state; INSERT INTO proxy_state (only) VALUES (1);\n"
                       "DROP TRIGGER IF EXISTS audit_is_not_cut; DELETE FROM audit;\n"
                       "DELETE FROM audit_head; DELETE FROM keyring; DELETE FROM secret;\n"
                       "DELETE FROM secret_version; DELETE FROM token; DELETE FROM backup;\n"
                       "UPDATE secret_config SET digest = '';\n"
                       "DELETE FROM revision; DELETE FROM change; DELETE FROM sqlite_sequence;\n"
                       "UPDATE home SET id = :home;\n"
                       "UPDATE clock SET now_ms = :now_ms, started_at_ms = :now_ms, "
                       "watched_from_ms = 0, wall_ms = 0, boot_ms = 0;\n"
                       "DELETE FROM temp.dirty; COMMIT;",
                   values));
  must(desired_->run("BEGIN IMMEDIATE;\n" + emptied + "COMMIT;"));
}

}  // namespace rowlock::simulator
