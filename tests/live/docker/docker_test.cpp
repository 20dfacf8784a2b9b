// The Docker adapter against a real engine: ROWLOCK_TEST_DOCKER is its endpoint, and it holds the
// images rowlock-test:1 (busybox) and, for the comparison of architectures,
// rowlock-test-other-arch:1. Without the variable nothing is tested.
#include "controller/adapters/docker/docker.h"

#include "controller/adapters/docker/docker_engine.h"
#include "controller/adapters/files/secret_folders.h"
#include "tests/conformance/container_runtime_suite.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <arpa/inet.h>
#include <cstdlib>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace rowlock;

namespace {

constexpr char kImage[] = "rowlock-test:1";
constexpr char kOtherArchImage[] = "rowlock-test-other-arch:1";
constexpr std::int64_t kDeadlineMs = 10'000;

// Skips the test where no engine is named.
std::string endpoint() {
  const char* const value = std::getenv("ROWLOCK_TEST_DOCKER");
  if (value == nullptr) cr_skip_test("ROWLOCK_TEST_DOCKER names no engine");
  return value;
}

// Tests run beside each other, and beside other people's.
std::string own_prefix() { return "rowlock-live-" + std::to_string(getpid()) + "-"; }

// A port of the loopback address that stays taken, though nobody answers, for as long as this
// lives.
class TakenPort {
 public:
  TakenPort() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    cr_assert(::bind(socket_, reinterpret_cast<sockaddr*>(&address), length) == 0);
    cr_assert(::listen(socket_, 1) == 0);
    cr_assert(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    number_ = ntohs(address.sin_port);
  }
  ~TakenPort() { ::close(socket_); }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;

  int number() const { return number_; }

 private:
  int socket_;
  int number_ = 0;
};

int port_free_a_moment_ago() { return TakenPort().number(); }

bool is_on_the_node(const std::string& image) {
  DockerEngine engine(endpoint(), kDeadlineMs);
  DockerRequest request;
  request.path = "/images/" + image + "/json";
  request.deadline_ms = kDeadlineMs;
  return engine.call("look for " + image, request).ok();
}

void pause_by_hand(const std::string& name) {
  DockerEngine engine(endpoint(), kDeadlineMs);
  DockerRequest request;
  request.method = "POST";
  request.path = "/containers/" + name + "/pause";
  request.deadline_ms = kDeadlineMs;
  cr_assert(engine.call("pause " + name, request).ok());
}

void erase_claims_by_hand(const std::string& home) {
  DockerEngine engine(endpoint(), kDeadlineMs);
  for (const int epoch : {1, 12}) {
    DockerRequest request;
    request.method = "DELETE";
    request.path = "/volumes/rowlock-" + home + "-claim-" + std::to_string(epoch);
    request.deadline_ms = kDeadlineMs;
    cr_assert(engine.call("remove a claim", request, {404}).ok());
  }
}

void erase_network_by_hand(const std::string& home) {
  DockerEngine engine(endpoint(), kDeadlineMs);
  DockerRequest request;
  request.method = "DELETE";
  request.path = "/networks/rowlock-" + home;
  request.deadline_ms = kDeadlineMs;
  cr_assert(engine.call("remove a network", request, {404}).ok());
}

// The address of a container that Rowlock did not make, on the engine's own bridge.
std::string address_of_stranger(const std::string& name) {
  DockerEngine engine(endpoint(), kDeadlineMs);
  DockerRequest make;
  make.method = "POST";
  make.path = "/containers/create?name=" + name;
  make.body = fmt::format(R"({{"Image": "{}", "Cmd": ["sleep", "1000"]}})", kImage);
  make.deadline_ms = kDeadlineMs;
  cr_assert(engine.call("make a stranger", make).ok());
  DockerRuntime runtime(endpoint());
  cr_assert(runtime.start(name).ok());
  return runtime.inspect(name).value()->address;
}

ContainerSpec sleeper(const std::string& name) {
  ContainerSpec spec;
  spec.name = name;
  spec.home = "live-home";
  spec.image = kImage;
  spec.command = {{"sleep", "1000"}};
  spec.network = "host";
  return spec;
}

}  // namespace

Test(live_docker, behaves_like_every_runtime, .timeout = 120) {
  DockerRuntime runtime(endpoint());
  const TakenPort taken;
  const TempFolder home;
  MemoryFolders folders(home.path());
  cr_assert(folders.write("conformance", {}).ok());
  RuntimeFixture fixture;
  fixture.prefix = own_prefix();
  fixture.home = fixture.prefix + "home";
  fixture.image = kImage;
  fixture.arch = runtime.facts().value().arch;
  fixture.other_arch_image = is_on_the_node(kOtherArchImage) ? kOtherArchImage : "";
  fixture.absent_image = "127.0.0.1:1/rowlock/absent:1";
  fixture.missing_program = "/no/such/program";
  fixture.missing_folder = "/no/such/folder";
  fixture.run_on = {"sleep", "1000"};
  fixture.fail = {"sh", "-c", "echo hello; exit 3"};
  fixture.succeed = {"echo", "hello"};
  fixture.listen = {"sh", "-c", "trap 'echo hup' HUP; while true; do sleep 0.1; done"};
  fixture.secrets_folder = folders.path("conformance").value();
  fixture.have_secrets_folder = [&](bool is_there) {
    cr_assert((is_there ? folders.write("conformance", {}) : folders.remove("conformance")).ok());
  };
  fixture.launcher = folders.launcher().value();
  fixture.taken_port = taken.number();
  fixture.free_port = port_free_a_moment_ago();
  fixture.pause = pause_by_hand;
  fixture.erase_claims = [&] { erase_claims_by_hand(fixture.home); };

  check_container_runtime(runtime, fixture);

  erase_network_by_hand(fixture.home);
  cr_expect(folders.remove("conformance").ok());
}

Test(live_docker, may_be_called_from_many_threads_at_once, .timeout = 60) {
  DockerRuntime runtime(endpoint());
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, name = own_prefix() + std::to_string(i)] {
      failures += runtime.create(sleeper(name)).ok() ? 0 : 1;
      failures += runtime.start(name).ok() ? 0 : 1;
      failures += runtime.list().ok() ? 0 : 1;
      failures += runtime.stop(name, "SIGKILL", 1000).ok() ? 0 : 1;
      failures += runtime.remove(name).ok() ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();

  cr_expect_eq(failures.load(), 0);
}

Test(live_docker, an_address_is_given_to_no_stranger_and_not_again, .timeout = 60) {
  DockerRuntime runtime(endpoint());
  const std::string prefix = own_prefix();
  const auto made = [&](int instance) {
    ContainerSpec spec = sleeper(prefix + std::to_string(instance));
    spec.home = prefix + "home";
    spec.instance = std::to_string(instance);
    spec.network = "bridge";
    cr_assert(runtime.create(spec).ok());
    const auto started = runtime.start(spec.name);
    cr_assert(started.ok(), "%s", started.ok() ? "" : started.error().message.c_str());
    return runtime.inspect(spec.name).value()->address;
  };
  const std::string first = made(7);
  const std::string second = made(8);
  cr_assert(runtime.remove(prefix + "7").ok());
  const std::string third = made(9);
  const std::string stranger = address_of_stranger(prefix + "stranger");

  const auto network_of = [](const std::string& address) {
    return address.substr(0, address.find('.', address.find('.') + 1));
  };
  cr_expect(second != first && third != first && third != second && stranger != first);
  cr_expect(network_of(first) == network_of(third), "%s %s", first.c_str(), third.c_str());
  cr_expect(network_of(first) != network_of(stranger), "%s %s", first.c_str(), stranger.c_str());

  for (const char* const name : {"8", "9", "stranger"}) {
    cr_expect(runtime.remove(prefix + name).ok());
  }
  erase_network_by_hand(prefix + "home");
}

Test(live_docker, a_network_that_was_pruned_is_made_again_with_its_container, .timeout = 60) {
  DockerRuntime runtime(endpoint());
  const std::string prefix = own_prefix();
  ContainerSpec spec = sleeper(prefix + "1");
  spec.home = prefix + "home";
  spec.instance = "1";
  spec.network = "bridge";
  cr_assert(runtime.create(spec).ok());
  erase_network_by_hand(spec.home);

  const auto started = runtime.start(spec.name);
  cr_assert_not(started.ok());
  cr_expect(started.error().fault == Fault::transient, "%s", started.error().message.c_str());
  cr_expect_not(runtime.inspect(spec.name).value().has_value(), "it is made anew");
  cr_assert(runtime.create(spec).ok());
  cr_expect(runtime.start(spec.name).ok());

  cr_expect(runtime.remove(spec.name).ok());
  erase_network_by_hand(spec.home);
}

Test(live_docker, a_container_is_hardened_and_bounded_as_its_spec_says, .timeout = 30) {
  DockerRuntime runtime(endpoint());
  ContainerSpec spec = sleeper(own_prefix() + "hard");
  spec.memory_mb = 64;
  spec.pids_max = 50;
  spec.cpus = 0.5;
  spec.user = "1234";
  spec.read_only_root = true;
  spec.env = {{"GREETING", "a=b \"c\""}};
  spec.capabilities = {"NET_BIND_SERVICE"};
  spec.mounts = {Mount{"tmpfs", "", "/scratch", false}};
  cr_assert(runtime.create(spec).ok());
  cr_assert(runtime.start(spec.name).ok());

  const Result<ExecResult> inside =
      runtime.exec(spec.name,
                   {"sh", "-c",
                    "id -u; echo $GREETING; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; touch "
                    "/x || echo read-only; "
                    "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max "
                    "2>/dev/null; mount | grep -c scratch"},
                   5000);
  cr_expect(runtime.remove(spec.name).ok());

  cr_assert(inside.ok());
  const std::string& output = inside.value().output;
  for (const char* line : {"1234\n", "a=b \"c\"\n", "NoNewPrivs:\t1\n",
                           "CapBnd:\t0000000000000400\n", "read-only\n", "67108864\n", "1\n"}) {
    cr_expect(output.find(line) != std::string::npos, "'%s' is not in: %s", line, output.c_str());
  }
}

Test(live_docker, only_the_last_lines_of_a_long_log_are_kept_and_they_are_text, .timeout = 30) {
  DockerRuntime runtime(endpoint());
  ContainerSpec spec = sleeper(own_prefix() + "log");
  spec.command = {{"sh", "-c",
                   "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; printf 'bad "
                   "\\377 byte\\n'; sleep 1000"}};
  cr_assert(runtime.create(spec).ok());
  cr_assert(runtime.start(spec.name).ok());
  std::string log;
  for (int i = 0; i < 500 && log.find("byte") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    log = runtime.log_tail(spec.name, 3).value();
  }
  const std::string long_log = runtime.log_tail(spec.name, 1000).value();
  cr_expect(runtime.remove(spec.name).ok());

  cr_expect(log == "line 1998\nline 1999\nbad \xef\xbf\xbd byte\n", "%s", log.c_str());
  cr_expect(long_log.size() <= 4096 && long_log.size() > 3500, "%zu bytes", long_log.size());
  cr_expect(long_log.rfind("line ", 0) == 0, "begins within a line");
}

Test(live_docker, a_stubborn_container_is_killed_after_its_time, .timeout = 30) {
  DockerRuntime runtime(endpoint());
  ContainerSpec spec = sleeper(own_prefix() + "stubborn");  // As process 1, sleep ignores SIGTERM.
  cr_assert(runtime.create(spec).ok());
  cr_assert(runtime.start(spec.name).ok());

  const auto begun = std::chrono::steady_clock::now();
  const Result<> stopped = runtime.stop(spec.name, "SIGTERM", 500);
  const auto took = std::chrono::steady_clock::now() - begun;
  const std::optional<Container> container = runtime.inspect(spec.name).value();
  cr_expect(runtime.remove(spec.name).ok());

  cr_expect(stopped.ok());
  cr_expect(took >= std::chrono::milliseconds(500) && took < std::chrono::milliseconds(3000));
  cr_expect(container && container->exit_code == 137);
}

Test(live_docker, mistakes_in_a_row_are_rejected_with_what_to_do, .timeout = 60) {
  DockerRuntime runtime(endpoint());
  const std::pair<const char*, std::function<void(ContainerSpec&)>> mistakes[] = {
      {"job.user", [](ContainerSpec& spec) { spec.user = "nobody-knows"; }},
      {"capabilities", [](ContainerSpec& spec) { spec.capabilities = {"FLY"}; }},
      {"job.stop_signal", [](ContainerSpec& spec) { spec.stop_signal = "SIGFOO"; }},
      {"job.memory_mb", [](ContainerSpec& spec) { spec.memory_mb = 1; }},
      {"job.cpus", [](ContainerSpec& spec) { spec.cpus = 1000; }},
      {"job_mount",
       [](ContainerSpec& spec) {
         spec.mounts = {Mount{"volume", "bad name!", "/x", false}};
       }},
      {"job.command", [](ContainerSpec& spec) { spec.command = {{"/tmp"}}; }},
  };
  for (const auto& [hint, make] : mistakes) {
    ContainerSpec spec = sleeper(own_prefix() + "mistake");
    make(spec);
    const auto created = runtime.create(spec);
    const Result<> result = created.ok() ? runtime.start(spec.name) : created.error();
    cr_expect(runtime.remove(spec.name).ok());
    cr_assert(!result.ok(), "%s was accepted", hint);
    cr_expect(result.error().fault == Fault::rejected &&
                  result.error().hint.find(hint) != std::string::npos,
              "%s: %s (%s)", hint, result.error().message.c_str(), result.error().hint.c_str());
  }
}

Test(live_docker, a_registry_that_does_not_answer_may_answer_later, .timeout = 60) {
  DockerRuntime runtime(endpoint());

  const Result<> pulled = runtime.pull("127.0.0.1:1/rowlock/absent:1", {});
  const Result<> malformed = runtime.pull("UPPER:1", {});

  cr_assert(!pulled.ok());
  cr_expect(pulled.error().fault == Fault::transient, "%s", pulled.error().message.c_str());
  cr_expect(pulled.error().message.rfind("pull 127.0.0.1:1/rowlock/absent:1: ", 0) == 0);
  cr_assert(!malformed.ok());
  cr_expect(malformed.error().fault == Fault::rejected, "%s", malformed.error().message.c_str());
}

Test(live_docker, the_start_of_an_id_is_not_a_name, .timeout = 30) {
  DockerRuntime runtime(endpoint());
  const std::string name = own_prefix() + "id";
  cr_assert(runtime.create(sleeper(name)).ok());
  const std::string id_start = runtime.inspect(name).value()->id.substr(0, 12);

  const bool found = runtime.inspect(id_start).value().has_value();
  const bool removed = runtime.remove(id_start).ok();
  const bool survived = runtime.inspect(name).value().has_value();
  cr_expect(runtime.remove(name).ok());

  cr_expect(!found && removed && survived);
}
