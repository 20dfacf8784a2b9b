// A disk that is full, or that cannot be written to: what runs goes on, and so does Rowlock once
// there is room. The mount is made in a namespace of the test's own process and ends with it.
#include "tests/live/rowlock_home.h"

#include <criterion/criterion.h>

#include <cstdio>
#include <filesystem>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

using namespace rowlock;
using namespace rowlock_live;

namespace {

class SmallDisk {
 public:
  SmallDisk() {
    if (::geteuid() != 0) cr_skip_test("only root can mount a small disk");
    require(::mkdtemp(folder_) != nullptr, "no folder in /tmp");
    const bool is_own = ::unshare(CLONE_NEWNS) == 0 &&
                        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!is_own || ::mount("tmpfs", folder_, "tmpfs", 0, "size=16m") != 0)
      cr_skip_test("nothing can be mounted here");
    std::filesystem::create_directory(home());
  }
  ~SmallDisk() {
    ::umount2(folder_, MNT_DETACH);
    ::rmdir(folder_);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  std::string home() const { return std::string(folder_) + "/home"; }
  // To the last byte.
  void fill() const {
    std::FILE* file = std::fopen(filler().c_str(), "wb");
    const std::string block(4096, 'x');
    while (std::fwrite(block.data(), 1, block.size(), file) == block.size() &&
           std::fflush(file) == 0) {
    }
    std::fclose(file);
  }
  void clear() const { std::filesystem::remove(filler()); }
  void set_read_only(bool is_read_only) const {
    const unsigned long how = MS_REMOUNT | (is_read_only ? MS_RDONLY : 0);
    require(::mount("tmpfs", folder_, "tmpfs", how, "size=16m") == 0, "it cannot be remounted");
  }

 private:
  std::string filler() const { return std::string(folder_) + "/filler"; }
  char folder_[32] = "/tmp/rowlock-disk-XXXXXX";
};

}  // namespace

Test(live_rowlock_disk, a_full_one_disturbs_nothing_and_is_survived, .timeout = 180) {
  const SmallDisk disk;
  LiveHome home(disk.home());
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
  LiveHome home(disk.home());
  home.start_and_reach();
  home.accept(insert_job("web"));
  home.await_converged("web");
  const std::string before = home.identity("web");
  home.stop();

  disk.set_read_only(true);
  const std::string output = "/tmp/rowlock-disk-" + std::to_string(::getpid()) + ".out";
  Child refused({std::getenv("ROWLOCK_TEST_BINARY"), "run", "--home", disk.home()}, output);
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
