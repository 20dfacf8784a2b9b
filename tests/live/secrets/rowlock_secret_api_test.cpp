// The secret API from inside a container, by its socket: tokens alone count there, whoever the
// program is; and the operator's socket knows a container when it sees one.
#include "controller/adapters/docker/docker_engine.h"
#include "controller/base/json.h"
#include "tests/live/secrets/secret_home.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <filesystem>
#include <unistd.h>

using namespace rowlock;
using namespace rowlock_live;

namespace {

constexpr std::int64_t kEngineMs = 30'000;
constexpr const char* kInside = "/run/rowlock/api.sock";

std::string apps_folder() {
  const std::filesystem::path binary = std::getenv("ROWLOCK_TEST_BINARY");
  return std::filesystem::absolute(binary).parent_path().string() + "/apps";
}

std::string body_of(const std::string& answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

// Status line, head and body, as a program in the container gets them from the socket.
std::string asked_inside(SecretHome& home, const std::string& container, const std::string& socket,
                         const std::string& method, const std::string& path,
                         const std::string& token = "", const std::string& body = "") {
  const std::string script = fmt::format(
      "printf '%s' '{} {} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{}Content-Length: "
      "{}\r\n\r\n{}' | /app/socket_cat {}",
      method, path, token.empty() ? "" : "X-Vault-Token: " + token + "\r\n", body.size(), body,
      socket);
  const auto ran = home.runtime().exec(container, {"sh", "-c", script}, kEngineMs);
  require(ran.ok(), ran.ok() ? "" : ran.error().message);
  return ran.value().output;
}

std::string logged_in(SecretHome& home, const std::string& container) {
  const auto jwt = home.runtime().exec(container, {"cat", "/run/secrets/rowlock.jwt"}, kEngineMs);
  require(jwt.ok(), "its identity");
  const std::string answer =
      asked_inside(home, container, kInside, "POST", "/v1/auth/jwt/login", "",
                   fmt::format(R"({{"role":"app","jwt":"{}"}})", jwt.value().output));
  const auto parsed = Json::parse(body_of(answer));
  require(parsed.ok(), answer);
  return parsed.value()["auth"]["client_token"].as_string();
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A container that somebody started by hand, with a file of the machine in it.
class ByHand {
 public:
  ByHand(SecretHome& home, const std::string& bind) : home_(home) {
    const std::string body =
        fmt::format(R"({{"Image":"{}","Cmd":["sleep","300"],"User":"0","HostConfig":)"
                    R"({{"Binds":["{}","{}:/app:ro"]}}}})",
                    kImage, bind, apps_folder());
    DockerEngine engine(engine_endpoint(), kEngineMs);
    DockerRequest request;
    request.method = "POST";
    request.path = "/containers/create?name=" + name();
    request.body = body;
    request.deadline_ms = kEngineMs;
    require(engine.call("create", request).ok(), "create a container by hand");
    home.ask_engine("POST", "/containers/" + name() + "/start");
  }
  ~ByHand() {
    try {
      home_.ask_engine("DELETE", "/containers/" + name() + "?force=1");
    } catch (const std::exception&) {
    }
  }
  ByHand(const ByHand&) = delete;
  ByHand& operator=(const ByHand&) = delete;

  static std::string name() { return "rowlock-live-by-hand-" + std::to_string(::getpid()); }

 private:
  SecretHome& home_;
};

void insert_app(SecretHome& home) {
  home.put("db/prod", "s3cret");
  home.accept("BEGIN;" + insert_job("app", {{"secrets_api", "1"}, {"user", "'0'"}}) +
              insert_secret("app") +
              "INSERT INTO job_mount (job, path, type, source, read_only) VALUES ('app', '/app', "
              "'bind', '" +
              apps_folder() + "', 1); COMMIT;");
  home.await_converged("app");
}

}  // namespace

Test(live_rowlock_secret_api, a_container_reads_by_its_socket_with_a_token_and_not_without,
     .timeout = 200) {
  SecretHome home;
  insert_app(home);
  const std::string app = home.running("app").front().name;

  const std::string without = asked_inside(home, app, kInside, "GET", "/v1/secret/data/db/prod");
  cr_expect(has(without, "HTTP/1.1 403"), "%s", without.c_str());
  const std::string token = logged_in(home, app);
  const std::string with =
      asked_inside(home, app, kInside, "GET", "/v1/secret/data/db/prod", token);
  cr_expect(has(with, "HTTP/1.1 200") && has(with, "s3cret"), "%s", with.c_str());
  const std::string other = asked_inside(home, app, kInside, "GET", "/v1/secret/data/x", token);
  cr_expect(has(other, "HTTP/1.1 403"), "%s", other.c_str());
  const std::string init = asked_inside(home, app, kInside, "POST", "/v1/sys/seal");
  cr_expect(has(init, "HTTP/1.1 403"), "%s", init.c_str());

  home.kill();
  home.restart_open();
  const std::string later =
      asked_inside(home, app, kInside, "GET", "/v1/secret/data/db/prod", logged_in(home, app));
  cr_expect(has(later, "s3cret"), "the next controller's socket is in its folder: %s",
            later.c_str());
  cr_expect(home.running("app").front().name == app);
}

Test(live_rowlock_secret_api, the_operators_socket_knows_a_container, .timeout = 200) {
  SecretHome home;
  insert_app(home);
  const std::string socket = home.folder() + "/rowlock.sock";
  {
    const ByHand stranger(home, socket + ":/s");
    const std::string answer =
        asked_inside(home, ByHand::name(), "/s", "GET", "/v1/secret/data/db/prod");
    cr_expect(has(answer, "HTTP/1.1 403"), "%s", answer.c_str());
  }
  cr_expect_eq(home.ask("GET", "/v1/secret/data/db/prod").status, 200, "who is none is heard");

  home.edit("INSERT INTO job_mount (job, path, type, source) VALUES ('app', '/s', 'bind', '" +
            socket + "')");
  home.await("SELECT count(*) FROM violation WHERE message LIKE '%Rowlock itself lives%'", "1");
}
