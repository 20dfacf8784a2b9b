// What can happen to desired.db while the controller runs: it says what is wrong and what to do,
// keeps what is in force, and goes on as soon as the file is good again.
#include "tests/live/rowlock/rowlock_home.h"

#include <criterion/criterion.h>

#include <filesystem>
#include <fstream>
#include <functional>

using namespace rowlock;
using namespace rowlock_live;
namespace fs = std::filesystem;

namespace {

// A whole copy in one file, as `sqlite3 desired.db "VACUUM INTO 'copy'"` makes it.
std::string copy_of(LiveHome& home, const std::string& name) {
  const std::string path = home.folder() + "/" + name;
  fs::remove(path);
  home.edit("VACUUM INTO '" + path + "'");
  return path;
}

// As a person who knows SQLite does it: the log of the old file goes with it.
void put_in_place(LiveHome& home, const std::string& copy) {
  fs::remove(home.desired_path() + "-wal");
  fs::remove(home.desired_path() + "-shm");
  fs::copy_file(copy, copy + ".new", fs::copy_options::overwrite_existing);
  fs::rename(copy + ".new", home.desired_path());
}

void overwrite(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

void await_refused(LiveHome& home, const std::string& part) {
  await_answer(
      "desired.db is refused: " + part,
      [&] {
        const std::string row =
            home.state("SELECT state, detail FROM status WHERE kind = 'desired'");
        return row.rfind("refused|", 0) == 0 && row.find(part) != std::string::npos ? "yes" : row;
      },
      "yes", [&] { return home.story(); });
}

void heal(LiveHome& home, const std::string& job) {
  home.await_converged(job);
  const std::string name = home.running(job).front().name;
  (void)home.runtime().remove(name).ok();
  home.await("SELECT run FROM instance WHERE name = '" + name + "'", "0");
  home.await_converged(job);
}

void await_in_force(LiveHome& home) {
  home.await("SELECT count(*) FROM status WHERE kind = 'desired'", "0");
}

}  // namespace

Test(live_rowlock_edit, a_file_that_is_damaged_or_gone_changes_nothing_that_runs, .timeout = 280) {
  LiveHome home;
  home.start_and_reach();
  home.accept("BEGIN;" + insert_job("web") + insert_job("victim", {{"restart_reset_ms", "0"}}) +
              "COMMIT;");
  home.await_converged("web");
  const std::string before = home.identity("web");
  const std::string good = copy_of(home, "good.db");

  const std::string path = home.desired_path();
  const std::pair<const char*, std::function<void()>> blows[] = {
      {"is not a database", [&] { overwrite(path, std::string(20000, 'x')); }},
      {"is not there", [&] { fs::remove(path); }},
      {"desired.db", [&] { fs::resize_file(path, fs::file_size(path) / 2); }},
      {"desired.db", [&] { fs::resize_file(path, 0); }},
      {"is not a database",
       [&] {
         overwrite(path + ".other", std::string(30000, 'y'));
         fs::rename(path + ".other", path);
       }},
      {"is from a newer Rowlock", [&] { home.edit("PRAGMA user_version = 999"); }},
      {"has no table job_env", [&] { home.edit("DROP TABLE job_env"); }},
  };
  int blow_number = 0;
  for (const auto& [sentence, strike] : blows) {
    const std::string which = "blow " + std::to_string(++blow_number) + ": " + sentence;
    fs::remove(path + "-wal");
    fs::remove(path + "-shm");
    strike();
    await_refused(home, sentence);
    heal(home, "victim");  // By what is in force.
    cr_expect(home.identity("web") == before, "%s", which.c_str());

    put_in_place(home, good);
    await_in_force(home);
    home.accept("UPDATE job SET failures_max = " + std::to_string(100 + blow_number));
    home.await("SELECT DISTINCT failures_max FROM job", std::to_string(100 + blow_number));
    cr_expect(home.identity("web") == before, "%s, put right", which.c_str());
  }
  cr_expect(home.state("SELECT count(*) FROM job") == "2");
}

Test(live_rowlock_edit, a_good_file_that_takes_its_place_is_taken, .timeout = 120) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web"));
  const std::string old = copy_of(home, "old.db");
  home.accept(insert_job("other"));
  home.await_converged("web");
  home.await_converged("other");
  const std::string other = home.identity("other");
  home.accept("UPDATE job SET count = 2 WHERE name = 'web'");
  const std::string next = copy_of(home, "next.db");
  home.accept("UPDATE job SET count = 3 WHERE name = 'web'");
  home.await_converged("web");

  put_in_place(home, next);
  home.await("SELECT count FROM job WHERE name = 'web'", "2");
  home.await_converged("web");
  home.await_exactly("web", 2);
  cr_expect(home.identity("other") == other);

  home.accept("UPDATE job SET count = 1 WHERE name = 'web'");
  home.await_exactly("web", 1);
}

Test(live_rowlock_edit, rows_that_slipped_past_the_shell_are_refused_whole, .timeout = 180) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web"));
  home.await_converged("web");
  const std::string before = home.identity("web");
  const std::string unchecked = "PRAGMA ignore_check_constraints = ON; ";

  const std::pair<std::string, const char*> edits[] = {
      {unchecked + "UPDATE job SET count = -1", "job.count must be a whole number"},
      {unchecked + "UPDATE job SET command = 'not JSON'", "job.command must be a JSON array"},
      {unchecked + "INSERT INTO job (name, image) VALUES ('Odd/../Name', 'x:1')",
       "job.name must be 1 to 40"},
      {"DROP TRIGGER job_env_needs_job; INSERT INTO job_env (job, name) VALUES ('ghost', 'A')",
       "which does not exist"},
      {"DROP TRIGGER job_command_update; UPDATE job SET command = '[1]'",
       "put quotes around every item"},
  };
  for (const auto& [sql, sentence] : edits) {
    const std::string good = copy_of(home, "good.db");
    home.edit(sql + "; UPDATE job SET restart = restart + 1 WHERE name = 'web'");
    await_refused(home, sentence);
    home.await("SELECT count(*) > 0 FROM violation WHERE instr(message, '" + std::string(sentence) +
                   "') > 0",
               "1");
    cr_expect(home.identity("web") == before, "%s", sql.c_str());
    put_in_place(home, good);
    await_in_force(home);
  }
  cr_expect(home.identity("web") == before);
}

// SQLite takes the log that is left of the old file for the new one's: unnoticed, the new file
// would read as the old one.
Test(live_rowlock_edit, a_file_that_meets_the_log_of_the_one_before_is_refused, .timeout = 120) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web"));
  home.await_converged("web");
  const std::string before = home.identity("web");
  const std::string next = copy_of(home, "next.db");
  home.accept("UPDATE job SET failures_max = 7");
  home.accept("UPDATE job SET failures_max = 8");

  fs::rename(next, home.desired_path());
  await_refused(home, "desired.db-wal still holds edits of the one before");
  fs::remove(home.desired_path() + "-wal");
  fs::remove(home.desired_path() + "-shm");
  await_in_force(home);
  home.await("SELECT failures_max FROM job", "3");

  cr_expect(home.identity("web") == before);
  home.accept("UPDATE job SET failures_max = 9");
}
