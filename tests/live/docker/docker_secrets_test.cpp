// Secrets in containers of a real engine: who sees them, and above all who does not.
// ROWLOCK_TEST_DOCKER is its endpoint, and it holds the image rowlock-test:1 (busybox). Without the
// variable nothing is tested. What the launcher does by itself is tested without an engine.
#include "controller/adapters/docker/docker.h"
#include "controller/adapters/docker/docker_engine.h"
#include "controller/adapters/files/secret_folders.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace rowlock;

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

constexpr char kImage[] = "rowlock-test:1";
constexpr char kValue[] = "correct-horse-battery-staple";
constexpr int kUser = 1234;
constexpr std::int64_t kDeadlineMs = 10'000;

std::string endpoint() {
  const char* const value = std::getenv("ROWLOCK_TEST_DOCKER");
  if (value == nullptr) cr_skip_test("ROWLOCK_TEST_DOCKER names no engine");
  return value;
}

Result<DockerAnswer> ask(const std::string& method, const std::string& path,
                         const std::string& body = "") {
  DockerEngine engine(endpoint(), kDeadlineMs);
  DockerRequest request;
  request.method = method;
  request.path = path;
  request.body = body;
  request.deadline_ms = kDeadlineMs;
  return engine.call(method + " " + path, request);
}

std::vector<SecretFile> files(const std::string& token, const std::string& environment) {
  std::vector<SecretFile> result;
  result.push_back({"token", SecretBytes(token), 0400, kUser, kUser});
  result.push_back({kEnvironmentFile, SecretBytes(environment), 0444, 0, 0});
  return result;
}

std::string environment(const Words& entries) {
  std::string text;
  for (const std::string& entry : entries) text += entry + '\0';
  return text;
}

// One job with secrets, which goes away with the test.
struct Job {
  const std::string name = "rowlock-live-" + std::to_string(getpid()) + "-secret";
  DockerRuntime runtime{endpoint()};
  TempFolder home;
  MemoryFolders folders{home.path()};
  ContainerSpec spec;
  Words images;  // Made by this test.

  Job() {
    const Result<> written =
        folders.write("web-1", files("one", environment({std::string("TOKEN=") + kValue})));
    cr_assert(written.ok(), "%s", written.ok() ? "" : written.error().message.c_str());
    spec.name = name;
    spec.home = "live-home";
    spec.image = kImage;
    spec.network = "none";
    spec.secrets_folder = folders.path("web-1").value();
    spec.launcher = folders.launcher().value();
  }
  ~Job() {
    cr_expect(runtime.remove(name).ok());
    for (const std::string& image : images) cr_expect(ask("DELETE", "/images/" + image).ok());
    cr_expect(folders.remove("web-1").ok());
  }

  void start() {
    const auto created = runtime.create(spec);
    cr_assert(created.ok(), "%s", created.ok() ? "" : created.error().message.c_str());
    const Result<> started = runtime.start(name);
    cr_assert(started.ok(), "%s", started.ok() ? "" : started.error().message.c_str());
  }

  // Its log once it has ended, and its exit code on a line of its own.
  std::string log_at_its_end() {
    start();
    std::optional<int> exit_code;
    for (int i = 0; i < 500 && !exit_code; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      exit_code = runtime.inspect(name).value()->exit_code;
    }
    cr_assert(exit_code.has_value(), "it did not end");
    const std::string log = runtime.log_tail(name, 100).value();
    cr_expect(runtime.remove(name).ok());
    return log + std::to_string(*exit_code) + "\n";
  }

  std::string inside(const std::string& script) {
    const Result<ExecResult> result = runtime.exec(name, {"sh", "-c", script}, 5000);
    cr_assert(result.ok(), "%s", result.ok() ? "" : result.error().message.c_str());
    return result.value().output;
  }

  // With no file, entrypoint or command in it.
  std::string empty_image() {
    const std::string image = name + "-empty:1";
    const Result<DockerAnswer> made =
        ask("POST", "/images/create?fromSrc=-&tag=1&repo=" + name + "-empty",
            std::string(1024, '\0'));  // The end of a tar archive.
    cr_assert(made.ok(), "%s", made.ok() ? "" : made.error().message.c_str());
    images.push_back(image);
    return image;
  }

  // An image like rowlock-test:1 with its own entrypoint and command, as JSON.
  std::string image_with(const std::string& entrypoint, const std::string& command) {
    const std::string parent = name + "-parent";
    cr_assert(ask("POST", "/containers/create?name=" + parent,
                  std::string(R"({"Image":")") + kImage + R"("})")
                  .ok());
    const std::string image = name + std::to_string(images.size()) + ":1";
    const Result<DockerAnswer> made =
        ask("POST",
            "/commit?container=" + parent + "&repo=" + image.substr(0, image.size() - 2) + "&tag=1",
            R"({"Entrypoint":)" + entrypoint + R"(,"Cmd":)" + command + "}");
    cr_assert(ask("DELETE", "/containers/" + parent).ok());
    cr_assert(made.ok(), "%s", made.ok() ? "" : made.error().message.c_str());
    images.push_back(image);
    return image;
  }
};

std::string bytes_of(const fs::path& path) {
  std::ostringstream all;
  all << std::ifstream(path, std::ios::binary).rdbuf();
  return all.str();
}

void is(const std::string& got, const std::string& wanted) {
  cr_expect(got == wanted, "expected '%s', got '%s'", wanted.c_str(), got.c_str());
}

}  // namespace

Test(live_docker_secrets, are_files_that_can_be_read_and_nothing_more, .timeout = 30) {
  Job job;
  job.spec.command = {{"sleep", "1000"}};
  job.spec.user = std::to_string(kUser);
  job.spec.read_only_root = true;
  job.start();

  is(job.inside("cd /run/secrets; cat token; stat -c ' %a %u %g' token"), "one 400 1234 1234\n");
  is(job.inside("cd /run/secrets; for act in 'rm token' 'touch new' 'chmod 777 token'; do "
                "$act 2>/dev/null || echo no; done"),
     "no\nno\nno\n");
  is(job.inside("echo x 2>/dev/null >/run/rowlock-launch || echo no"), "no\n");

  cr_assert(job.folders.write("web-1", files("two", "")).ok());
  is(job.inside("cat /run/secrets/token"), "two");
}

Test(live_docker_secrets, of_another_user_cannot_be_read, .timeout = 30) {
  Job job;
  job.spec.command = {{"sleep", "1000"}};
  job.spec.user = "4321";
  job.start();

  is(job.inside("cat /run/secrets/token 2>/dev/null || echo no"), "no\n");
}

Test(live_docker_secrets, come_as_environment_to_the_first_process, .timeout = 30) {
  Job job;
  job.spec.user = std::to_string(kUser);
  job.spec.read_only_root = true;
  job.spec.env = {{"GREETING", "plain"}, {"TOKEN", "replaced"}};
  job.spec.command = {{"sh", "-c",
                       "echo $$ $GREETING $TOKEN; id -u; readlink /proc/1/exe; "
                       "ls /proc/1/fd; true"}};

  is(job.log_at_its_end(), std::string("1 plain ") + kValue + "\n1234\n/bin/busybox\n0\n1\n2\n0\n");
}

Test(live_docker_secrets, signals_reach_the_program_as_they_did, .timeout = 30) {
  Job job;
  job.spec.command = {{"sh", "-c",
                       "trap 'echo $TOKEN; exit 5' TERM; echo up; while true; do "
                       "sleep 0.1; done"}};
  job.start();
  for (int i = 0; i < 500 && job.runtime.log_tail(job.name, 1).value() != "up\n"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }

  cr_expect(job.runtime.stop(job.name, "SIGTERM", 5000).ok());

  is(job.runtime.log_tail(job.name, 1).value(), std::string(kValue) + "\n");
  cr_expect(job.runtime.inspect(job.name).value()->exit_code == 5);
}

// Nothing of the engine's, no command line, no environment of any process outside the container.
Test(live_docker_secrets, are_nowhere_but_in_the_container, .timeout = 30) {
  Job job;
  job.spec.command = {{"sleep", "1000"}};
  job.start();

  const Result<DockerAnswer> inspected = ask("GET", "/containers/" + job.name + "/json");
  cr_assert(inspected.ok());
  const auto is_told = [](const std::string& text) {
    return text.find(kValue) != std::string::npos;
  };
  cr_expect(!is_told(inspected.value().body));
  is(job.inside("echo $TOKEN"), "\n");  // Of a command beside it, neither.
  int holders = 0;
  for (const fs::directory_entry& process : fs::directory_iterator("/proc")) {
    const std::string own = process.path() / "environ";
    cr_expect(!is_told(bytes_of(process.path() / "cmdline")), "%s", own.c_str());
    if (!is_told(bytes_of(own))) continue;
    ++holders;
    cr_expect(bytes_of(process.path() / "comm") == "sleep\n", "%s", own.c_str());
  }
  cr_expect(::geteuid() != 0 || holders == 1, "%d processes", holders);
}

Test(live_docker_secrets, leave_the_images_own_program_as_it_is, .timeout = 60) {
  Job job;
  const std::string launcher = job.spec.launcher;
  const struct {
    const char* entrypoint;
    const char* command;
    std::optional<Words> given;
    const char* log;
  } cases[] = {
      {R"(["echo","entry"])", R"(["own"])", std::nullopt, "entry own\n0\n"},
      {R"(["echo","entry"])", R"(["own"])", Words{"given", "too"}, "entry given too\n0\n"},
      {R"(["echo","entry"])", R"(["own"])", Words{}, "entry own\n0\n"},
      {R"(["echo","entry"])", "[]", std::nullopt, "entry\n0\n"},
      {"[]", R"(["/bin/sh","-c","echo own"])", std::nullopt, "own\n0\n"},
      {"[]", R"(["/bin/sh","-c","echo own"])", Words{"echo", "given"}, "given\n0\n"},
  };
  for (const auto& wanted : cases) {
    job.spec.image = job.image_with(wanted.entrypoint, wanted.command);
    job.spec.command = wanted.given;
    for (const std::string& with : {std::string(), launcher}) {
      job.spec.launcher = with;
      is(job.log_at_its_end(), wanted.log);
    }
  }
}

Test(live_docker_secrets, an_image_without_a_program_needs_a_command, .timeout = 30) {
  Job job;
  job.spec.image = job.empty_image();
  const std::string launcher = job.spec.launcher;
  for (const std::string& with : {std::string(), launcher}) {
    job.spec.launcher = with;
    const auto created = job.runtime.create(job.spec);
    cr_assert(!created.ok());
    cr_expect(created.error().fault == Fault::rejected &&
                  created.error().hint.find("job.command") != std::string::npos,
              "%s (%s)", created.error().message.c_str(), created.error().hint.c_str());
  }
  job.spec.command = {{"/program"}};  // The launcher itself needs no file of the image.
  is(job.log_at_its_end(), "rowlock-launch: /program: there is no such program\n127\n");
}

Test(live_docker_secrets, a_program_that_is_not_there_is_told_in_the_log, .timeout = 30) {
  Job job;
  const std::pair<const char*, const char*> cases[] = {
      {"no-such-program",
       "rowlock-launch: no-such-program: there is no such program in PATH\n127\n"},
      {"/etc/passwd", "rowlock-launch: /etc/passwd: permission denied\n126\n"},
  };
  for (const auto& [program, log] : cases) {
    job.spec.command = {{program}};
    is(job.log_at_its_end(), log);
  }
}

Test(live_docker_secrets, a_signal_that_there_is_not_is_rejected, .timeout = 30) {
  Job job;
  job.spec.command = {{"sleep", "1000"}};
  job.start();

  const Result<> sent = job.runtime.signal(job.name, "SIGFOO");

  cr_assert(!sent.ok());
  cr_expect(sent.error().fault == Fault::rejected && !sent.error().hint.empty());
}
