// The recovery drill: the machine is gone, and what is left is a bucket and an age identity. A new
// home is made of the bucket, the platform converges on it, and the database is what it was.
#include "controller/adapters/process/command.h"
#include "tests/backup/backup_files.h"
#include "tests/live/postgres/postgres_rig.h"
#include "tests/live/rowlock/rowlock_home.h"
#include "tests/live/s3/swift_rig.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>

using namespace rowlock;
using namespace rowlock_live;
namespace fs = std::filesystem;

namespace {

constexpr char kContent[] = "SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM pupil AS p";

long ms_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               began)
      .count();
}

std::string shell(const std::string& script) {
  const auto ran = run_command({"/bin/bash", "-c", script}, 10'000);
  require(ran.ok() && ran.value().exit_code == 0, script);
  return ran.value().output;
}

void must(const LiveHome& home, const std::vector<std::string>& verb) {
  int code = 0;
  const std::string said = home.verb(verb, &code);
  require(code == 0, verb[0] + ": " + said);
}

// The store of the bucket, with its keys in the secret store, a policy and a job.
void fill(LiveHome& home, const TempFolder& folder, const StoreAddress& bucket,
          const std::string& url) {
  write(folder / "access", bucket.access_key_id);
  write(folder / "secret", std::string(bucket.secret_access_key->view()));
  must(home, {"secret", "put", "store/s3", "access_key_id=@" + (folder / "access"),
              "secret_access_key=@" + (folder / "secret")});
  home.accept(fmt::format(
      "INSERT INTO object_store (name, url, endpoint, region, secret, recipients, identity_file) "
      "VALUES ('bucket', '{}', '{}', '{}', 'store/s3', '[\"{}\"]', '{}');"
      "INSERT INTO database (name, url) VALUES ('app', '{}');"
      "INSERT INTO backup_policy (name, database, store) VALUES ('app', 'app', 'bucket'); {}",
      bucket.url, bucket.endpoint, bucket.region, kRecipients[0], std::string(folder / "identity"),
      url, insert_job("web", {{"count", "2"}})));
}

// All but the bucket, the identity, and the unseal key on its paper.
void lose_everything(LiveHome& home, const PostgresRig& server) {
  home.kill();
  for (const Container& container : home.containers()) {
    (void)home.runtime().remove(container.name).ok();
  }
  home.forget_claim();
  require(server.ask("DROP DATABASE app", "postgres").empty(), "it could not be dropped");
  for (const auto& each : fs::directory_iterator(home.folder())) fs::remove_all(each.path());
}

}  // namespace

Test(live_rowlock_drill, from_a_bucket_and_an_identity_to_a_converged_platform, .timeout = 600) {
  SwiftRig swift;
  PostgresRig server;
  TempFolder folder;
  LiveHome home;
  swift.make_bucket("drill");
  const StoreAddress bucket = swift.address("drill");
  const std::string url = fmt::format("postgresql://postgres@/app?host={}&port={}",
                                      server.socket_folder(), server.port());
  write_private(folder / "identity", kIdentities[0] + "\n");
  ::setenv("AWS_ACCESS_KEY_ID", bucket.access_key_id.c_str(), 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", std::string(bucket.secret_access_key->view()).c_str(), 1);
  require(server
              .ask("CREATE TABLE pupil (id int PRIMARY KEY, name text); INSERT INTO pupil "
                   "SELECT i, 'pupil ' || i FROM generate_series(1, 20000) AS i")
              .empty(),
          "the table could not be made");
  const std::string content = server.ask(kContent);
  home.start_and_reach();
  const std::string key_file = home.folder() + ".key";
  must(home, {"secret", "init", "--shares", "1", "--threshold", "1", "--key-file", key_file});
  fill(home, folder, bucket, url);
  home.await_converged("web");
  home.await("SELECT count(*) FROM status WHERE kind = 'backup' AND state = 'converged'", "2", 120);
  // What was written since the home was copied is in its next copy.
  must(home, {"backup", "home"});
  const std::string id = home.state("SELECT id FROM home");
  lose_everything(home, server);

  const auto began = std::chrono::steady_clock::now();
  must(home, {"recover", "--from", bucket.url, "--endpoint", bucket.endpoint, "--region",
              bucket.region, "--identity", folder / "identity"});
  const long recovered_ms = ms_since(began);
  ::setenv("ROWLOCK_UNSEAL_KEY_FILE", key_file.c_str(), 1);
  home.start();
  home.await("SELECT state FROM seal WHERE since_ms > 0", "open");
  home.await_exactly("web", 2);
  home.await_converged("web");
  const long converged_ms = ms_since(began);
  cr_expect(home.state("SELECT id FROM home") == id);
  must(home, {"restore", "app", "--into", url});
  cr_expect(server.ask(kContent) == content);
  const long restored_ms = ms_since(began);
  home.await("SELECT count(*) FROM status WHERE kind = 'backup' AND state = 'converged'", "2", 120);

  ::unsetenv("ROWLOCK_UNSEAL_KEY_FILE");
  fs::remove(key_file);
  fmt::print(stderr,
             "drill: home made after {} ms, jobs run after {} ms, the database after {} ms\n",
             recovered_ms, converged_ms, restored_ms);
}

Test(live_rowlock_drill, a_large_database_goes_to_a_bucket_and_back_in_little_memory,
     .timeout = 600) {
  SwiftRig swift;
  PostgresRig server;
  TempFolder folder;
  LiveHome home;
  swift.make_bucket("large");
  write_private(folder / "identity", kIdentities[0] + "\n");
  for (const char* table : {"one", "two", "three"}) {
    require(server
                .ask(fmt::format("CREATE TABLE {} AS SELECT i AS id, md5(i::text) AS a, "
                                 "md5((-i)::text) AS b, md5(i || 'x') AS c "
                                 "FROM generate_series(1, 600000) AS i",
                                 table))
                .empty(),
            "the tables could not be made");
  }
  home.start_and_reach();
  must(home, {"secret", "init", "--shares", "1", "--threshold", "1", "--key-file",
              home.folder() + ".key"});
  fill(home, folder, swift.address("large"),
       fmt::format("postgresql://postgres@/app?host={}&port={}", server.socket_folder(),
                   server.port()));
  const auto peak_mib = [&] {
    return std::stol(shell(
        fmt::format("awk '/VmHWM/ {{ print int($2 / 1024) }}' /proc/{}/status", home.process())));
  };
  const std::string states =
      "SELECT state FROM backup WHERE policy = 'app' ORDER BY id DESC LIMIT 1";
  home.await(states, "verified", 300);
  const long whole_mib = peak_mib();
  home.accept("UPDATE backup_policy SET jobs = 3 WHERE name = 'app'");
  must(home, {"backup", "app"});
  home.await(states, "verified", 300);
  const long parts_mib = peak_mib();

  fs::remove(home.folder() + ".key");
  fmt::print(stderr, "memory: {} MB backed up in {} MiB, by three jobs in {} MiB\n",
             home.state("SELECT max(dump_bytes) / 1000000 FROM backup"), whole_mib, parts_mib);
  // 64 are aimed at; 65 and 66 were had in four runs.
  cr_expect_lt(whole_mib, 72);
  cr_expect_lt(parts_mib, 80);
}
