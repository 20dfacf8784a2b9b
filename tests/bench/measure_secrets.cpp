// The secret store: reads over HTTP with the audit log on, beside what SQLite can commit bare in
// the same folder, and how long it takes until it is open.
#include "controller/adapters/socket_client.h"
#include "controller/base/json.h"
#include "controller/store/database.h"
#include "tests/bench/measures.h"
#include "tests/bench/service.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <unistd.h>

namespace rowlock::bench {

namespace {

constexpr int kRounds = 3;
constexpr int kOpenings = 10;
constexpr int kRoundS = 3;
constexpr std::int64_t kDeadlineMs = 30'000;

std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) {
    give_up("cannot run " + command);
  }
  std::string text;
  std::array<char, 4096> part{};
  for (std::size_t n = 0; (n = fread(part.data(), 1, part.size(), pipe)) > 0;) {
    text.append(part.data(), n);
  }
  if (pclose(pipe) != 0) {
    give_up(command + ": " + text);
  }
  return text;
}

double bare_commits_per_s(const std::string& folder) {
  auto opened = Database::open(folder + "/bare.db", Database::Mode::create);
  if (!opened.ok()) {
    give_up(opened.error().message);
  }
  Database bare = std::move(opened).value();
  (void)bare.query("PRAGMA journal_mode=WAL").ok();
  (void)bare.query("PRAGMA synchronous=FULL").ok();
  (void)bare.run("CREATE TABLE IF NOT EXISTS t (a)").ok();
  const Moment begin = now();
  int commits = 0;
  while (ms_between(begin, now()) < kRoundS * 1000) {
    (void)bare.run("INSERT INTO t VALUES (:a)", {{"a", std::int64_t{commits++}}}).ok();
  }
  return commits / (ms_between(begin, now()) / 1000);
}

double reads_per_s(const std::string& address, const std::string& token, int connections) {
  const std::string told =
      output_of(fmt::format("hey -z {}s -c {} -H 'X-Vault-Token: {}' "
                            "http://{}/v1/secret/data/db/prod",
                            kRoundS, connections, token, address));
  const auto at = told.find("Requests/sec:");
  if (at == std::string::npos || told.find("[200]") == std::string::npos) {
    give_up("hey: " + told);
  }
  return std::atof(told.c_str() + at + 13);
}

// Until a secret can be read.
double ms_until_read(const std::string& socket, Moment begin) {
  while (ms_between(begin, now()) < kDeadlineMs) {
    const auto answer = ask(socket, "GET", "/v1/secret/data/db/prod", "", {}, kDeadlineMs);
    if (answer.ok() && answer.value().status == 200) {
      return ms_between(begin, now());
    }
    usleep(1000);
  }
  give_up("the store does not open");
}

}  // namespace

std::vector<Figure> measure_secrets(const std::string& endpoint) {
  Service service(endpoint);
  const std::string binary = std::getenv("ROWLOCK_TEST_BINARY");
  const std::string verb = "ROWLOCK_HOME=" + service.folder() + " " + binary + " ";
  const std::string key = service.folder() + "/key";
  const std::string socket = service.folder() + "/rowlock.sock";
  output_of(verb + "secret init --shares 1 --threshold 1 --key-file " + key + " 2>&1");
  output_of("printf s3cret | env " + verb + "secret put db/prod password 2>&1");
  const std::string address = "127.0.0.1:18299";
  service.edit(
      "INSERT INTO policy (name, path) VALUES ('bench', 'db/*');"
      "INSERT INTO api (listen) VALUES ('" +
      address + "');");
  service.await_none("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM api)");
  usleep(500'000);
  std::string token = output_of(verb + "token create --policy bench --ttl 1h 2>/dev/null");
  token.erase(token.find_last_not_of('\n') + 1);

  Samples bare, one, many;
  for (int i = 0; i < kRounds; ++i) {
    bare.add(bare_commits_per_s(service.folder()));
    one.add(reads_per_s(address, token, 1));
    many.add(reads_per_s(address, token, 32));
  }
  Samples at_start, by_hand;
  setenv("ROWLOCK_UNSEAL_KEY_FILE", key.c_str(), 1);
  for (int i = 0; i < kOpenings; ++i) {
    service.stop();
    const Moment begin = now();
    service.start();
    at_start.add(ms_until_read(socket, begin));
    output_of(verb + "secret seal 2>&1");
    const Moment given = now();
    output_of(verb + "secret unseal --key-file " + key + " 2>&1");
    by_hand.add(ms_until_read(socket, given));
  }
  unsetenv("ROWLOCK_UNSEAL_KEY_FILE");
  const double ratio = many.median() / bare.median();
  return {{"secret reads/s, 32 connections, over bare synced commits/s",
           fmt::format("{:.2f}", ratio), "1.00", ratio >= 1,
           fmt::format("{:.0f} reads/s; {:.0f} commits/s; one connection: {:.0f} reads/s",
                       many.median(), bare.median(), one.median())},
          at_most("start with a key file until the first read", at_start.median(), 1000, "ms",
                  at_start.text()),
          at_most("secret unseal by the command line, until the first read", by_hand.median(), 1000,
                  "ms", by_hand.text())};
}

}  // namespace rowlock::bench
