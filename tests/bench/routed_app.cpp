// Moments come from the app's own answers, from the engine and from rows: all by the clock of this
// machine, so that they can be compared.
#include "tests/bench/routed_app.h"

#include "controller/adapters/haproxy/haproxy.h"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace rowlock::bench {

namespace {

constexpr int kCount = 2;
constexpr int kAppPort = 8080;
constexpr int kTells = 200;

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// "2026-11-25T01:02:03.123456789Z", as the engine writes it.
std::int64_t ms_of(const std::string& time) {
  std::tm parts{};
  const char* const rest = strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) give_up("no time: " + time);
  return static_cast<std::int64_t>(timegm(&parts)) * 1000 +
         static_cast<std::int64_t>(std::strtod(rest, nullptr) * 1000);
}

// The answer to a GET, head included; empty when there is none.
std::string get(const std::string& address, int port, const std::string& host,
                const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
    (void)!write(fd, request.data(), request.size());
    char bytes[4096];
    for (ssize_t got = 0; (got = read(fd, bytes, sizeof bytes)) > 0;) {
      answer.append(bytes, static_cast<std::size_t>(got));
    }
  }
  close(fd);
  return answer;
}

std::int64_t header(const std::string& answer, const std::string& name) {
  const std::size_t at = answer.find(name + ": ");
  return at == std::string::npos ? 0
                                 : std::strtoll(answer.c_str() + at + name.size() + 2, nullptr, 10);
}

}  // namespace

std::string apps_folder() {
  const char* const binary = std::getenv("ROWLOCK_TEST_BINARY");
  if (binary == nullptr) give_up("ROWLOCK_TEST_BINARY is not set: run `make bench`");
  return std::filesystem::absolute(binary).parent_path().string() + "/apps";
}

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    give_up("no port is free");
  }
  close(fd);
  return ntohs(address.sin_port);
}

RoutedApp::RoutedApp(const std::string& endpoint)
    : engine_(endpoint), service_(endpoint), port_(free_port()) {
  service_.edit_and_converge(fmt::format(
      "BEGIN; INSERT INTO proxy (listen) VALUES ('127.0.0.1:{0}');"
      "INSERT INTO job (name, image, command, count, min_healthy_ms, stop_timeout_ms, "
      "restart_delay_ms) VALUES ('app', '{1}', "
      "'[\"/app/slow_app\",\"{2}\",\"2000\",\"50\",\"one\"]', {3}, 500, 2000, 100);"
      "INSERT INTO job_port (job, label, port) VALUES ('app', 'http', {2});"
      "INSERT INTO job_mount (job, path, type, source, read_only) VALUES "
      "('app', '/app', 'bind', '{4}', 1);"
      "INSERT INTO job_check (job, name, type, port, path, interval_ms) VALUES "
      "('app', 'ready', 'http', 'http', '/ready', 500);"
      "INSERT INTO route (name, host, job, port) VALUES ('app', '{5}', 'app', 'http'); COMMIT;",
      port_, kImage, kAppPort, kCount, apps_folder(), host()));
}

std::string RoutedApp::url() const { return fmt::format("http://127.0.0.1:{}/", port_); }

void RoutedApp::begin_deploy() {
  revision_ = service_.value("SELECT max(id) FROM revision");
  service_.edit(fmt::format("UPDATE job SET restart = {}", ++deploys_));
}

void RoutedApp::await_converged() {
  service_.await_none("SELECT 1 WHERE (SELECT max(id) FROM revision) = " + revision_ +
                      " OR EXISTS (SELECT 1 FROM status WHERE state <> 'converged')");
}

void RoutedApp::deploy() {
  begin_deploy();
  await_converged();
}

void RoutedApp::kill_an_instance() {
  engine_.kill(service_.value(
      "SELECT name FROM route_target WHERE acknowledged = 'ready' AND ended_at_ms IS NULL "
      "ORDER BY ready_at_ms LIMIT 1"));
}

void RoutedApp::cause_reload() {
  service_.edit(
      fmt::format("INSERT OR REPLACE INTO route_header (route, name, value) VALUES "
                  "('app', 'X-Reload', '{}')",
                  wall_ms()));
}

std::vector<FirstRequest> RoutedApp::first_requests() {
  auto state = Database::open(service_.folder() + "/state.db", Database::Mode::read_only);
  Database database = std::move(state).value();
  const auto rows = database.query(
      "SELECT name, address, ready_at_ms FROM route_target "
      "WHERE acknowledged = 'ready' AND ended_at_ms IS NULL");
  std::vector<FirstRequest> all;
  for (const Row& row : rows.value()) {
    if (!told_.insert(row.text("name")).second) continue;
    const std::string answer = get(row.text("address"), kAppPort, host(), "/ready");
    all.push_back(
        {header(answer, "X-Ready-At"), row.integer("ready_at_ms"), header(answer, "X-First-At")});
  }
  return all;
}

double RoutedApp::ms_until_a_dead_instance_is_out() {
  const std::string name = service_.value(
      "SELECT name FROM route_target WHERE acknowledged = 'ready' AND ended_at_ms IS NULL "
      "ORDER BY ready_at_ms LIMIT 1");
  const int slot =
      std::stoi(service_.value("SELECT slot FROM route_target WHERE name = '" + name + "'"));
  HaproxyProxy proxy(service_.folder() + "/proxy", "");
  engine_.kill(name);
  while (true) {
    const auto said = proxy.look("app", slot);
    if (said.ok() && (!said.value().ready || said.value().failing)) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const std::int64_t out_at_ms = wall_ms();
  // The proxy may have noticed before Rowlock did.
  service_.await_none("SELECT 1 FROM route_target WHERE name = '" + name +
                      "' AND ended_at_ms IS NULL");
  const Json container = engine_.get("/containers/" + name + "/json");
  return static_cast<double>(out_at_ms - ms_of(container["State"]["FinishedAt"].as_string()));
}

double RoutedApp::ms_until_the_proxy_is_back() {
  const pid_t process =
      static_cast<pid_t>(std::stol(service_.value("SELECT process FROM proxy_state")));
  const Moment from = now();
  ::kill(process, SIGKILL);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  while (get("127.0.0.1", port_, host(), "/").find("200 OK") == std::string::npos) {
    if (ms_between(from, now()) > 60000) give_up("the proxy does not come back");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return ms_between(from, now()) - 50;  // That long the app takes.
}

Samples RoutedApp::ms_to_tell_the_proxy() {
  HaproxyProxy proxy(service_.folder() + "/proxy", "");
  Samples told;
  ProxySlot free_slot;
  free_slot.number = 4;
  for (int i = 0; i < kTells; ++i) {
    const Moment from = now();
    if (!proxy.set_slot("app", free_slot).ok()) give_up("the proxy does not answer");
    told.add(ms_between(from, now()));
  }
  return told;
}

}  // namespace rowlock::bench
