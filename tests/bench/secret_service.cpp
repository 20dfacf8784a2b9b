// The store is opened once by a key file; a load is wrk's.
#include "tests/bench/secret_service.h"

#include "controller/store/database.h"
#include "tests/bench/bare_engine.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <netinet/in.h>
#include <regex>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace rowlock::bench {

namespace {

constexpr double kPatienceMs = 60'000;
const int kLoadSeconds = sized(4, 1);

// What it printed. A command that fails ends the program.
std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) {
    give_up("popen: " + command);
  }
  std::string text;
  char part[4096];
  while (std::fgets(part, sizeof part, pipe) != nullptr) {
    text += part;
  }
  if (pclose(pipe) != 0) {
    give_up(command + ": " + text);
  }
  return text;
}

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    give_up("no free port");
  }
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

SecretService::SecretService() : port_(free_port()) {
  const char* binary = std::getenv("ROWLOCK_TEST_BINARY");
  char name[] = "/tmp/rowlock-bench-XXXXXX";
  if (binary == nullptr || mkdtemp(name) == nullptr) {
    give_up("ROWLOCK_TEST_BINARY is not set, or there is no room in /tmp");
  }
  binary_ = binary;
  folder_ = name;
  setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock", 1);
  setenv("ROWLOCK_HOME", folder_.c_str(), 1);
  (void)rowlock("init");
  start({});
  (void)rowlock("secret init --key-file " + key_file());
  output_of(
      fmt::format("sqlite3 {}/desired.db \"INSERT INTO api (listen) VALUES "
                  "('127.0.0.1:{}'); INSERT INTO policy (name, path) VALUES ('p', 'app/*')\"",
                  folder_, port_));
  await("SELECT 1 FROM policy JOIN api");
  output_of("echo s3cret | " + binary_ + " secret put app/db password=- 2>&1");
  const std::string shown = rowlock("--json token create --policy p");
  std::smatch found;
  if (!std::regex_search(shown, found, std::regex(R"(rlk\.[A-Za-z0-9_-]{43})"))) {
    give_up("no token: " + shown);
  }
  token_ = found.str();
}

SecretService::~SecretService() {
  stop();
  std::filesystem::remove_all(folder_);
}

std::string SecretService::rowlock(const std::string& words) const {
  return output_of(binary_ + " " + words + " 2>&1");
}

void SecretService::start(const std::vector<std::string>& options) {
  process_ = fork();
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    const int log = open((folder_ + "/run.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, 2);
    std::vector<std::string> words = {binary_, "run"};
    words.insert(words.end(), options.begin(), options.end());
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    execv(binary_.c_str(), pointers.data());
    _exit(127);
  }
  await_socket();
}

void SecretService::stop() {
  if (process_ > 0) {
    ::kill(process_, SIGTERM);
    waitpid(process_, nullptr, 0);
  }
  process_ = -1;
}

void SecretService::await(const std::string& query) const {
  const Moment from = now();
  while (ms_between(from, now()) < kPatienceMs) {
    auto state = Database::open(folder_ + "/state.db", Database::Mode::read_only);
    if (state.ok()) {
      Database database = std::move(state).value();
      auto rows = database.query(query);
      if (rows.ok() && !rows.value().empty()) {
        return;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  give_up("this did not come within a minute: " + query);
}

double SecretService::reads_per_second(int connections) const {
  const std::string text = output_of(fmt::format(
      "wrk -t1 -c{} -d{}s -H 'X-Vault-Token: {}' http://127.0.0.1:{}/v1/secret/data/app/db",
      connections, kLoadSeconds, token_, port_));
  std::smatch found;
  if (text.find("Non-2xx") != std::string::npos ||
      !std::regex_search(text, found, std::regex(R"(Requests/sec:\s+([\d.]+))"))) {
    give_up("the load came to nothing: " + text);
  }
  return std::strtod(found[1].str().c_str(), nullptr);
}

void SecretService::await_socket() const {
  const Moment from = now();
  while (!std::filesystem::exists(folder_ + "/rowlock.sock")) {
    if (ms_between(from, now()) > kPatienceMs) {
      give_up("rowlock run does not listen");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace rowlock::bench
