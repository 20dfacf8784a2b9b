// Stores of files: the suite that every store passes, and what a folder of a real machine can do.
#include "controller/adapters/files/file_store.h"

#include "controller/adapters/files/file_store_folder.h"
#include "controller/adapters/object_stores.h"
#include "controller/base/time.h"
#include "tests/conformance/object_store_suite.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace rowlock;
namespace fs = std::filesystem;

namespace {

struct Folder {
  TempFolder temp;
  std::atomic<bool> ending = false;
  std::shared_ptr<ObjectStore> store = object_store_of({"file://" + temp.path()}, ending);

  std::unique_ptr<Upload> begin(const std::string& key) {
    auto begun = store->upload(key);
    cr_assert(begun.ok(), "%s", begun.ok() ? "" : begun.error().message.c_str());
    return std::move(begun).value();
  }
  void put(const std::string& key, const std::string& bytes) {
    const auto upload = begin(key);
    cr_assert(upload->write(bytes).ok());
    cr_assert(upload->finish().ok());
  }
  // The keys of what is being written, by the names of its files.
  std::vector<std::string> parts() const {
    std::vector<std::string> keys;
    for (const auto& each : fs::recursive_directory_iterator(temp.path())) {
      const auto part = read_part_name(each.path().filename().string());
      if (!part) continue;
      const std::string folder = fs::relative(each.path().parent_path(), temp.path()).string();
      keys.push_back(folder == "." ? part->name : folder + "/" + part->name);
    }
    std::sort(keys.begin(), keys.end());
    return keys;
  }
};

template <typename T>
void fails(const Result<T>& result, Fault fault, const std::string& words) {
  cr_expect(!result.ok(), "expected an error with: %s", words.c_str());
  if (result.ok()) return;
  const Error& error = result.error();
  cr_expect(error.fault == fault, "fault %d: %s", static_cast<int>(error.fault),
            error.message.c_str());
  cr_expect(error.message.find(words) != std::string::npos, "expected '%s' in: %s", words.c_str(),
            error.message.c_str());
  cr_expect(!error.hint.empty(), "no hint: %s", error.message.c_str());
}

}  // namespace

Test(file_store, behaves_like_every_store) {
  Folder folder;
  ObjectStoreFixture fixture;
  fixture.leave_upload = [&](const std::string& key) {
    const auto [path, name] = folder_and_name(key);
    fs::create_directories(folder.temp / path);
    PartName part = part_name_for(name, system_now_ms());
    part.process = 1;
    write(folder.temp / (path + "/" + text_of(part)), "half");
  };
  fixture.pending_uploads = [&] { return folder.parts(); };
  fixture.now_ms = system_now_ms();
  fixture.large_bytes = 2'000'000;

  check_object_store(*folder.store, fixture);
}

Test(file_store, a_folder_that_is_absent_is_not_made) {
  TempFolder temp;
  const std::atomic<bool> ending = false;
  const auto store = object_store_of({"file://" + temp.path() + "/disk/"}, ending);

  fails(store->probe(), Fault::transient, "is not there");
  fails(store->upload("a"), Fault::transient, "is not there");
  fails(store->look("a"), Fault::transient, "is not there");
  fails(store->read("a", 0, 1), Fault::transient, "is not there");
  fails(store->list(""), Fault::transient, "is not there");
  fails(store->remove("a"), Fault::transient, "is not there");
  fails(store->abort_uploads("", 0), Fault::transient, "is not there");
  cr_expect(store->probe().error().cause == Cause::unreachable);
  cr_expect(!fs::exists(temp / "disk"));
}

Test(file_store, no_link_leads_out_of_it) {
  Folder folder;
  TempFolder elsewhere;
  write(elsewhere / "secret", "other people's");
  fs::create_directory_symlink(elsewhere.path(), folder.temp / "out");
  fs::create_symlink(elsewhere / "secret", folder.temp / "link");

  for (const std::string key : {"out/secret", "link"}) {
    cr_expect(!folder.store->read(key, 0, 100).ok(), "%s", key.c_str());
    cr_expect(!folder.store->look(key).ok(), "%s", key.c_str());
    cr_expect(!folder.store->upload(key).ok(), "%s", key.c_str());
  }
  fails(folder.store->upload("out/new"), Fault::broken, "write out/new");
  cr_expect(folder.store->list("").value().empty());
  cr_expect(!folder.store->remove("out/secret").ok());
  cr_expect(contents(elsewhere / "secret") == "other people's");
  cr_expect(!fs::exists(elsewhere / "new"));
}

Test(file_store, the_folder_itself_may_be_a_link) {
  TempFolder temp;
  const std::atomic<bool> ending = false;
  fs::create_directory(temp / "disk");
  fs::create_directory_symlink(temp / "disk", temp / "backups");
  const auto store = object_store_of({"file://" + temp.path() + "/backups"}, ending);

  auto upload = store->upload("a");
  cr_assert(upload.ok() && upload.value()->finish().ok());

  cr_expect(fs::exists(temp / "disk/a"));
}

Test(file_store, a_full_disk_says_so_and_leaves_nothing) {
  if (::geteuid() != 0) cr_skip_test("only root can mount a small disk");
  Folder folder;
  if (::mount("none", folder.temp.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
    cr_skip_test("no disk can be mounted here");
  }
  {
    const auto upload = folder.begin("a/b");
    fails(upload->write(std::string(200'000, 'x')), Fault::transient, "No space left on device");
  }
  cr_expect(folder.parts().empty());
  cr_expect(folder.store->list("").value().empty());
  folder.put("a/small", "x");

  ::mount("none", folder.temp.path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=64k");
  fails(folder.store->upload("a/c"), Fault::broken, "Read-only file system");
  fails(folder.store->probe(), Fault::broken, "Read-only file system");
  fails(folder.store->remove("a/small"), Fault::broken, "Read-only file system");
  cr_expect(folder.store->read("a/small", 0, 10).value() == "x");
  ::umount(folder.temp.path().c_str());
}

Test(file_store, what_is_changed_on_the_disk_while_it_is_written_never_becomes_visible) {
  Folder folder;
  const auto upload = folder.begin("a");
  cr_assert(upload->write("the bytes").ok());
  for (const auto& each : fs::directory_iterator(folder.temp.path())) {
    std::fstream file(each.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4);
    file.put('B');
  }

  fails(upload->finish(), Fault::broken, "what is read back is not what was written");

  cr_expect(folder.store->list("").value().empty());
}

Test(file_store, whoever_is_killed_leaves_an_upload_that_is_taken_back) {
  Folder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    auto upload = folder.store->upload("a/killed");
    if (!upload.ok() || !upload.value()->write("half").ok()) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  cr_assert(WIFSIGNALED(status));
  const auto running = folder.begin("a/running");

  cr_expect(folder.store->list("").value().empty());
  cr_expect(folder.parts() == (std::vector<std::string>{"a/killed", "a/running"}));
  cr_expect(folder.store->abort_uploads("a/", system_now_ms() + 1).value() == 1);
  cr_expect(folder.parts() == std::vector<std::string>{"a/running"});
}

Test(file_store, what_a_killed_probe_left_goes_with_the_next) {
  Folder folder;
  PartName part = part_name_for("probe", 1);
  part.process = 1 << 22;  // Above every process.
  write(folder.temp / text_of(part), "");
  cr_assert_eq(folder.parts().size(), 1);

  cr_expect(folder.store->probe().ok());
  cr_expect(folder.parts().empty());
}

Test(file_store, what_another_process_writes_is_left_alone) {
  Folder folder;
  int told[2];
  cr_assert(::pipe(told) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto upload = folder.store->upload("a");
    (void)!::write(told[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  cr_assert(::read(told[0], &byte, 1) == 1);

  cr_expect(folder.store->abort_uploads("", system_now_ms() + 1).value() == 0);

  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  cr_expect(folder.store->abort_uploads("", system_now_ms() + 1).value() == 1);
}

Test(file_store, only_its_owner_can_read_it) {
  Folder folder;
  folder.put("a/b", "x");

  cr_expect(fs::status(folder.temp / "a").permissions() == fs::perms::owner_all);
  cr_expect(fs::status(folder.temp / "a/b").permissions() ==
            (fs::perms::owner_read | fs::perms::owner_write));
}

Test(file_store, an_upload_ends_soon_when_rowlock_does) {
  Folder folder;
  const auto store =
      object_store_of({.url = "file://" + folder.temp.path(), .bytes_per_s = 1}, folder.ending);
  auto upload = store->upload("a");
  cr_assert(upload.ok() && upload.value()->write("x").ok());
  folder.ending = true;

  const auto written = upload.value()->write("y");

  cr_expect(!written.ok() && written.error().message.find("ending") != std::string::npos);
  cr_expect(!upload.value()->finish().ok());
}

Test(file_store, only_known_urls_are_stores) {
  const std::atomic<bool> ending = false;
  for (const char* url :
       {"", "file://", "file:///", "file://host/folder", "file:///a%20b", "ftp://backups",
        "/backups", "s3://", "s3://ab", "s3://bucket/../x", "s3://bu cket"}) {
    const auto store = object_store_of({url}, ending);
    fails(store->probe(), Fault::rejected, "");
    fails(store->upload("a"), Fault::rejected, "");
    fails(store->list(""), Fault::rejected, "");
  }
}
