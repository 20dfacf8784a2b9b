// What a read of a secret costs over HTTP, with its line in the audit log synced before the answer:
// beside what SQLite alone syncs on the same disk in the same run. No engine is needed.
#include "controller/store/database.h"
#include "tests/bench/bare_engine.h"
#include "tests/bench/measures.h"
#include "tests/bench/secret_service.h"

#include <fmt/format.h>

namespace rowlock::bench {

namespace {

const int kCommitsForMs = sized(3000, 100);
const int kRounds = sized(3, 1);
const int kUnseals = sized(10, 1);

double commits_per_second(const std::string& folder) {
  auto opened = Database::open(folder + "/bare.db", Database::Mode::create);
  if (!opened.ok()) {
    give_up(opened.error().message);
  }
  Database bare = std::move(opened).value();
  const auto made = bare.run(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
      "CREATE TABLE IF NOT EXISTS line (seq INTEGER PRIMARY KEY, text TEXT NOT NULL)");
  long count = 0;
  const Moment from = now();
  while (ms_between(from, now()) < kCommitsForMs) {
    if (!made.ok() || !bare.run("INSERT INTO line (text) VALUES (hex(randomblob(100)))").ok()) {
      give_up("the bare database does not take a row");
    }
    ++count;
  }
  return static_cast<double>(count) * 1000 / ms_between(from, now());
}

Figure ratio(const std::string& what, const Samples& reads, const Samples& commits) {
  return {what, fmt::format("{:.2f} ×", reads.median() / commits.median()), "", true,
          fmt::format("{:.0f} reads/s beside {:.0f} bare synced commits/s", reads.median(),
                      commits.median())};
}

Figure time_of(const std::string& what, const Samples& samples) {
  return {what, fmt::format("{:.3g} ms", samples.median()), "", true, samples.text()};
}

}  // namespace

std::vector<Figure> measure_secrets() {
  SecretService service;
  Samples commits;
  Samples one;
  Samples many;
  for (int round = 0; round < kRounds; ++round) {
    commits.add(commits_per_second(service.folder()));
    one.add(service.reads_per_second(1));
    many.add(service.reads_per_second(32));
  }
  Samples given;
  Samples started;
  for (int i = 0; i < kUnseals; ++i) {
    (void)service.rowlock("secret seal");
    Moment from = now();
    (void)service.rowlock("secret unseal --key-file " + service.key_file());
    given.add(ms_between(from, now()));
    (void)service.rowlock("secret seal");
    service.stop();
    from = now();
    service.start({"--unseal-key-file", service.key_file()});
    service.await("SELECT 1 FROM seal WHERE state = 'open'");
    started.add(ms_between(from, now()));
  }
  return {ratio("secret reads, 1 connection, per bare synced commit", one, commits),
          ratio("secret reads, 32 connections, per bare synced commit", many, commits),
          time_of("start of rowlock run until a key file has unsealed", started),
          time_of("rowlock secret unseal with the key, as a command", given)};
}

}  // namespace rowlock::bench
