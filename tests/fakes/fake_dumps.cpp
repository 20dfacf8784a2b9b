// What a test says to the fake and asks of it; the calls of the port itself are in
// fake_dumps_port.cpp.
#include "tests/fakes/fake_dumps.h"

#include <algorithm>
#include <utility>

namespace rowlock {

void FakeDumps::put_database(const std::string& server, const std::string& database,
                             const Tables& tables) {
  const std::lock_guard<std::mutex> lock(mutex_);
  servers_[server][database].tables = tables;
}

void FakeDumps::remove_database(const std::string& server, const std::string& database) {
  const std::lock_guard<std::mutex> lock(mutex_);
  servers_[server].erase(database);
}

void FakeDumps::put_rows(const std::string& server, const std::string& database,
                         const std::string& table, const Rows& rows) {
  const std::lock_guard<std::mutex> lock(mutex_);
  servers_[server][database].tables[table] = rows;
}

void FakeDumps::open_session(const std::string& server, const std::string& database) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++servers_[server][database].sessions;
}

void FakeDumps::set_away(const std::string& server, bool is_away) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (is_away) {
    away_.insert(server);
  } else {
    away_.erase(server);
  }
}

void FakeDumps::set_broken(const std::string& server, const std::string& database, bool is_broken) {
  const std::lock_guard<std::mutex> lock(mutex_);
  servers_[server][database].is_broken = is_broken;
}

void FakeDumps::set_room(std::optional<std::int64_t> bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  room_ = bytes;
}

void FakeDumps::set_answer(const std::string& query, const std::string& answer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  answers_[query] = answer;
}

void FakeDumps::set_refused(const std::string& table) {
  const std::lock_guard<std::mutex> lock(mutex_);
  refused_ = table;
}

void FakeDumps::set_loses_rows(bool loses_rows) {
  const std::lock_guard<std::mutex> lock(mutex_);
  loses_rows_ = loses_rows;
}

void FakeDumps::set_missing_server(const std::string& hint) {
  const std::lock_guard<std::mutex> lock(mutex_);
  missing_server_ = hint;
}

void FakeDumps::set_missing_program(const std::string& hint) {
  const std::lock_guard<std::mutex> lock(mutex_);
  missing_program_ = hint;
}

void FakeDumps::set_faults(
    std::function<FaultPlan(const std::string& call, const std::string& database)> faults) {
  const std::lock_guard<std::mutex> lock(mutex_);
  faults_ = std::move(faults);
}

std::vector<std::string> FakeDumps::databases(const std::string& server) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> names;
  const auto found = servers_.find(server);
  if (found == servers_.end()) return names;
  for (const auto& [name, database] : found->second) names.push_back(name);
  return names;
}

std::optional<FakeDumps::Tables> FakeDumps::tables(const std::string& server,
                                                   const std::string& database) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = servers_.find(server);
  if (found == servers_.end() || !found->second.contains(database)) return std::nullopt;
  return found->second.at(database).tables;
}

int FakeDumps::sessions(const std::string& server, const std::string& database) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = servers_.find(server);
  if (found == servers_.end() || !found->second.contains(database)) return 0;
  return found->second.at(database).sessions;
}

std::vector<std::string> FakeDumps::calls() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return calls_;
}

}  // namespace rowlock
