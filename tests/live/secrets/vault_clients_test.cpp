// Clients of Vault, unmodified, against the interface over loopback: the server, the service and
// the store run in this process, the client in another.
#include "controller/adapters/system_clock.h"
#include "controller/serve/api_service.h"
#include "controller/serve/http_server.h"
#include "tests/live/rowlock/rowlock_child.h"
#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <unistd.h>

using rowlock::ApiRig;
using rowlock::ApiService;
using rowlock::HttpRequest;
using rowlock::HttpServer;
using rowlock::Loop;
using rowlock::SystemClock;
using rowlock_live::Child;

namespace {

constexpr int kLookMs = 20;
constexpr int kRoundMaxMs = 60'000;
constexpr int kInstallMaxS = 180;

// The job web may do everything under app/, and its one instance is web-0.
struct ClientRig : ApiRig {
  Loop loop;
  SystemClock clock;
  ApiService service{loop,
                     state,
                     schema,
                     secrets,
                     clock,
                     [] {},
                     [this](std::function<void()> job, std::function<void()> done) {
                       job();
                       loop.post(std::move(done));
                     }};
  HttpServer server{loop, [this](HttpRequest request, HttpServer::Respond respond) {
                      service.handle(std::move(request), std::move(respond));
                    }};
  int port = rowlock_live::port_free_a_moment_ago();
  std::string jwt;
  std::string reader;

  ClientRig() {
    now_ms = clock.now_ms();
    sql("INSERT INTO policy (name, path, capabilities) VALUES "
        "('app', 'app/*', 'create,read,update,patch,delete,list');"
        "INSERT INTO job_policy VALUES ('web', 'app')");
    jwt = identity(instance("web", "web-0"));
    reader = token_for("app/*", "read");
    const auto listening = server.listen_on_loopback(fmt::format("127.0.0.1:{}", port));
    cr_assert(listening.ok(), "%s", listening.ok() ? "" : listening.error().message.c_str());
  }

  // Serves until the client has ended, which must be soon and well.
  void serve(std::vector<std::string> client, const std::vector<std::string>& environment = {}) {
    std::vector<std::string> command = {"/usr/bin/env",
                                        fmt::format("ROWLOCK_ADDR=http://127.0.0.1:{}", port),
                                        "ROWLOCK_JWT=" + jwt, "ROWLOCK_TOKEN=" + reader};
    command.insert(command.end(), environment.begin(), environment.end());
    command.insert(command.end(), client.begin(), client.end());
    const std::string output = folder / "client.log";
    Child child(command, output);
    int waited_ms = 0;
    const auto look = loop.timer();
    look->start_repeating(kLookMs, [&] {
      waited_ms += kLookMs;
      if (child.has_ended() || waited_ms > kRoundMaxMs) {
        loop.stop();
      }
    });
    loop.run();
    cr_expect(child.has_ended(), "the client hangs");
    cr_expect_eq(child.await_end(1), 0, "%s", rowlock_live::file_text(output).c_str());
    cr_assert(secrets.rights.accepted().ok());  // Its rows of policies are the rig's own.
    const auto report = secrets.audit.verify();
    cr_expect(report.ok() && report.value().findings.empty());
    cr_expect(value("SELECT count(*) > 20 FROM audit WHERE actor = 'instance web-0'") == "1");
  }
};

}  // namespace

Test(live_vault_clients, hvac_makes_the_whole_round, .timeout = 120) {
  ClientRig rig;

  rig.serve({"/usr/bin/python3", "tests/live/secrets/vault_clients/hvac_round.py"});
}

// From the registry, since no distribution has it.
Test(live_vault_clients, node_vault_makes_the_whole_round, .timeout = 300) {
  if (access("/usr/bin/npm", X_OK) != 0 || access("/usr/bin/node", X_OK) != 0) {
    cr_skip_test("there is no Node.js here");
  }
  ClientRig rig;
  const std::string log = rig.folder / "npm.log";
  Child install({"/usr/bin/npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
                 "--loglevel=error", "--prefix", rig.folder / "node", "node-vault@0.12.0"},
                log);
  if (install.await_end(kInstallMaxS) != 0) {
    cr_skip_test("node-vault could not be installed: %s", rowlock_live::file_text(log).c_str());
  }

  rig.serve({"/usr/bin/node", "tests/live/secrets/vault_clients/node_round.js"},
            {"NODE_PATH=" + (rig.folder / "node/node_modules")});
}
