// The file of a store's identities: one that others can read is not taken, and that is said until
// it is mended.
#include "tests/schema/backups/backed_world.h"

#include <filesystem>

using namespace rowlock;

Test(backup_identity, a_file_that_others_can_read_is_refused_until_its_mode_is_mended) {
  Backed world;
  const std::string file = world.folder / "identity";
  std::filesystem::permissions(file, std::filesystem::perms{0644});

  world.run_policy();

  expect_is("stored", world.states());
  expect_is("failed", world.status());
  expect_in("others than its owner can get at it", world.detail());
  expect_in("chmod 600 " + file, world.detail());

  std::filesystem::permissions(file, std::filesystem::perms{0600});
  world.sql("DELETE FROM retry");
  world.settle();
  expect_is("verified", world.states());
}
