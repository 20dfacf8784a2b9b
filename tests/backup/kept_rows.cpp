// Rows are inserted as if backups had been made; no controller runs. What is kept is then asked of
// the product's own views.
#include "tests/backup/kept_rows.h"

#include "controller/store/home.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace rowlock {

namespace {

constexpr std::int64_t kNowMs = 4'000'000'000'000;
constexpr std::string_view kOldest = "oldest ";

Database opened(const Schema& schema) {
  auto state = open_state(":memory:", schema, kNowMs);
  cr_assert(state.ok(), "%s", state.ok() ? "" : state.error().message.c_str());
  return std::move(state).value();
}

std::set<std::string> words_of(const std::string& reasons,
                               const std::function<bool(const std::string&)>& is_wanted) {
  std::set<std::string> words;
  for (std::size_t at = 0; at < reasons.size();) {
    const std::size_t end = std::min(reasons.find(", ", at), reasons.size());
    const std::string reason = reasons.substr(at, end - at);
    if (is_wanted(reason)) words.insert(reason_word(reason));
    at = end + 2;
  }
  return words;
}

}  // namespace

KeptRows::KeptRows() : rows_(opened(schema_)) {
  sql(fmt::format(
      "INSERT OR REPLACE INTO clock (only, now_ms, started_at_ms, wall_ms) VALUES (1, {0}, "
      "{0}, {0});"
      "INSERT INTO backup_policy (name, store, keep_daily, keep_weekly, keep_monthly) "
      "VALUES ('nightly', 'here', 0, 0, 0)",
      kNowMs));
}

void KeptRows::sql(const std::string& statements) {
  const auto done = rows_.run(statements);
  cr_assert(done.ok(), "%s: %s", statements.c_str(), done.ok() ? "" : done.error().message.c_str());
}

std::string KeptRows::text(const std::string& query) {
  const auto value = rows_.scalar(query);
  cr_assert(value.ok(), "%s: %s", query.c_str(), value.ok() ? "" : value.error().message.c_str());
  return text_of(value.value());
}

void KeptRows::set(const Keep& keep, const std::string& policy) {
  sql(fmt::format(
      "UPDATE backup_policy SET keep_last = {}, keep_daily = {}, keep_weekly = {}, "
      "keep_monthly = {}, keep_yearly = {}, keep_within_ms = {} WHERE name = '{}'",
      keep.last, keep.daily, keep.weekly, keep.monthly, keep.yearly, keep.within_ms, policy));
}

void KeptRows::add(std::int64_t id, std::int64_t taken_at_ms, const std::string& taken_on,
                   const std::string& policy, const std::string& store) {
  sql(
      fmt::format("INSERT INTO backup (id, name, policy, store, kind, source, object, reason, "
                  "due_at_ms, state, taken_at_ms, taken_on) VALUES ({0}, {0}, '{1}', '{2}', "
                  "'postgres', 'db', {0}, 'a test', 0, 'verified', {3}, '{4}')",
                  id, policy, store, taken_at_ms, taken_on));
}

void KeptRows::expire(std::int64_t id) {
  sql(fmt::format("UPDATE backup SET state = 'expired' WHERE id = {}", id));
}

std::map<std::int64_t, std::string> KeptRows::kept(const std::string& policy) {
  const auto rows = rows_.query("SELECT id, reasons FROM backup_kept WHERE policy = :policy",
                                {{"policy", policy}});
  cr_assert(rows.ok(), "%s", rows.ok() ? "" : rows.error().message.c_str());
  std::map<std::int64_t, std::string> all;
  for (const Row& row : rows.value()) {
    all[row.integer("id")] = row.text("reasons");
  }
  cr_assert_eq(all.size(), rows.value().size());
  return all;
}

std::set<std::int64_t> KeptRows::forgettable(const std::string& policy) {
  const auto rows =
      rows_.query("SELECT id FROM backup_forgettable WHERE policy = :policy", {{"policy", policy}});
  cr_assert(rows.ok(), "%s", rows.ok() ? "" : rows.error().message.c_str());
  std::set<std::int64_t> all;
  for (const Row& row : rows.value()) {
    all.insert(row.integer("id"));
  }
  return all;
}

std::string KeptRows::kept_text(const std::string& policy) {
  std::string all;
  for (const auto& [id, reasons] : kept(policy)) {
    all += fmt::format("{}{} {}", all.empty() ? "" : " · ", id, reasons);
  }
  return all;
}

std::string reason_word(const std::string& reason) {
  const std::size_t from = reason.starts_with(kOldest) ? kOldest.size() : 0;
  return reason.substr(from, reason.find(' ', from) - from);
}

std::set<std::string> reason_words(const std::string& reasons) {
  return words_of(reasons, [](const std::string&) { return true; });
}

std::set<std::string> reasons_but_oldest(const std::string& reasons) {
  return words_of(reasons, [](const std::string& reason) { return !reason.starts_with(kOldest); });
}

}  // namespace rowlock
