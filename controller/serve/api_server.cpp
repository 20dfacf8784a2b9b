// The few paths that are Rowlock's own (health, metrics) are answered here; all others go to
// ApiService.
#include "controller/serve/api_server.h"

#include "controller/serve/metrics.h"

#include <cerrno>
#include <cstring>
#include <sys/stat.h>

namespace rowlock {

namespace {

// A pass is due every few seconds; without one for so long the controller is stuck.
constexpr std::int64_t kStuckMs = 60'000;

constexpr mode_t kFolderMode = 0755;  // Within the home, into which others do not come.

HttpResponse plain(int status, std::string text) {
  return {status, "text/plain; charset=utf-8", std::move(text), {}};
}

}  // namespace

ApiServer::ApiServer(Loop& loop, Database& state, const Schema& schema, Secrets& secrets,
                     const Clock& clock, std::function<void()> changed,
                     ApiService::Elsewhere elsewhere)
    : state_(state),
      schema_(schema),
      clock_(clock),
      service_(loop, state, schema, secrets, clock, std::move(changed), std::move(elsewhere)),
      server_(
          loop,
          [this](HttpRequest request, HttpServer::Respond respond) {
            handle(std::move(request), std::move(respond));
          },
          [this](const HttpRequest& head) { return service_.knows(head); }) {}

// The folder stays for ever: what has mounted it sees the next socket in it.
Result<> ApiServer::begin(const Home& home) {
  const std::string folder = home.api_folder();
  struct stat made {};
  const bool is_there = (::mkdir(folder.c_str(), kFolderMode) == 0 || errno == EEXIST) &&
                        ::lstat(folder.c_str(), &made) == 0 && S_ISDIR(made.st_mode) &&
                        ::chmod(folder.c_str(), kFolderMode) == 0;
  if (!is_there) {
    return Error{
        Fault::rejected, Cause::other,
        "make the folder " + folder + ": " + std::strerror(errno == EEXIST ? ENOTDIR : errno),
        "move away what stands there, and let Rowlock's user write into the home"};
  }
  TRY(server_.listen_on_socket(home.socket_path()));
  return server_.listen_for_programs(home.api_socket_path());
}

Result<> ApiServer::follow_setting() {
  const auto listen = TRY(state_.scalar("SELECT listen FROM api_setting"));
  const std::string wanted = text_of(listen);
  if (wanted == listen_) {
    return Done{};
  }
  listen_ = wanted;
  return server_.listen_on_loopback(wanted);
}

HttpResponse ApiServer::ready() {
  auto seen = state_.scalar("SELECT now_ms FROM clock");
  if (!seen.ok()) {
    return plain(503, "[-]state.db " + seen.error().message + "\n");
  }
  const std::int64_t* seen_at_ms = std::get_if<std::int64_t>(&seen.value());
  const bool is_stuck = seen_at_ms == nullptr || *seen_at_ms + kStuckMs < clock_.now_ms();
  return is_stuck ? plain(503, "[-]no pass for over a minute\n") : plain(200, "[+]ok\n");
}

HttpResponse ApiServer::metrics() {
  auto rows = state_.query(*schema_.script("metric.all"));
  if (!rows.ok()) {
    return plain(503, rows.error().message + "\n");
  }
  return {200, std::string(kMetricsContentType), metrics_text(rows.value()), {}};
}

void ApiServer::handle(HttpRequest request, HttpServer::Respond respond) {
  if (request.path == "/livez") {
    respond(plain(200, "ok\n"));
  } else if (request.path == "/readyz" || request.path == "/healthz") {
    respond(ready());
  } else if (request.path == "/metrics") {
    respond(metrics());
  } else {
    service_.handle(std::move(request), std::move(respond));
  }
}

}  // namespace rowlock
