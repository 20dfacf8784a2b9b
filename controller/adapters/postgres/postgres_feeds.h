// The members of a dump on their way into one database: each goes to a pg_restore of its own, those
// that come mixed to several at the same time, and none before those ahead of it have ended well:
// `before`, then all of `data.…`, then `after`; or `dump` alone.
#pragma once

#include "controller/adapters/postgres/postgres_child.h"
#include "controller/ports/database_dumps.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace rowlock {

class PostgresFeeds {
 public:
  // `order` starts a pg_restore that reads its dump.
  explicit PostgresFeeds(PostgresChildOrder order);
  ~PostgresFeeds();  // Kills those that have not ended.
  PostgresFeeds(const PostgresFeeds&) = delete;
  PostgresFeeds& operator=(const PostgresFeeds&) = delete;

  // Waits while that one has more than it can take. The error of the first that failed is that of
  // every call from then on.
  Result<> give(DumpPiece piece);

  // There are no more pieces: waits for all of them to end.
  Result<> finish();

 private:
  struct Feed;

  Result<Feed*> feed_of(const std::string& member);
  void feed(Feed& feed);
  Result<> pass_on(Feed& feed);
  void fail(const Error& error);

  PostgresChildOrder order_;
  std::atomic<bool> has_failed_{false};
  std::string stage_;
  std::map<std::string, std::unique_ptr<Feed>> feeds_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Error> failure_;
};

}  // namespace rowlock
