// Values go in through files in memory and the verb, as a person would have it: a value on the
// command line would be found by the canaries' own search.
#include "tests/live/secrets/secret_home.h"

#include "controller/adapters/files/secret_folders.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

using namespace rowlock;

namespace rowlock_live {

namespace {

namespace fs = std::filesystem;

constexpr char kKeyVariable[] = "ROWLOCK_UNSEAL_KEY_FILE";
constexpr std::int64_t kAskMs = 10'000;
constexpr auto kReadPause = std::chrono::milliseconds(1);

}  // namespace

SecretHome::SecretHome() : key_file_(folder() + ".key") {
  start_and_reach();
  must({"secret", "init", "--shares", "1", "--threshold", "1", "--key-file", key_file_});
  ::setenv(kKeyVariable, key_file_.c_str(), 1);
}

SecretHome::~SecretHome() {
  kill();  // First, for it would make anew the folders that are taken away.
  ::unsetenv(kKeyVariable);
  std::error_code ignored;
  fs::remove(key_file_, ignored);
  fs::remove_all(memory(), ignored);
}

void SecretHome::put(const std::string& path, const std::string& value) {
  const std::string file = "/dev/shm/rowlock-put." + std::to_string(::getpid());
  std::ofstream(file) << value;
  int code = 0;
  const std::string answer = verb({"secret", "put", path, "password=@" + file}, &code);
  fs::remove(file);  // Whatever came of it.
  require(code == 0, "secret put " + path + ": " + answer + "\n" + log());
}

std::string SecretHome::must(const std::vector<std::string>& arguments) {
  int code = 0;
  const std::string answer = verb(arguments, &code);
  require(code == 0, arguments[0] + " " + arguments.back() + ": " + answer);
  return answer;
}

Answer SecretHome::ask(const std::string& method, const std::string& path, const std::string& body,
                       const std::string& token) const {
  std::vector<std::pair<std::string, std::string>> headers;
  if (!token.empty()) headers.emplace_back("X-Vault-Token", token);
  const auto answer = rowlock::ask(folder() + "/rowlock.sock", method, path, body, headers, kAskMs);
  return answer.ok() ? answer.value() : Answer{};
}

std::string SecretHome::memory() const {
  MemoryFolders folders(folder());
  const auto path = folders.path("any");
  require(path.ok(), path.ok() ? "" : path.error().message);
  return fs::path(path.value()).parent_path();
}

std::string SecretHome::held(const std::string& instance, const std::string& file) const {
  return file_text(memory() + "/" + instance + "/" + file);
}

void SecretHome::restart_open() {
  kill();
  start();
  // What is in state.db may still be from before.
  const auto began = std::chrono::steady_clock::now();
  while (ask("GET", "/v1/sys/health").status != 200) {
    require(std::chrono::steady_clock::now() - began < std::chrono::seconds(kPatienceS),
            "it does not open after the start\n" + log());
    std::this_thread::sleep_for(kReadPause);
  }
}

void SecretHome::restart_sealed() {
  ::unsetenv(kKeyVariable);
  stop();
  start();
  ::setenv(kKeyVariable, key_file_.c_str(), 1);
  await("SELECT state FROM seal", "sealed");
}

void SecretHome::unseal() { must({"secret", "unseal", "--key-file", key_file_}); }

long SecretHome::start_and_read(const std::string& path) {
  const auto began = std::chrono::steady_clock::now();
  start();
  while (ask("GET", "/v1/secret/data/" + path).status != 200) {
    require(std::chrono::steady_clock::now() - began < std::chrono::seconds(kPatienceS),
            "no secret was read after the start\n" + log());
    std::this_thread::sleep_for(kReadPause);
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               began)
      .count();
}

std::string insert_policy(const std::string& job) {
  return "INSERT OR IGNORE INTO policy (name, path) VALUES ('all', 'db/*');"
         "INSERT INTO job_policy (job, policy) VALUES ('" +
         job + "', 'all');";
}

std::string insert_secret(const std::string& job, const std::string& on_change) {
  return insert_policy(job) + "INSERT INTO job_secret (job, path, key, name, on_change) VALUES ('" +
         job + "', 'db/prod', 'password', 'pw', '" + on_change + "');";
}

std::string insert_routed_job(const std::string& name, int port,
                              const std::map<std::string, std::string>& columns) {
  std::map<std::string, std::string> all = {
      {"network", "'bridge'"},
      {"command", R"('["/app/slow_app","8080","300","10","one"]')"},
      {"stop_signal", "'SIGTERM'"}};
  for (const auto& [column, value] : columns) all[column] = value;
  const std::string apps =
      fs::absolute(std::getenv("ROWLOCK_TEST_BINARY")).parent_path().string() + "/apps";
  return "INSERT INTO proxy (listen) VALUES ('127.0.0.1:" + std::to_string(port) + "');" +
         insert_job(name, all) + "INSERT INTO job_port (job, label, port) VALUES ('" + name +
         "', 'http', 8080);"
         "INSERT INTO job_mount (job, path, type, source, read_only) VALUES ('" +
         name + "', '/app', 'bind', '" + apps +
         "', 1);"
         "INSERT INTO job_check (job, name, type, port, path, interval_ms, passes) VALUES ('" +
         name +
         "', 'ready', 'http', 'http', '/ready', 200, 2);"
         "INSERT INTO route (name, host, job, port) VALUES ('site', 'site.example.org', '" +
         name + "', 'http');";
}

}  // namespace rowlock_live
