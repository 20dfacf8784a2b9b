// Pulling, against a real engine and a real registry on the loopback address, which every engine
// reaches without TLS.
#include "controller/adapters/docker/docker.h"
#include "controller/adapters/docker/docker_engine.h"
#include "controller/adapters/docker/registry_login.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <signal.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace rowlock;

namespace {

constexpr char kProgram[] = "/usr/bin/docker-registry";  // Debian's package of that name.
constexpr char kImage[] = "rowlock-test:1";
constexpr std::int64_t kDeadlineMs = 30'000;

int free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  cr_assert(::bind(probe, reinterpret_cast<sockaddr*>(&address), length) == 0);
  cr_assert(::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  ::close(probe);
  return ntohs(address.sin_port);
}

// A registry in a folder of its own, for as long as this lives.
class Registry {
 public:
  // `users`: a file of htpasswd; empty: everybody may.
  explicit Registry(const std::string& users = "")
      : address_("127.0.0.1:" + std::to_string(free_port())) {
    char folder[] = "/tmp/rowlock-registry-XXXXXX";
    cr_assert(::mkdtemp(folder) != nullptr);
    folder_ = folder;
    std::ofstream(folder_ + "/config.yml")
        << "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: " << folder_
        << "/content}}\nhttp: {addr: '" << address_ << "'}\n"
        << (users.empty() ? "" : "auth: {htpasswd: {realm: r, path: " + folder_ + "/users}}\n");
    std::ofstream(folder_ + "/users") << users;
    child_ = ::fork();
    if (child_ == 0) {
      const int nowhere = ::open("/dev/null", O_WRONLY);  // It logs every request.
      ::dup2(nowhere, 1);
      ::dup2(nowhere, 2);
      ::execl(kProgram, kProgram, "serve", (folder_ + "/config.yml").c_str(), nullptr);
      ::_exit(127);
    }
  }
  ~Registry() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  const std::string& address() const { return address_; }

 private:
  std::string address_;
  std::string folder_;
  pid_t child_ = -1;
};

Result<DockerAnswer> ask(const std::string& method, const std::string& path,
                         const std::string& auth = "e30=") {
  DockerEngine engine(std::getenv("ROWLOCK_TEST_DOCKER"), kDeadlineMs);
  DockerRequest request;
  request.method = method;
  request.path = path;
  request.deadline_ms = kDeadlineMs;
  request.headers = {"X-Registry-Auth: " + auth};  // e30= is {}: the engine wants one in a push.
  return engine.call(method + " " + path, request);
}

// Puts the test's image into the registry under that name, and takes the name off the node again.
void publish(const std::string& repository, const std::string& image = kImage,
             const std::string& auth = "e30=") {
  cr_assert(ask("POST", "/images/" + image + "/tag?repo=" + repository + "&tag=1").ok());
  for (int i = 0; i < 50; ++i) {
    const Result<DockerAnswer> pushed = ask("POST", "/images/" + repository + "/push?tag=1", auth);
    cr_assert(pushed.ok());
    if (pushed.value().body.find("\"error\"") == std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // The registry is coming up.
  }
  cr_assert(ask("DELETE", "/images/" + repository + ":1").ok());
}

// Another image, made of a container of the test's.
std::string another_image(DockerRuntime& runtime) {
  ContainerSpec spec;
  spec.name = "rowlock-live-" + std::to_string(getpid()) + "-base";
  spec.home = "live-home";
  spec.image = kImage;
  spec.command = {{"sleep", "1000"}};
  cr_assert(runtime.create(spec).ok());
  const std::string name = "rowlock-live-" + std::to_string(getpid());
  cr_assert(
      ask("POST", "/commit?container=" + spec.name + "&repo=" + name + "&tag=2&comment=x").ok());
  cr_assert(runtime.remove(spec.name).ok());
  return name + ":2";
}

bool is_missing() {
  return std::getenv("ROWLOCK_TEST_DOCKER") == nullptr || ::access(kProgram, X_OK) != 0;
}

}  // namespace

Test(live_docker_registry, an_image_is_pulled_if_the_registry_has_it, .timeout = 60) {
  if (std::getenv("ROWLOCK_TEST_DOCKER") == nullptr)
    cr_skip_test("ROWLOCK_TEST_DOCKER names no engine");
  if (::access(kProgram, X_OK) != 0) cr_skip_test("docker-registry is not installed");
  const Registry registry;
  const std::string repository = registry.address() + "/team/web";
  publish(repository);
  DockerRuntime runtime(std::getenv("ROWLOCK_TEST_DOCKER"));
  ContainerSpec spec;
  spec.name = "rowlock-live-" + std::to_string(getpid()) + "-pulled";
  spec.home = "live-home";
  spec.image = repository + ":1";
  spec.command = {{"sleep", "1000"}};

  cr_expect(runtime.create(spec).error().cause == Cause::image_absent);
  for (int round = 0; round < 2; ++round) {
    const Result<> pulled = runtime.pull(spec.image, {});
    cr_assert(pulled.ok(), "%s", pulled.ok() ? "" : pulled.error().message.c_str());
    cr_expect(runtime.create(spec).ok());
  }
  cr_expect(runtime.remove(spec.name).ok());
  cr_expect(ask("DELETE", "/images/" + repository + ":1").ok());

  for (const std::string& absent : {repository + ":2", registry.address() + "/nothing:1"}) {
    const Result<> pulled = runtime.pull(absent, {});
    cr_assert(!pulled.ok());
    cr_expect(pulled.error().fault == Fault::rejected && !pulled.error().hint.empty());
    cr_expect(pulled.error().message == "pull " + absent + ": the registry has no such image", "%s",
              pulled.error().message.c_str());
  }
}

Test(live_docker_registry, a_tag_that_moves_leaves_the_digest_that_it_had, .timeout = 90) {
  if (is_missing()) cr_skip_test("needs ROWLOCK_TEST_DOCKER and docker-registry");
  const Registry registry;
  const std::string repository = registry.address() + "/team/web";
  DockerRuntime runtime(std::getenv("ROWLOCK_TEST_DOCKER"));
  const std::string other = another_image(runtime);
  publish(repository);
  const auto first = runtime.resolve(repository + ":1", ImageSource::registry, {});
  cr_assert(first.ok(), "%s", first.ok() ? "" : first.error().message.c_str());
  cr_expect(first.value().rfind(repository + "@sha256:", 0) == 0, "%s", first.value().c_str());

  publish(repository, other);
  const auto second = runtime.resolve(repository + ":1", ImageSource::registry, {});
  ContainerSpec spec;
  spec.name = "rowlock-live-" + std::to_string(getpid()) + "-pinned";
  spec.home = "live-home";
  spec.image = first.value();
  spec.command = {{"sleep", "1000"}};
  cr_expect(second.ok() && second.value() != first.value());
  cr_expect(runtime.create(spec).error().cause == Cause::image_absent);
  const Result<> pulled = runtime.pull(first.value(), {});
  cr_assert(pulled.ok(), "%s", pulled.ok() ? "" : pulled.error().message.c_str());
  cr_assert(runtime.create(spec).ok());
  cr_expect(runtime.inspect(spec.name).value()->image == first.value());
  cr_expect(runtime.resolve(first.value(), ImageSource::node, {}).value() == first.value());
  cr_expect(runtime.remove(spec.name).ok());
  for (int round = 0; round < 2; ++round) {
    cr_expect(runtime.remove_image(first.value(), "").ok());
    cr_expect(runtime.resolve(first.value(), ImageSource::node, {}).error().cause ==
              Cause::image_absent);
  }
  cr_expect(runtime.resolve(kImage, ImageSource::node, {}).ok(), "its other names stay");
  const auto absent = runtime.resolve(repository + ":9", ImageSource::registry, {});
  cr_assert(!absent.ok());
  cr_expect(absent.error().fault == Fault::rejected && !absent.error().hint.empty(), "%s",
            absent.error().message.c_str());
  cr_expect(ask("DELETE", "/images/" + other).ok());
}

Test(live_docker_registry, credentials_come_from_a_helper_or_from_a_row, .timeout = 60) {
  if (is_missing()) cr_skip_test("needs ROWLOCK_TEST_DOCKER and docker-registry");
  const Registry registry(
      "user:$2y$05$abcdefghijklmnopqrstuuDIEddBSuRWBBEY6g5zv60IAP5bSSfki\n");  // pass:word
  const std::string repository = registry.address() + "/web";
  publish(repository, kImage, auth_header(registry.address(), "user", "pass:word"));
  DockerRuntime runtime(std::getenv("ROWLOCK_TEST_DOCKER"));
  char folder[] = "/tmp/rowlock-login-XXXXXX";
  cr_assert(::mkdtemp(folder) != nullptr);
  const std::string helper = std::string(folder) + "/docker-credential-test";
  std::ofstream(helper) << "#!/bin/sh\necho '{\"Username\":\"user\",\"Secret\":\"pass:word\"}'\n";
  std::filesystem::permissions(helper, std::filesystem::perms::owner_all);
  ::setenv("DOCKER_CONFIG", folder, 1);
  ::setenv("PATH", (std::string(folder) + ":/usr/bin:/bin").c_str(), 1);
  RegistryAccess row;
  row.username = std::make_shared<const SecretBytes>("user");
  row.password = std::make_shared<const SecretBytes>("pass:word");
  RegistryAccess wrong = row;
  wrong.password = std::make_shared<const SecretBytes>("wrong");

  for (const RegistryAccess& access : {RegistryAccess{}, wrong}) {
    const auto denied = runtime.resolve(repository + ":1", ImageSource::registry, access);
    cr_assert(!denied.ok());
    cr_expect(denied.error().fault == Fault::rejected &&
                  denied.error().hint.find("registry") != std::string::npos,
              "%s: %s", denied.error().message.c_str(), denied.error().hint.c_str());
    cr_expect(runtime.pull(repository + ":1", access).error().fault == Fault::rejected);
  }
  cr_expect(runtime.resolve(repository + ":1", ImageSource::registry, row).ok());
  std::ofstream(std::string(folder) + "/config.json")
      << "{\"credHelpers\":{\"" << registry.address() << "\":\"test\"}}";
  const auto resolved = runtime.resolve(repository + ":1", ImageSource::registry, {});
  cr_assert(resolved.ok(), "%s", resolved.ok() ? "" : resolved.error().message.c_str());
  cr_expect(runtime.pull(resolved.value(), {}).ok());
  cr_expect(runtime.remove_image(resolved.value(), "").ok());
  std::filesystem::remove_all(folder);
}

Test(live_docker_registry, a_mirror_stands_in_for_a_registry_that_is_away, .timeout = 60) {
  if (is_missing()) cr_skip_test("needs ROWLOCK_TEST_DOCKER and docker-registry");
  const Registry registry;
  publish(registry.address() + "/hub/team/web");
  DockerRuntime runtime(std::getenv("ROWLOCK_TEST_DOCKER"));
  RegistryAccess access;
  access.mirror = registry.address() + "/hub";

  const auto resolved = runtime.resolve("127.0.0.1:1/team/web:1", ImageSource::registry, access);
  cr_assert(resolved.ok(), "%s", resolved.ok() ? "" : resolved.error().message.c_str());
  cr_expect(resolved.value().rfind("127.0.0.1:1/team/web@sha256:", 0) == 0);
  ContainerSpec spec;
  spec.name = "rowlock-live-" + std::to_string(getpid()) + "-mirrored";
  spec.home = "live-home";
  spec.image = resolved.value();
  spec.mirror = access.mirror;
  spec.command = {{"sleep", "1000"}};
  cr_expect(runtime.create(spec).error().cause == Cause::image_absent);
  cr_assert(runtime.pull(spec.image, access).ok());
  for (int round = 0; round < 2; ++round) cr_expect(runtime.create(spec).ok());
  cr_expect(runtime.remove(spec.name).ok());
  cr_expect(runtime.remove_image(spec.image, access.mirror).ok());
  cr_expect(runtime.create(spec).error().cause == Cause::image_absent);
}
