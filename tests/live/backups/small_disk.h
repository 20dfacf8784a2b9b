// A disk of 16 MB that can be filled, and made one that cannot be written to. It is mounted in a
// namespace of the test's own process, which its children share, and ends with it.
#pragma once

#include "tests/live/rowlock/rowlock_home.h"

#include <criterion/criterion.h>

#include <cstdio>
#include <filesystem>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <unistd.h>

namespace rowlock_live {

class SmallDisk {
 public:
  SmallDisk() {
    if (::geteuid() != 0) cr_skip_test("only root can mount a small disk");
    require(::mkdtemp(folder_) != nullptr, "no folder in /tmp");
    const bool is_own = ::unshare(CLONE_NEWNS) == 0 &&
                        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!is_own || ::mount("tmpfs", folder_, "tmpfs", 0, "size=16m") != 0)
      cr_skip_test("nothing can be mounted here");
  }
  ~SmallDisk() {
    ::umount2(folder_, MNT_DETACH);
    ::rmdir(folder_);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  std::string folder() const { return folder_; }
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

}  // namespace rowlock_live
