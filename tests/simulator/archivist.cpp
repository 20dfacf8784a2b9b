// One store and one policy for a database, beside the one for the home that Rowlock has by itself.
// The policy keeps one backup, so that each new one that is verified makes an old one go.
#include "tests/simulator/archivist.h"

#include "tests/backup/backup_files.h"
#include "tests/store/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace rowlock::simulator {

namespace {

constexpr const char* kServer = "postgresql://admin@10.0.0.9:5432";
constexpr const char* kStore = "file:///srv/backups";
constexpr const char* kDatabase = "school";

}  // namespace

Archivist::Archivist(Stage& stage, Engines& engines, std::uint64_t seed)
    : stage_(stage), engines_(engines), random_(seed ^ 0xBAC), is_at_work_(random_.chance(333)) {}

void Archivist::begin() {
  if (!is_at_work_) return;
  engines_.fake_dumps.put_database(kServer, kDatabase, {{"public.pupil", {"ann", "ben", "cid"}}});
  rowlock::write_private(stage_.home().folder() + "/identity", kIdentities[0] + "\n");
}

std::string Archivist::rows() {
  return fmt::format(
      "INSERT INTO object_store (name, url, recipients, identity_file) VALUES ('files', '{0}', "
      "'[\"{1}\"]', '{2}');"
      "INSERT INTO database (name, url) VALUES ('{3}', '{4}/{3}');"
      "INSERT INTO backup_policy (name, database, store, keep_last, keep_daily, keep_weekly, "
      "keep_monthly, ping_success) VALUES ('nightly', '{3}', 'files', 1, 0, 0, 0, 'https://w/ok')",
      kStore, kRecipients[0], stage_.home().folder() + "/identity", kDatabase, kServer);
}

std::string Archivist::edit() {
  if (random_.chance(200)) engines_.fake_dumps.set_away(kServer, random_.chance(500));
  if (random_.chance(200)) engines_.stores.set_away(kStore, random_.chance(500));
  if (random_.chance(200)) engines_.fake_pings.is_away = random_.chance(500);
  return fmt::format("INSERT INTO backup_request (name, policy) VALUES ('more-{}', 'nightly')",
                     ++requests_);
}

void Archivist::calm() {
  engines_.fake_dumps.set_away(kServer, false);
  engines_.stores.set_away(kStore, false);
  engines_.fake_pings.is_away = false;
}

std::set<std::string> Archivist::column(const std::string& query) const {
  auto rows = stage_.state().query(query);
  CHECK(rows.ok());
  std::set<std::string> values;
  for (const Row& row : rows.value()) values.insert(row.text("value"));
  return values;
}

// Those of backups, and those of what says where the home's newest one is.
std::vector<std::string> Archivist::keys(bool are_pointers) const {
  std::vector<std::string> found = engines_.stores.keys(kStore);
  std::erase_if(found, [&](const std::string& key) {
    return (key.find("/newest/") != std::string::npos) != are_pointers;
  });
  return found;
}

Violated Archivist::look() {
  if (!is_at_work_) return std::nullopt;
  const std::vector<std::string> keys = this->keys(false);
  const std::set<std::string> known = column("SELECT object AS value FROM backup");
  for (const std::string& key : keys) {
    if (!known.contains(key)) return "no row speaks of the backup " + key;
  }
  proven_.merge(
      column("SELECT object AS value FROM backup WHERE policy = 'nightly' AND "
             "verified_at_ms NOT NULL"));
  const bool one_stays = std::any_of(keys.begin(), keys.end(),
                                     [this](const auto& key) { return proven_.contains(key); });
  if (!proven_.empty() && !one_stays) return "no backup is left that was ever verified";
  return std::nullopt;
}

std::string Archivist::unsettled() const {
  if (!is_at_work_) return "";
  const auto open = column(
      "SELECT name || ' ' || state || ' ' || detail AS value FROM backup "
      "WHERE state IN ('due', 'running', 'verifying') OR expiring = 1");
  if (!open.empty()) return "backup " + *open.begin();
  for (const std::string policy : {"nightly", "home"}) {
    const auto newest = column(fmt::format(
        "SELECT state AS value FROM backup WHERE policy = '{}' ORDER BY id DESC LIMIT 1", policy));
    if (!newest.contains("verified")) {
      return fmt::format("the newest backup of {} is {}", policy,
                         newest.empty() ? "none" : *newest.begin());
    }
  }
  const auto of_nightly = column(
      "SELECT object AS value FROM backup "
      "WHERE policy = 'nightly' AND state IN ('stored', 'verified')");
  if (of_nightly.size() != 1) {
    return fmt::format("{} backups of nightly are kept, and its policy keeps 1", of_nightly.size());
  }
  if (this->keys(true).size() != 1) return "what says where the newest backup of the home is";
  const std::vector<std::string> keys = this->keys(false);
  const auto kept =
      column("SELECT object AS value FROM backup WHERE state IN ('stored', 'verified')");
  if (!std::equal(keys.begin(), keys.end(), kept.begin(), kept.end())) {
    return fmt::format("{} objects in the store, of which rows keep {}", keys.size(), kept.size());
  }
  const auto uploads = engines_.stores.pending_uploads(kStore);
  return uploads.empty() ? "" : "an upload was left of " + uploads.front();
}

}  // namespace rowlock::simulator
