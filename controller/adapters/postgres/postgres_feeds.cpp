// A thread for each pg_restore, and one mutex for all of them. The bound on what waits is on all
// together: a member that is slow holds up the reader, not the memory.
#include "controller/adapters/postgres/postgres_feeds.h"

#include "controller/adapters/postgres/postgres_error.h"

#include <chrono>
#include <deque>
#include <thread>
#include <utility>

namespace rowlock {

namespace {

constexpr std::size_t kWaitingBytesMax = 4 * 1024 * 1024;  // Of all together.
constexpr std::chrono::milliseconds kLook{200};

// Members of one stage are restored at the same time: "data" of data.1, data.2 …
std::string stage_of(const std::string& member) { return member.substr(0, member.find('.')); }

}  // namespace

// One pg_restore, what waits for it, and the thread that gives it that.
struct PostgresFeeds::Feed {
  std::string member;
  PostgresLoadWords words;  // Of the thread's alone until it has ended.
  std::unique_ptr<PostgresChild> child;
  std::deque<std::string> waiting;
  std::size_t waiting_bytes = 0;
  bool has_all = false;
  std::thread thread;
};

PostgresFeeds::PostgresFeeds(PostgresChildOrder order, bool keeps_going)
    : order_(std::move(order)), keeps_going_(keeps_going) {
  order_.must_end = [this, must_end = std::move(order_.must_end)] {
    return has_failed_ || must_end();
  };
}

PostgresFeeds::~PostgresFeeds() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);  // Nobody is between looking and waiting.
    has_failed_ = true;
  }
  changed_.notify_all();
  for (auto& [name, feed] : feeds_) feed->thread.join();
}

Result<> PostgresFeeds::give(DumpPiece piece, const std::string& use_list) {
  const auto found = TRY(feed_of(piece.member, use_list));
  Feed& feed = *found;
  std::unique_lock<std::mutex> lock(mutex_);
  const std::size_t most = kWaitingBytesMax / feeds_.size();
  while (!has_failed_ && feed.waiting_bytes >= most) changed_.wait_for(lock, kLook);
  if (failure_.has_value()) return *failure_;
  feed.waiting_bytes += piece.bytes.size();
  feed.waiting.push_back(std::move(piece.bytes));
  changed_.notify_all();
  return Done{};
}

Result<> PostgresFeeds::finish() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto& [name, feed] : feeds_) feed->has_all = true;
  }
  changed_.notify_all();
  for (auto& [name, feed] : feeds_) feed->thread.join();
  feeds_.clear();
  return failure_.has_value() ? Result<>(*failure_) : Result<>(Done{});
}

Result<PostgresFeeds::Feed*> PostgresFeeds::feed_of(const std::string& member,
                                                    const std::string& use_list) {
  const std::string stage = stage_of(member);
  if (stage != stage_) {
    TRY(finish());
    stage_ = stage;
  }
  if (const auto known = feeds_.find(member); known != feeds_.end()) return known->second.get();
  auto feed = std::make_unique<Feed>();
  Feed* const made = feed.get();
  made->member = member;
  PostgresChildOrder order = order_;
  order.use_list = use_list;
  if (keeps_going_) order.hears = [made](std::string_view words) { made->words.take(words); };
  auto child = TRY(PostgresChild::start(order));
  made->child = std::move(child);
  made->thread = std::thread([this, made] { this->feed(*made); });
  feeds_.emplace(member, std::move(feed));
  return made;
}

void PostgresFeeds::feed(Feed& feed) {
  if (const auto passed = pass_on(feed); !passed.ok()) fail(passed.error());
}

Result<> PostgresFeeds::pass_on(Feed& feed) {
  while (true) {
    std::string bytes;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return has_failed_ || feed.has_all || !feed.waiting.empty(); });
      if (has_failed_) return Done{};
      if (feed.waiting.empty()) break;
      bytes = std::move(feed.waiting.front());
      feed.waiting.pop_front();
      feed.waiting_bytes -= bytes.size();
    }
    changed_.notify_all();
    if (const auto written = feed.child->write(bytes); !written.ok()) return written;
  }
  const auto ended = feed.child->finish();
  return ended.ok() ? ended : note_refusals(feed, ended.error());
}

// It has gone on to the end; what it ends with is how often it was refused something. Unless that
// passes by itself: then the next try will restore more.
Result<> PostgresFeeds::note_refusals(Feed& feed, const Error& ended) {
  if (!keeps_going_ || !feed.words.has_ended_whole()) return ended;
  if (feed.words.refusals().size() > kLoadRefusalsMax) {
    return Error{Fault::rejected, Cause::malformed,
                 "the server refuses more than " + std::to_string(kLoadRefusalsMax) + " objects",
                 "restore as a user with more rights, or on a server like the one it came from"};
  }
  for (const LoadRefusal& refusal : feed.words.refusals()) {
    if (is_load_refused(refusal.words)) continue;
    return Error{Fault::transient, Cause::other, "pg_restore: " + refusal.words, ""};
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const LoadRefusal& refusal : feed.words.refusals()) {
    refusals_.emplace_back(feed.member, refusal);
  }
  return Done{};
}

// What fails after the first only follows from it.
void PostgresFeeds::fail(const Error& error) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!failure_.has_value()) failure_ = error;
    has_failed_ = true;
  }
  changed_.notify_all();
}

}  // namespace rowlock
