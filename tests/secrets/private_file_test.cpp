// Files of keys: what others can get at is not taken, and what the hint says mends it.
#include "controller/secrets/private_file.h"

#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>

using namespace rowlock;

namespace {

constexpr char kText[] = "AGE-SECRET-KEY-1\n";

struct KeyFile {
  TempFolder folder;
  std::string path = folder / "identity";

  explicit KeyFile(mode_t mode) {
    write(path, kText);
    cr_assert_eq(chmod(path.c_str(), mode), 0);
  }
};

}  // namespace

Test(private_file, identities_that_others_can_get_at_are_refused_and_the_hint_mends_it) {
  for (const mode_t mode : {0644, 0640, 0660, 0604, 0666, 0601}) {
    const KeyFile file(mode);

    const auto refused = read_identity_file(file.path);

    cr_assert_not(refused.ok(), "mode %o", mode);
    cr_expect(refused.error().message == file.path +
                                             " is not taken, since others than its owner "
                                             "can get at it");
    cr_assert_eq(std::system(refused.error().hint.c_str()), 0, "%s", refused.error().hint.c_str());
    const auto read = read_identity_file(file.path);
    cr_assert(read.ok(), "mode %o", mode);
    cr_expect(read.value().view() == kText);
  }
}

Test(private_file, identities_of_the_owner_alone_are_read_in_a_folder_that_is_open_to_all) {
  for (const mode_t mode : {0600, 0400, 0700}) {
    const KeyFile file(mode);
    std::filesystem::permissions(file.folder.path(), std::filesystem::perms{0755});
    cr_expect(read_identity_file(file.path).ok(), "mode %o", mode);
  }
}

Test(private_file, what_is_there_or_not_is_said_as_ever) {
  const auto missing = read_identity_file("/nowhere/identity");
  cr_assert_not(missing.ok());
  cr_expect(missing.error().message == "/nowhere/identity: No such file or directory");
  const KeyFile open(0644);
  const auto read = read_private_file(open.path);
  cr_assert(read.ok());
  cr_expect(read.value().is_open_to_others);
}
