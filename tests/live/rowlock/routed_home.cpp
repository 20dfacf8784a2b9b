// The rows, and the folder with the app that their containers mount.
#include "tests/live/rowlock/routed_home.h"

#include "tests/live/haproxy/http_load.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

namespace rowlock_live {

namespace {

constexpr int kAppPort = 8080;

std::string apps_folder() {
  return std::filesystem::absolute(std::getenv("ROWLOCK_TEST_BINARY")).parent_path().string() +
         "/apps";
}

}  // namespace

std::string insert_app(const std::string& job, int count) {
  return insert_job(job, {{"count", std::to_string(count)},
                          {"network", "'bridge'"},
                          {"command", R"('["/app/slow_app","8080","600","30","one"]')"},
                          {"stop_signal", "'SIGTERM'"},
                          {"restart_delay_ms", "100"}}) +
         fmt::format(
             "INSERT INTO job_port (job, label, port) VALUES ('{0}', 'http', {1});"
             "INSERT INTO job_mount (job, path, type, source, read_only) VALUES ('{0}', '/app', "
             "'bind', '{2}', 1);"
             "INSERT INTO job_check (job, name, type, port, path, interval_ms, passes) VALUES "
             "('{0}', 'ready', 'http', 'http', '/ready', 200, 2);",
             job, kAppPort, apps_folder());
}

int route_two_apps(LiveHome& home, const std::string& proxy_columns,
                   const std::string& proxy_values) {
  const int port = port_free_a_moment_ago();
  home.accept(fmt::format("BEGIN; INSERT INTO proxy (listen{}) VALUES ('127.0.0.1:{}'{});",
                          proxy_columns, port, proxy_values) +
              insert_app("app", 2) +
              "INSERT INTO route (name, host, job, port) VALUES ('site', 'site.example.org', "
              "'app', 'http'); COMMIT;");
  return port;
}

void await_served(LiveHome& home, const std::string& job) {
  home.await_converged(job);
  home.await("SELECT state FROM status WHERE kind = 'route'", "converged");
}

}  // namespace rowlock_live
