// Of what the other session does only the first words are told: a statement may have a password in
// it.
#include "controller/adapters/postgres/postgres_lock_watch.h"

#include "controller/adapters/postgres/postgres_text.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace rowlock {

namespace {

constexpr int kPatienceMs = 3000;  // Nobody asks who held a table for less.
constexpr int kAgainMs = 2000;

// What it waits for, and of the one that has been in its way for longest: its number (0: a prepared
// transaction), user, program, state, seconds since its transaction began, and what it does.
constexpr char kBlocking[] =
    "SELECT coalesce(l.relation::regclass::text, l.locktype), b.pid, coalesce(a.usename, ''), "
    "coalesce(nullif(a.application_name, ''), a.backend_type, ''), coalesce(a.state, ''), "
    "coalesce(extract(epoch FROM clock_timestamp() - a.xact_start)::int8, 0), "
    "coalesce(upper(substring(a.query FROM '^\\s*([A-Za-z]+(?:\\s+[A-Za-z]+)?)')), '') "
    "FROM pg_locks AS l CROSS JOIN LATERAL unnest(pg_blocking_pids(l.pid)) AS b (pid) "
    "LEFT JOIN pg_stat_activity AS a ON a.pid = b.pid "
    "WHERE l.pid = $1::int AND NOT l.granted ORDER BY a.xact_start LIMIT 1";

PostgresLockWatch::Seen seen_in(const PostgresRow& row) {
  const std::string waits = "waits for a lock on " + postgres_line(row[0]) + ", which ";
  if (row[1] == "0") {
    return {waits + "a prepared transaction holds",
            "end that: SELECT gid FROM pg_prepared_xacts, and ROLLBACK PREPARED"};
  }
  std::string sentence = fmt::format("{}session {} of {} ({}) holds or waits for since {} s", waits,
                                     row[1], postgres_line(row[2]), postgres_line(row[3]), row[5]);
  if (!row[4].empty()) sentence += ", " + row[4];
  if (!row[6].empty()) sentence += ": " + row[6];
  return {sentence, "wait for it, or end it: SELECT pg_terminate_backend(" + row[1] + ")"};
}

}  // namespace

PostgresLockWatch::PostgresLockWatch(const PostgresAddress& server,
                                     const PostgresDeadlines& deadlines, int session,
                                     std::function<void(const std::string&)> tell)
    : server_(server),
      deadlines_(deadlines),
      session_(session),
      tell_(std::move(tell)),
      thread_([this] { watch(); }) {}

PostgresLockWatch::~PostgresLockWatch() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_ending_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

PostgresLockWatch::Seen PostgresLockWatch::seen() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return seen_;
}

bool PostgresLockWatch::ends_within(int ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  return ended_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return is_ending_; });
}

void PostgresLockWatch::watch() {
  if (ends_within(kPatienceMs)) return;
  const auto opened =
      PostgresConnection::open(server_, deadlines_, [this] { return ends_within(0); });
  if (!opened.ok()) return;  // Then nobody is named; the wait has its own bound.
  do {
    look(*opened.value());
  } while (!ends_within(kAgainMs));
}

void PostgresLockWatch::look(PostgresConnection& connection) {
  const auto asked = connection.ask(kBlocking, {std::to_string(session_)});
  if (!asked.ok() || asked.value().is_refused() || asked.value().rows.empty()) return;
  Seen now = seen_in(asked.value().rows.front());
  if (tell_) tell_(now.sentence);
  const std::lock_guard<std::mutex> lock(mutex_);
  seen_ = std::move(now);
}

}  // namespace rowlock
