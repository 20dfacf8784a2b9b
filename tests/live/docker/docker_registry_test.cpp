// Pulling, against a real engine and a real registry on the loopback address, which every engine
// reaches without TLS.
#include "controller/adapters/docker/docker.h"
#include "controller/adapters/docker/docker_engine.h"

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
  Registry() : address_("127.0.0.1:" + std::to_string(free_port())) {
    char folder[] = "/tmp/rowlock-registry-XXXXXX";
    cr_assert(::mkdtemp(folder) != nullptr);
    folder_ = folder;
    std::ofstream(folder_ + "/config.yml")
        << "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: " << folder_
        << "/content}}\nhttp: {addr: '" << address_ << "'}\n";
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

Result<DockerAnswer> ask(const std::string& method, const std::string& path) {
  DockerEngine engine(std::getenv("ROWLOCK_TEST_DOCKER"), kDeadlineMs);
  DockerRequest request;
  request.method = method;
  request.path = path;
  request.deadline_ms = kDeadlineMs;
  request.headers = {"X-Registry-Auth: e30="};  // {}: the engine wants one with every push.
  return engine.call(method + " " + path, request);
}

// Puts the test's image into the registry under that name, and takes the name off the node again.
void publish(const std::string& repository) {
  cr_assert(
      ask("POST", std::string("/images/") + kImage + "/tag?repo=" + repository + "&tag=1").ok());
  for (int i = 0; i < 50; ++i) {
    const Result<DockerAnswer> pushed = ask("POST", "/images/" + repository + "/push?tag=1");
    cr_assert(pushed.ok());
    if (pushed.value().body.find("\"error\"") == std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // The registry is coming up.
  }
  cr_assert(ask("DELETE", "/images/" + repository + ":1").ok());
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
