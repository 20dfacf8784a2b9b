// Names are checked by the real adapter's own functions, so that fake and real refuse the same
// ones.
#include "tests/fakes/fake_secret_folders.h"

#include "controller/adapters/files/secret_names.h"

#include <utility>

namespace rowlock {

namespace {

constexpr char kPlace[] = "/fake/secrets/";
constexpr char kLauncher[] = "/fake/home/launch/launch-1";

template <typename Map>
std::vector<std::string> names_of(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

}  // namespace

void FakeSecretFolders::set_faults(
    std::function<FaultPlan(const std::string& call, const std::string& folder)> faults) {
  const std::lock_guard<std::mutex> lock(mutex_);
  faults_ = std::move(faults);
}

void FakeSecretFolders::lose_all() {
  const std::lock_guard<std::mutex> lock(mutex_);
  folders_.clear();
}

std::optional<FakeSecretFolders::File> FakeSecretFolders::file(const std::string& folder,
                                                               const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto files = folders_.find(folder);
  if (files == folders_.end()) return std::nullopt;
  const auto found = files->second.find(name);
  return found == files->second.end() ? std::nullopt : std::optional<File>(found->second);
}

std::vector<std::string> FakeSecretFolders::files(const std::string& folder) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto files = folders_.find(folder);
  return files == folders_.end() ? std::vector<std::string>() : names_of(files->second);
}

std::vector<std::string> FakeSecretFolders::folders() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return names_of(folders_);
}

std::int64_t FakeSecretFolders::changes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return changes_;
}

template <typename Act>
auto FakeSecretFolders::attempt(const std::string& call, const std::string& folder, Act act)
    -> decltype(act()) {
  std::function<FaultPlan(const std::string&, const std::string&)> faults;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    faults = faults_;
  }
  const FaultPlan plan = faults ? faults(call, folder) : FaultPlan::none;
  const std::string what = "secret folder " + folder + ": " + call + ": ";
  if (plan == FaultPlan::fail_before || plan == FaultPlan::unreachable) {
    return Error{Fault::transient, Cause::other, what + "No space left on device", ""};
  }
  auto result = [&] {
    const std::lock_guard<std::mutex> lock(mutex_);
    return act();
  }();
  if (plan == FaultPlan::lose_answer) {
    return Error{Fault::transient, Cause::deadline, what + "no answer in time", ""};
  }
  return result;
}

Result<> FakeSecretFolders::write(const std::string& folder, const std::vector<SecretFile>& files) {
  return attempt("write", folder, [&]() -> Result<> {
    if (auto good = check_secret_files(folder, files); !good.ok()) return good;
    Files made;
    for (const SecretFile& file : files) {
      made[file.name] = {std::string(file.content.view()), file.mode, file.user, file.group};
    }
    const auto there = folders_.find(folder);
    if (there != folders_.end() && there->second == made) return Done{};
    folders_[folder] = std::move(made);
    ++changes_;
    return Done{};
  });
}

Result<> FakeSecretFolders::put(const std::string& folder, const SecretFile& file) {
  return attempt("put", folder, [&]() -> Result<> {
    if (auto good = check_secret_file(folder, file); !good.ok()) return good;
    const auto there = folders_.find(folder);
    if (there == folders_.end()) {
      return Error{Fault::broken, Cause::not_found, "secret folder " + folder + " is not there",
                   ""};
    }
    there->second[file.name] = {std::string(file.content.view()), file.mode, file.user, file.group};
    ++changes_;
    return Done{};
  });
}

Result<> FakeSecretFolders::remove(const std::string& folder) {
  return attempt("remove", folder, [&]() -> Result<> {
    if (auto good = check_secret_folder(folder); !good.ok()) return good;
    changes_ += folders_.erase(folder) > 0 ? 1 : 0;
    return Done{};
  });
}

Result<std::vector<std::string>> FakeSecretFolders::list() {
  return attempt("list", "",
                 [&]() -> Result<std::vector<std::string>> { return names_of(folders_); });
}

Result<std::string> FakeSecretFolders::path(const std::string& folder) {
  return attempt("path", folder, [&]() -> Result<std::string> {
    if (auto good = check_secret_folder(folder); !good.ok()) return good.error();
    return kPlace + folder;
  });
}

Result<std::string> FakeSecretFolders::launcher() {
  return attempt("launcher", "", [&]() -> Result<std::string> { return std::string(kLauncher); });
}

}  // namespace rowlock
