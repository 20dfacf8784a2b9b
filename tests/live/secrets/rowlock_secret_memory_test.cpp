// What is left of secrets in the controller's own memory, in a core of it and in its home, after
// they were written, read, refused and asked for in every way. Needs no engine.
#include "controller/adapters/http/socket_client.h"
#include "tests/live/rowlock/rowlock_home.h"
#include "tests/live/secrets/canaries.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <unistd.h>

using namespace rowlock;
using namespace rowlock_live;

namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 40;
constexpr int kStarts = 10;
constexpr long kFirstReadMaxMs = 10'000;
constexpr std::int64_t kAskMs = 10'000;
constexpr char kPath[] = "/v1/secret/data/db/prod";

// A home with an open store, and its controller.
class Vault {
 public:
  Vault() {
    const char* const path = std::getenv("ROWLOCK_TEST_BINARY");
    if (path == nullptr) cr_skip_test("ROWLOCK_TEST_BINARY names no rowlock");
    binary_ = path;
    require(::mkdtemp(folder_.data()) != nullptr, "no folder in /tmp");
    verb({"init"});
    start();
    await_status("/livez", 200);
    verb({"secret", "init", "--shares", "1", "--threshold", "1", "--key-file", key_file()});
  }
  ~Vault() {
    controller_.reset();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  void start() {
    std::vector<std::string> command = {binary_, "run", "--home", home()};
    if (fs::exists(key_file())) command.insert(command.end(), {"--unseal-key-file", key_file()});
    controller_ = std::make_unique<Child>(command, home() + "/run.log");
  }
  void end(int signal) {
    controller_->signal(signal);
    (void)controller_->await_end(kPatienceS);
  }
  Answer ask(const std::string& method, const std::string& path, const std::string& body = "",
             const std::string& token = "") const {
    std::vector<std::pair<std::string, std::string>> headers;
    if (!token.empty()) headers.emplace_back("X-Vault-Token", token);
    const auto answer = rowlock::ask(home() + "/rowlock.sock", method, path, body, headers, kAskMs);
    return answer.ok() ? answer.value() : Answer{};
  }
  void await_status(const std::string& path, int status) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(kPatienceS);
    while (ask("GET", path).status != status) {
      require(std::chrono::steady_clock::now() < until,
              path + "\n" + file_text(home() + "/run.log"));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  std::string verb(const std::vector<std::string>& arguments, int expected = 0) const {
    const std::string output = folder_ + "/verb.out";
    fs::remove(output);
    std::vector<std::string> command = {binary_};
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.insert(command.end(), {"--home", home()});
    Child child(command, output);
    child.end_input();
    const int code = child.await_end(kPatienceS);
    std::string answer = file_text(output);
    fs::remove(output);
    require(expected < 0 || code == expected, arguments.back() + ": " + answer);
    return answer;
  }
  void put(const std::string& value) const {
    const std::string file = "/dev/shm/rowlock-vault." + std::to_string(::getpid());
    std::ofstream(file) << value;
    const std::string answer = verb({"secret", "put", "db/prod", "password=@" + file}, -1);
    fs::remove(file);  // Whatever came of it.
    require(answer.find("is at version") != std::string::npos, "secret put: " + answer);
  }

  std::string home() const { return folder_ + "/home"; }
  std::string core() const { return folder_ + "/core"; }
  std::string key_file() const { return folder_ + "/key"; }
  pid_t process() const { return controller_->process(); }

 private:
  std::string folder_ = "/tmp/rowlock-vault-XXXXXX";
  std::string binary_;
  std::unique_ptr<Child> controller_;
};

// Each must be refused, and must not come back with the refusal.
std::string refuse_all(const Vault& vault, Canaries& canaries) {
  const struct {
    const char* before;
    const char* after;
    bool has_token;
    int status;
  } cases[] = {
      {R"({"data": {"password": ")", R"(",)", false, 400},
      {R"({"data": ")", R"("})", false, 400},
      {R"({"options": {"cas": 1}, "data": {"password": ")", R"("}})", false, 400},
      {R"({"data": {"password": ")", R"("}})", true, 403},
  };
  std::string told;
  for (const auto& each : cases) {
    const Answer answer = vault.ask("POST", kPath, each.before + canaries.next() + each.after,
                                    each.has_token ? canaries.next() : "");
    require(answer.status == each.status,
            std::string(each.before) + ": " + std::to_string(answer.status) + " " + answer.body);
    told += answer.body;
  }
  return told;
}

// What tells something without being asked for a value.
std::string words(const Vault& vault) {
  std::string told = vault.ask("GET", "/metrics").body;
  require(!told.empty(), "no /metrics");
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"status", "--json"},
                                             {"why", "secrets"},
                                             {"events", "--limit", "1000"},
                                             {"doctor"},
                                             {"audit", "--limit", "1000"},
                                             {"audit", "verify"},
                                             {"secret", "status"},
                                             {"secret", "list", "db"},
                                             {"secret", "versions", "db/prod"},
                                             {"secret", "metadata", "db/prod"}})
    told += vault.verb(verb, -1);  // Without an engine, doctor is not content.
  return told;
}

// As text of the test's own: what it sends must not be what is found.
void write_and_read(const Vault& vault, Canaries& canaries) {
  for (int i = 0; i < kRounds; ++i) {
    const std::string value = canaries.next();
    if (i % 4 == 0) {
      vault.put(value);
    } else {
      require(
          vault.ask("POST", kPath, R"({"data": {"password": ")" + value + R"("}})").status == 200,
          "it is not written");
    }
    const Answer read = vault.ask("GET", kPath);
    require(read.status == 200 && read.body.find(value) != std::string::npos, "it is not read");
    require(vault.verb({"secret", "get", "db/prod", "--key", "password"}) == value, "get");
  }
}

}  // namespace

Test(live_rowlock_secret_memory, nothing_is_left_of_what_was_written_and_read, .timeout = 300) {
  Canaries canaries;
  const Vault vault;
  ProcessWatch watch(canaries);
  Canaries names;  // What is no secret is there to be found: the search is not blind.
  const std::string named = "/v1/secret/data/" + names.next();
  require(vault.ask("POST", named, R"({"data": {"a": "b"}})").status == 200, "it is not written");
  write_and_read(vault, canaries);
  require(vault.ask("GET", named).status == 200, "it is not read");
  const std::string refusals = refuse_all(vault, canaries);
  const std::string told = words(vault);

  std::string found = canaries.found_in(refusals) + canaries.found_in(told) +
                      files_that_hold(canaries, vault.home()) +
                      processes_that_show(canaries, false);
  found += memory_that_holds(canaries, vault.process());
  cr_expect(!memory_that_holds(names, vault.process()).empty(), "the search of memory is blind");
  if (cores_can_be_made()) {
    found += core_that_holds(canaries, vault.process(), vault.core());
    cr_expect(!core_that_holds(names, vault.process(), vault.core()).empty(), "the core is empty");
  }
  require(vault.ask("PUT", "/v1/sys/seal", "{}").status == 204, "seal");
  found += memory_that_holds(canaries, vault.process());
  found += watch.finish();

  cr_expect(found.empty(), "%s", found.c_str());
  fmt::print(stderr, "memory: {} looks at all processes, cores {}\n", watch.looks(),
             cores_can_be_made() ? "looked at" : "not looked at: there is no gcore");
}

// Otherwise finding nothing says nothing.
Test(live_rowlock_secret_memory, the_search_finds_what_is_there, .timeout = 60) {
  Canaries canaries;
  const std::string value = canaries.next();
  const std::string file = "/dev/shm/rowlock-search." + std::to_string(::getpid());
  fs::create_directory(file);
  std::ofstream(file + "/a") << "before" << value.substr(20);
  ::setenv("SEARCHED", value.c_str(), 1);
  const Child child({"/bin/sleep", "1000"}, "/dev/null");
  ::unsetenv("SEARCHED");

  cr_expect(!files_that_hold(canaries, file).empty());
  await_answer(
      "the child shows it",
      [&] { return processes_that_show(canaries, false).empty() ? "" : "shown"; }, "shown",
      [] { return std::string(); });
  cr_expect(!memory_that_holds(canaries, child.process()).empty());
  if (cores_can_be_made())
    cr_expect(!core_that_holds(canaries, child.process(), file + "/c").empty());
  cr_expect(canaries.found_in("Qanary" + value.substr(7)).empty() == false, "its second half");
  cr_expect(canaries.found_in(std::string(34, 'Q') + "Qanary").empty());
  fs::remove_all(file);
}

Test(live_rowlock_secret_memory, a_start_with_a_key_file_reads_at_once, .timeout = 200) {
  Vault vault;
  vault.put("s3cret");

  std::string told;
  long slowest_ms = 0;
  for (int i = 0; i < kStarts; ++i) {
    vault.end(i % 2 == 0 ? SIGKILL : SIGTERM);
    const auto began = std::chrono::steady_clock::now();
    vault.start();
    vault.await_status(kPath, 200);
    const long took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                             std::chrono::steady_clock::now() - began)
                             .count();
    slowest_ms = std::max(slowest_ms, took_ms);
    told += fmt::format(" {}", took_ms);
  }

  fmt::print(stderr, "first read after the start, ms:{}\n", told);
  cr_expect_lt(slowest_ms, kFirstReadMaxMs);
}
