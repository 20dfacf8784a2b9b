// The members of a dump on their way into one database: each goes to a pg_restore of its own, those
// that come mixed to several at the same time, and none before those ahead of it have ended well:
// `before`, then all of `data.…`, then `after`; or `dump` alone.
#pragma once

#include "controller/adapters/postgres/postgres_child.h"
#include "controller/adapters/postgres/postgres_load_words.h"
#include "controller/ports/database_dumps.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

class PostgresFeeds {
 public:
  // `order` starts a pg_restore that reads its dump.
  // With `keeps_going` what the server refuses is noted, and no error.
  explicit PostgresFeeds(PostgresChildOrder order, bool keeps_going = false);
  ~PostgresFeeds();  // Kills those that have not ended.
  PostgresFeeds(const PostgresFeeds&) = delete;
  PostgresFeeds& operator=(const PostgresFeeds&) = delete;

  // Waits while that one has more than it can take. The error of the first that failed is that of
  // every call from then on.
  Result<> give(DumpPiece piece) { return give(std::move(piece), ""); }

  // The first piece of a member of which only what the list has is restored; empty: all.
  Result<> give(DumpPiece piece, const std::string& use_list);

  // There are no more pieces: waits for all of them to end.
  Result<> finish();

  // With `keeps_going`, what the server refused; the member of each first. Requires: finish() has
  // ended well.
  const std::vector<std::pair<std::string, LoadRefusal>>& refusals() const { return refusals_; }

 private:
  struct Feed;

  Result<Feed*> feed_of(const std::string& member, const std::string& use_list);
  void feed(Feed& feed);
  Result<> pass_on(Feed& feed);
  Result<> note_refusals(Feed& feed, const Error& ended);
  void fail(const Error& error);

  PostgresChildOrder order_;
  bool keeps_going_;
  std::atomic<bool> has_failed_{false};
  std::string stage_;
  std::map<std::string, std::unique_ptr<Feed>> feeds_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Error> failure_;
  std::vector<std::pair<std::string, LoadRefusal>> refusals_;
};

}  // namespace rowlock
