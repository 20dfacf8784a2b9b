// A disk that is full, or that cannot be written to: what runs goes on, and so does Rowlock once
// there is room.
#include "tests/live/backups/small_disk.h"
#include "tests/live/rowlock/rowlock_home.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <filesystem>
#include <unistd.h>

using namespace rowlock;
using namespace rowlock_live;

namespace {

std::string new_home(const SmallDisk& disk) {
  const std::string folder = disk.folder() + "/home";
  std::filesystem::create_directory(folder);
  return folder;
}

}  // namespace

Test(live_rowlock_disk, a_full_one_disturbs_nothing_and_is_survived, .timeout = 180) {
  const SmallDisk disk;
  LiveHome home(new_home(disk));
  home.start_and_reach();
  home.accept("BEGIN;" + insert_job("web") + insert_job("other") + "COMMIT;");
  home.await_converged("web");
  home.await_converged("other");
  const std::string before = home.identity("other");

  disk.fill();
  (void)home.runtime().remove(home.running("web").front().name).ok();
  await_answer(
      "the log says it",
      [&] { return home.log().find("full") == std::string::npos ? "no" : "yes"; }, "yes",
      [&] { return home.log(); });
  cr_expect(home.identity("other") == before);

  disk.clear();
  home.await("SELECT count(*) > 0 FROM instance WHERE job = 'web' AND run = 0", "1");
  home.await_converged("web");
  home.await("SELECT count(*) FROM instance WHERE job = 'web' AND run = 1", "1");
  await_answer(
      "it runs again", [&] { return std::to_string(home.running("web").size()); }, "1",
      [&] { return home.story(); });
  cr_expect(home.identity("other") == before);
  home.accept("UPDATE job SET count = 2 WHERE name = 'web'");
  home.await_converged("web");
}

Test(live_rowlock_disk, one_that_cannot_be_written_to_is_refused_at_the_start, .timeout = 120) {
  const SmallDisk disk;
  LiveHome home(new_home(disk));
  home.start_and_reach();
  home.accept(insert_job("web"));
  home.await_converged("web");
  const std::string before = home.identity("web");
  home.stop();

  disk.set_read_only(true);
  const std::string output = "/tmp/rowlock-disk-" + std::to_string(::getpid()) + ".out";
  Child refused({std::getenv("ROWLOCK_TEST_BINARY"), "run", "--home", home.folder()}, output);
  const int code = refused.await_end(kPatienceS);
  const std::string sentence = file_text(output);
  std::filesystem::remove(output);
  disk.set_read_only(false);

  cr_expect(code != 0 && sentence.find("ead-only") != std::string::npos, "%d: %s", code,
            sentence.c_str());
  cr_expect(home.identity("web") == before);
  home.start_and_reach();
  home.await_converged("web");
  cr_expect(home.identity("web") == before);
}
