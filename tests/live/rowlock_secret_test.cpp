// Secrets with everything real: containers, folders in memory, the audit log. Values of our own,
// the canaries, are sent through all that Rowlock does, and then looked for wherever they must not
// be.
#include "controller/crypto/encoding.h"
#include "tests/live/http_load.h"
#include "tests/live/rowlock_home.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

using namespace rowlock;
using namespace rowlock_live;

namespace {

namespace fs = std::filesystem;

// How many versions go through; ROWLOCK_CANARY_DEPLOYS=100 for the whole of it.
int deploys() {
  const char* const given = std::getenv("ROWLOCK_CANARY_DEPLOYS");
  return given != nullptr ? std::atoi(given) : 8;
}

std::string new_canary() {
  static std::random_device dice;
  std::string canary = "CANARY";
  for (int i = 0; i < 36; ++i) canary += "abcdefghijklmnopqrstuvwxyz234567"[dice() % 32];
  return canary;
}

// All the ways in which it might stand somewhere.
std::vector<std::string> forms_of(const std::string& canary) {
  std::string upper = to_hex(canary);
  std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
  std::vector<std::string> forms = {canary, to_hex(canary), upper};
  for (std::size_t shift = 0; shift < 3; ++shift) {
    const std::string whole = to_base64(canary.substr(shift));
    forms.push_back(whole.substr(0, whole.size() - 4));  // What follows may be another's.
  }
  return forms;
}

class SecretHome : public LiveHome {
 public:
  SecretHome() {
    key_ = folder() + ".key";
    start_and_reach();
    must("secret init",
         {"secret", "init", "--shares", "1", "--threshold", "1", "--key-file", key_});
    ::setenv("ROWLOCK_UNSEAL_KEY_FILE", key_.c_str(), 1);
  }
  ~SecretHome() {
    ::unsetenv("ROWLOCK_UNSEAL_KEY_FILE");
    std::error_code ignored;
    fs::remove(key_, ignored);
    fs::remove_all(memory(), ignored);
  }

  void put(const std::string& path, const std::string& value) {
    const std::string file = "/dev/shm/rowlock-put." + std::to_string(::getpid());
    std::ofstream(file) << value;
    must("put", {"secret", "put", path, "password=@" + file});
    fs::remove(file);
  }
  std::string must(const std::string& what, const std::vector<std::string>& arguments) {
    int code = 0;
    const std::string answer = verb(arguments, &code);
    require(code == 0, what + ": " + answer);
    return answer;
  }
  // Where its folders are, as doctor says.
  std::string memory() {
    const std::string told = verb({"doctor"});
    const auto at = told.find("in memory, in ");
    return at == std::string::npos ? "" : told.substr(at + 14, told.find('\n', at) - at - 14);
  }
  // What an instance's folder holds.
  std::string held(const std::string& instance, const std::string& file) {
    return file_text(memory() + "/" + instance + "/" + file);
  }
  const std::string& key_file() const { return key_; }

 private:
  std::string key_;
};

std::string insert_secrets(const std::string& job, const std::string& on_change = "restart") {
  return "INSERT OR IGNORE INTO policy (name, path) VALUES ('all', 'db/*');"
         "INSERT INTO job_policy VALUES ('" +
         job +
         "', 'all');"
         "INSERT INTO job_secret (job, path, key, name, on_change) VALUES ('" +
         job + "', 'db/prod', 'password', 'pw', '" + on_change + "');";
}

// The memory of a process, part by part.
bool is_in_memory(pid_t process, const std::vector<std::string>& needles, std::string& where) {
  std::ifstream maps("/proc/" + std::to_string(process) + "/maps");
  std::ifstream memory("/proc/" + std::to_string(process) + "/mem", std::ios::binary);
  for (std::string line; std::getline(maps, line);) {
    if (line.find("[v") != std::string::npos) continue;
    char* end = nullptr;
    const unsigned long begin = std::strtoul(line.c_str(), &end, 16);
    const unsigned long past = std::strtoul(end + 1, nullptr, 16);
    std::string part(past - begin, '\0');
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(begin));
    memory.read(part.data(), static_cast<std::streamsize>(part.size()));
    for (const std::string& needle : needles) {
      if (part.find(needle) != std::string::npos) {
        where = line;
        return true;
      }
    }
  }
  return false;
}

// Processes of this machine that are in no container, in their arguments and their environment.
void expect_clean_processes(const std::vector<std::string>& needles) {
  const auto own = fs::read_symlink("/proc/self/ns/mnt");
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    std::error_code gone;
    const bool is_here = name.find_first_not_of("0123456789") == std::string::npos &&
                         fs::read_symlink(entry.path() / "ns/mnt", gone) == own;
    if (!is_here) continue;
    const std::string text =
        file_text(entry.path() / "cmdline") + file_text(entry.path() / "environ");
    for (const std::string& needle : needles) {
      cr_expect(text.find(needle) == std::string::npos, "process %s shows one", name.c_str());
    }
  }
}

void expect_clean(const std::string& what, const std::string& text,
                  const std::vector<std::string>& needles) {
  for (const std::string& needle : needles) {
    cr_expect(text.find(needle) == std::string::npos, "%s shows one", what.c_str());
  }
}

// Version after version, with a controller that is killed now and then. Returns what the verbs say
// in the end.
std::string send_through(SecretHome& home, std::vector<std::string>& canaries) {
  std::string told;
  for (int i = 0; i < deploys(); ++i) {
    canaries.push_back(new_canary());
    home.put("db/prod", canaries.back());
    home.await(
        "SELECT count(*) FROM secret_use WHERE job = 'app' AND until_ms IS NULL AND version "
        "= " +
            std::to_string(canaries.size()) +
            " AND holder IN (SELECT name FROM instance "
            "WHERE run = 1 AND container = 'running')",
        "2");
    home.await_converged("app");
    if (i % 3 == 2) {
      home.kill();
      home.start();
      await_answer(
          "it opens by itself",
          [&] {
            return home.verb({"secret", "get", "db/prod", "--key", "password"});
          },
          canaries.back(), [&] { return home.story(); });
    }
  }
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"status", "--json"},
                                             {"why", "app"},
                                             {"why", "bad"},
                                             {"events", "--limit", "1000"},
                                             {"doctor"},
                                             {"plan"},
                                             {"audit", "--limit", "1000"},
                                             {"audit", "verify"}}) {
    told += home.verb(verb);
  }
  return told;
}

void look_everywhere(SecretHome& home, const std::string& told,
                     const std::vector<std::string>& needles) {
  expect_clean("a verb", told, needles);
  expect_clean("the log", home.log(), needles);
  for (const Container& container : home.containers()) {
    expect_clean("docker inspect", home.inspect(container.name).text(), needles);
  }
  for (const auto& entry : fs::recursive_directory_iterator(home.folder())) {
    if (entry.is_regular_file()) expect_clean(entry.path(), file_text(entry.path()), needles);
  }
  expect_clean_processes(needles);
}

}  // namespace

Test(live_rowlock_secret, a_canary_is_in_its_instances_folder_and_nowhere_else, .timeout = 900) {
  SecretHome home;
  std::vector<std::string> canaries = {new_canary()};
  home.put("db/prod", canaries.back());
  home.accept("BEGIN;" + insert_job("app", {{"count", "2"}}) + insert_secrets("app") +
              "INSERT INTO job_secret (job, path, key, \"as\", name) VALUES ('app', 'db/prod', "
              "'password', 'env', 'PW');"
              "INSERT INTO job_template (job, name, text) VALUES ('app', 'conf', 'p={{ secret "
              "\"db/prod\" \"password\" }}');" +
              insert_job("bad", {{"command", R"('["no-such-program"]')"}}) + insert_secrets("bad") +
              "COMMIT;");
  home.await_converged("app");
  const std::string told = send_through(home, canaries);
  std::vector<std::string> needles;
  for (const std::string& canary : canaries) {
    for (std::string& form : forms_of(canary)) needles.push_back(std::move(form));
  }

  const std::string instance = home.state(
      "SELECT min(name) FROM instance WHERE run = 1 AND job = "
      "'app'");
  cr_expect(home.held(instance, "pw") == canaries.back());
  cr_expect(home.held(instance, "conf") == "p=" + canaries.back());
  look_everywhere(home, told, needles);
  std::string where;
  cr_expect(!is_in_memory(home.process(), needles, where), "while it is open: %s", where.c_str());
  home.must("seal", {"secret", "seal"});
  home.await("SELECT state FROM seal", "sealed");
  cr_expect(!is_in_memory(home.process(), needles, where), "sealed: %s", where.c_str());

  home.must("unseal", {"secret", "unseal", "--key-file", home.key_file()});
  const std::string memory = home.memory();
  home.accept_deletion("DELETE FROM job", "job", 2);
  home.await("SELECT count(*) FROM delivery", "0");
  cr_expect(!fs::exists(memory) || fs::is_empty(memory), "left in %s", memory.c_str());
  home.await("SELECT count(*) FROM secret_use WHERE until_ms IS NULL", "0");
}

Test(live_rowlock_secret, a_sealed_start_keeps_what_runs_and_holds_back_what_needs_a_secret,
     .timeout = 200) {
  SecretHome home;
  home.put("db/prod", "s3cret");
  home.accept("BEGIN;" + insert_job("app") + insert_secrets("app") + "COMMIT;");
  home.await_converged("app");
  const std::string runs = home.identity("app");

  ::unsetenv("ROWLOCK_UNSEAL_KEY_FILE");
  home.stop();
  home.start();
  home.await("SELECT detail FROM status WHERE name = 'secrets'", "sealed: rowlock secret unseal");
  home.accept(
      "UPDATE job SET count = 2; INSERT INTO job (name, image, command, min_healthy_ms) "
      "SELECT 'plain', image, command, 0 FROM job");
  home.await_why("app", "the secret store is sealed");
  home.await_converged("plain");
  cr_expect(home.identity("app") == runs);
  cr_expect_eq(home.running("app").size(), 1);

  home.must("unseal", {"secret", "unseal", "--key-file", home.key_file()});
  home.await_converged("app");
  cr_expect_eq(home.running("app").size(), 2);
}

Test(live_rowlock_secret, a_rotation_of_ten_instances_fails_no_request, .timeout = 600) {
  SecretHome home;
  home.put("db/prod", "version-1");
  const int port = port_free_a_moment_ago();
  const std::string apps =
      fs::absolute(std::getenv("ROWLOCK_TEST_BINARY")).parent_path().string() + "/apps";
  home.accept(
      "BEGIN; INSERT INTO proxy (listen) VALUES ('127.0.0.1:" + std::to_string(port) + "');" +
      insert_job("app", {{"count", "10"},
                         {"network", "'bridge'"},
                         {"max_parallel", "2"},
                         {"update_order", "'stop_first'"},
                         {"command", R"('["/app/slow_app","8080","300","10","one"]')"},
                         {"stop_signal", "'SIGTERM'"}}) +
      insert_secrets("app") +
      "INSERT INTO job_port (job, label, port) VALUES ('app', 'http', 8080);"
      "INSERT INTO job_mount (job, path, type, source, read_only) VALUES ('app', '/app', "
      "'bind', '" +
      apps +
      "', 1);"
      "INSERT INTO job_check (job, name, type, port, path, interval_ms, passes) VALUES "
      "('app', 'ready', 'http', 'http', '/ready', 200, 2);"
      "INSERT INTO route (name, host, job, port) VALUES ('site', 'site.example.org', 'app', "
      "'http'); COMMIT;");
  home.await_converged("app");
  home.await("SELECT state FROM status WHERE kind = 'route'", "converged");

  HttpLoad load("127.0.0.1", port, "site.example.org", 4);
  home.put("db/prod", "version-2");
  int least = 10;
  for (bool is_over = false; !is_over;) {
    least = std::min(least, std::atoi(home.state("SELECT count(*) FROM route_target WHERE "
                                                 "acknowledged = 'ready'")
                                          .c_str()));
    // The folder first: what is in it is in the ledger by then.
    for (const auto& folder : fs::directory_iterator(home.memory())) {
      const std::string name = folder.path().filename();
      const std::string held = home.held(name, "pw");
      if (held.empty()) continue;  // It is being made, or has just gone.
      const std::string ledger = home.state(
          "SELECT 'version-' || version FROM secret_use WHERE "
          "holder = '" +
          name + "'");
      cr_expect(ledger.find(held) != std::string::npos, "%s holds %s, the ledger says %s",
                name.c_str(), held.c_str(), ledger.c_str());
    }
    is_over =
        home.state("SELECT count(*) FROM secret_use WHERE until_ms IS NULL AND version = 2") ==
            "10" &&
        home.state("SELECT state FROM status WHERE name = 'app'") == "converged";
    ::usleep(200'000);
  }
  load.stop();

  cr_expect_eq(load.failed(), 0, "%s", load.first_failure().c_str());
  cr_expect_gt(load.requests(), 100);
  cr_expect_geq(least, 8, "max_parallel is 2, and %d were ready", least);
  fmt::print(stderr, "rotation: {} requests, {} failed, at least {} of 10 ready\n", load.requests(),
             load.failed(), least);
}
