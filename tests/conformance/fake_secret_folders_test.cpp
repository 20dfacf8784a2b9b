// The fake secret folders against the suite that the real ones pass, and the faults that only a
// fake can have.
#include "tests/fakes/fake_secret_folders.h"

#include "tests/conformance/secret_folders_suite.h"

#include <criterion/criterion.h>

using namespace rowlock;

namespace {

std::vector<SecretFile> token(const std::string& content) {
  std::vector<SecretFile> files;
  files.push_back({"token", SecretBytes(content), 0400, 0, 0});
  return files;
}

}  // namespace

Test(conformance_fake_secret_folders, behave_like_all_secret_folders) {
  FakeSecretFolders folders;
  SecretFoldersFixture fixture;
  fixture.user = 1234;
  fixture.group = 1234;
  fixture.file = [&](const std::string& folder,
                     const std::string& name) -> std::optional<SeenSecret> {
    const auto found = folders.file(folder, name);
    if (!found) return std::nullopt;
    return SeenSecret{found->content, found->mode, found->user, found->group};
  };
  fixture.files = [&](const std::string& folder) { return folders.files(folder); };

  check_secret_folders(folders, fixture);

  cr_expect(folders.folders().empty());
}

Test(conformance_fake_secret_folders, only_what_changes_something_is_counted) {
  FakeSecretFolders folders;

  for (int round = 0; round < 2; ++round) cr_expect(folders.write("web-1", token("one")).ok());
  cr_expect_eq(folders.changes(), 1);
  cr_expect(folders.write("web-1", token("two")).ok());
  for (int round = 0; round < 2; ++round) cr_expect(folders.remove("web-1").ok());
  cr_expect_eq(folders.changes(), 3);
}

Test(conformance_fake_secret_folders, faults_lose_the_change_or_only_the_answer) {
  FakeSecretFolders folders;
  FaultPlan plan = FaultPlan::fail_before;
  folders.set_faults([&](const std::string& call, const std::string& folder) {
    return call == "write" && folder == "web-1" ? plan : FaultPlan::none;
  });

  cr_expect(folders.write("web-1", token("one")).error().fault == Fault::transient);
  cr_expect(folders.folders().empty());
  plan = FaultPlan::lose_answer;
  cr_expect(folders.write("web-1", token("one")).error().cause == Cause::deadline);
  cr_expect(folders.file("web-1", "token")->content == "one");
  folders.lose_all();
  cr_expect(folders.list().value().empty());
}
