// Pauses between tries are not waited for: end_pauses() ends them in the rows of state.db, while no
// controller runs. All else takes the time that it takes.
#include "tests/live/backups/backup_faults_rig.h"

#include "controller/adapters/process/command.h"
#include "controller/store/database.h"
#include "tests/backup/backup_files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <utility>

using namespace rowlock;

namespace rowlock_live {

namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = "school";
constexpr std::int64_t kCommandMs = 60'000;
constexpr int kRowsPerMegabyte = 977;  // Of 1 KiB.
constexpr std::size_t kSentenceBytesMax = 500;

std::string quoted(const std::string& text) { return "'" + text + "'"; }

bool is_one_sentence(const std::string& text) {
  return !text.empty() && text.size() < kSentenceBytesMax && text.find('\n') == std::string::npos &&
         text.find(". ") == std::string::npos;
}

bool shell_succeeds(const std::string& script) {
  const auto ran = run_command({"/bin/bash", "-c", "set -o pipefail; " + script}, kCommandMs);
  return ran.ok() && ran.value().exit_code == 0;
}

}  // namespace

BackupFaultsRig::BackupFaultsRig(int megabytes) {
  write_private(folder / "identity", kIdentities[0] + "\n");
  write(folder / "access", "AKIDEXAMPLE");
  write(folder / "key", "TellNobody");
  home.must({"secret", "put", "store/s3", "access_key_id=@" + (folder / "access"),
             "secret_access_key=@" + (folder / "key")});
  const std::string said = server.ask(fmt::format(
      "CREATE TABLE noise AS SELECT i, (SELECT string_agg(uuid_send(gen_random_uuid()), ''::bytea) "
      "FROM generate_series(1, 64) WHERE i > 0) AS bytes FROM generate_series(1, {}) AS i",
      megabytes * kRowsPerMegabyte));
  require(said.empty(), "the table could not be made: " + said);
  // A test holds several at a time, on one server.
  home.accept("INSERT INTO backup_limit (runs, runs_per_server) VALUES (20, 20)");
}

void BackupFaultsRig::copy_database(const std::string& name) {
  const std::string said = server.ask("CREATE DATABASE " + name + " TEMPLATE app", "postgres");
  require(said.empty(), "a database could not be copied: " + said);
}

StandInS3& BackupFaultsRig::add(const std::string& policy, const std::string& database,
                                const std::map<std::string, std::string>& columns) {
  Bucket& bucket = buckets_[policy];
  bucket.s3 = std::make_unique<StandInS3>();
  const StoreAddress address = bucket.s3->address(kPrefix);
  std::map<std::string, std::string> all = {
      {"name", quoted(policy)},  {"database", quoted(database)},
      {"store", quoted(policy)}, {"keep_last", "1"},
      {"keep_daily", "0"},       {"keep_weekly", "0"},
      {"keep_monthly", "0"},     {"verify_database", quoted(database)}};
  for (const auto& [column, value] : columns) all[column] = value;
  home.accept(fmt::format(
      "INSERT INTO object_store (name, url, endpoint, secret, recipients, identity_file) VALUES "
      "('{}', '{}', '{}', 'store/s3', '[\"{}\"]', '{}'); {} "
      "INSERT OR IGNORE INTO backup_policy (name, kind, store, enabled) VALUES "
      "('home', 'home', '{}', 0); {}",
      policy, address.url, address.endpoint, kRecipients[0], identity(), insert_database(database),
      policy, insert_row("backup_policy", all)));
  return *bucket.s3;
}

void BackupFaultsRig::await_first() {
  for (auto& [policy, bucket] : buckets_) {
    await_newest(policy, "state", "verified");
    const auto objects = bucket.s3->objects();
    require(objects.size() == 1, policy + " has not one object");
    bucket.key = objects.begin()->first;
    bucket.bytes = objects.begin()->second;
  }
}

std::string BackupFaultsRig::insert_database(const std::string& name) const {
  return fmt::format(
      "INSERT OR IGNORE INTO database (name, url) VALUES "
      "('{}', 'postgresql://postgres@/{}?host={}&port={}');",
      name, name, server.socket_folder(), server.port());
}

// ---- What is asked of it -----------------------------------------------------------------------

void BackupFaultsRig::ask(const std::string& policy) {
  const std::string before = newest(policy, "id");
  home.edit(
      fmt::format("INSERT INTO backup_request (name, policy) VALUES ('after {0} of {1}', '{1}')",
                  before, policy));
  home.await(fmt::format("SELECT max(id) > {} FROM backup WHERE policy = '{}'", before, policy),
             "1");
}

std::string BackupFaultsRig::newest(const std::string& policy, const std::string& column) const {
  return home.state(fmt::format(
      "SELECT {} FROM backup WHERE policy = '{}' ORDER BY id DESC LIMIT 1", column, policy));
}

void BackupFaultsRig::await_newest(const std::string& policy, const std::string& column,
                                   const std::string& expected, int patience_s) {
  await_answer(
      column + " of the newest of " + policy, [&] { return newest(policy, column); }, expected,
      [&] { return home.story(); }, patience_s);
}

void BackupFaultsRig::end_pauses() {
  home.kill();
  auto opened = Database::open(home.folder() + "/state.db", Database::Mode::read_write);
  require(opened.ok(), "state.db cannot be opened");
  Database state = std::move(opened).value();
  const auto ran = state.run("UPDATE retry SET retry_at_ms = 1");
  require(ran.ok(), ran.ok() ? "" : ran.error().message);
  home.start();
}

// ---- What is expected of it --------------------------------------------------------------------

void BackupFaultsRig::await_failed(const std::string& policy, const std::string& words) {
  await_newest(policy, "state", "failed");
  expect_sentence(policy, "detail", words);
  expect_unharmed(policy);
}

void BackupFaultsRig::await_unverified(const std::string& policy, const std::string& words) {
  await_newest(policy, "state || (verify_detail <> '')", "stored1");
  expect_sentence(policy, "verify_detail", words);
  expect_unharmed(policy);
}

void BackupFaultsRig::expect_sentence(const std::string& policy, const std::string& column,
                                      const std::string& words) const {
  const std::string detail = newest(policy, column);
  cr_expect(is_one_sentence(detail), "%s: %s", policy.c_str(), detail.c_str());
  cr_expect(detail.find(words) != std::string::npos, "%s: expected '%s' in: %s", policy.c_str(),
            words.c_str(), detail.c_str());
  const std::string said = home.state(
      "SELECT state, detail FROM status WHERE kind = 'backup' AND name = '" + policy + "'");
  cr_expect(said.starts_with("failed|") && said.find(detail) != std::string::npos, "%s: %s",
            policy.c_str(), said.c_str());
  const std::string why = home.state("SELECT reason FROM why WHERE name = '" + policy + "'");
  cr_expect(why.find(detail) != std::string::npos, "%s: %s", policy.c_str(), why.c_str());
}

bool BackupFaultsRig::opens(const std::string& bytes) const {
  write(folder / "object", bytes);
  return shell_succeeds(
      fmt::format("age -d -i {} {} | tar --zstd -xO dump | pg_restore -f /dev/null",
                  folder / "identity", folder / "object"));
}

void BackupFaultsRig::expect_unharmed(const std::string& policy) const {
  const Bucket& bucket = buckets_.at(policy);
  const std::string good = home.state(
      "SELECT object FROM backup WHERE state IN ('stored', 'verifying', 'verified') AND "
      "expiring = 0 AND policy = '" +
      policy + "' ORDER BY id");
  const auto objects = bucket.s3->objects();
  for (const auto& [key, bytes] : objects) {
    cr_expect(bytes == bucket.bytes || opens(bytes), "%s: half an object: %s", policy.c_str(),
              key.c_str());
  }
  std::istringstream lines(good);
  for (std::string key; std::getline(lines, key);) {
    cr_expect(objects.contains(std::string(kPrefix) + "/" + key), "%s: a row without its object",
              policy.c_str());
  }
  cr_expect(objects.contains(bucket.key) && objects.at(bucket.key) == bucket.bytes,
            "%s: the good one is not what it was", policy.c_str());
  cr_expect(home.state("SELECT state FROM backup WHERE policy = '" + policy +
                       "' ORDER BY id LIMIT 1") == "verified",
            "%s: the good one does not count any more", policy.c_str());
}

void BackupFaultsRig::await_renewed(const std::string& policy) {
  await_newest(policy, "state", "verified");
  const std::string where = " FROM backup WHERE policy = '" + policy + "'";
  home.await("SELECT count(*)" + where + " AND state = 'expired'", "1");
  home.await("SELECT count(*)" + where + " AND state IN ('due', 'running', 'stored', 'verifying')",
             "0");
  const auto objects = s3(policy).objects();
  cr_expect(objects.size() == 1 &&
                objects.contains(std::string(kPrefix) + "/" + newest(policy, "object")),
            "%s: %zu objects", policy.c_str(), objects.size());
  cr_expect(s3(policy).pending_uploads().empty(), "%s: an upload is left", policy.c_str());
  const std::string scratch =
      "SELECT count(*) FROM pg_database WHERE datname LIKE "
      "'rowlock_%_verify_" +
      newest(policy, "id") + "'";
  cr_expect(server.ask(scratch, "postgres") == "0", "%s: a scratch database is left",
            policy.c_str());
}

// ---- Processes ---------------------------------------------------------------------------------

std::vector<pid_t> children_of(pid_t parent, const std::string& name, const std::string& words) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& each : fs::directory_iterator("/proc", ignored)) {
    const std::string stat = file_text(each.path() / "stat");
    // NUMBER (NAME) STATE PARENT …
    const std::size_t close = stat.rfind(')');
    if (close == std::string::npos) continue;
    std::istringstream rest(stat.substr(close + 1));
    std::string state;
    pid_t whose = 0;
    rest >> state >> whose;
    const bool is_it = whose == parent && state != "Z" &&
                       stat.substr(0, close).ends_with("(" + name) &&
                       file_text(each.path() / "cmdline").find(words) != std::string::npos;
    if (is_it) found.push_back(std::atoi(stat.c_str()));
  }
  return found;
}

void kill_child_of(pid_t parent, const std::string& name, const std::string& words) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(kPatienceS);
  while (std::chrono::steady_clock::now() < until) {  // Without a pause: some are soon over.
    for (const pid_t child : children_of(parent, name, words)) {
      if (::kill(child, SIGKILL) == 0) return;
    }
  }
  throw std::runtime_error("no child " + name + " was seen");
}

}  // namespace rowlock_live
