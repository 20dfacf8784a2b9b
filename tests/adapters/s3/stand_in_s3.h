// A stand-in for an S3 service, on a port of the loopback address: it keeps objects in memory, and
// does what a real one cannot be told to: fail, fall silent, break off, lose answers, lie. It
// checks no signature; that real services take ours is tested on one.
#pragma once

#include "controller/ports/object_store.h"

#include <atomic>
#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rowlock {

// As HTTP writes it.
std::string http_date(std::time_t at);

class StandInS3 {
 public:
  struct Asked {
    std::string method;
    std::string key;  // Empty: the bucket.
    std::map<std::string, std::string> query;
    std::map<std::string, std::string> headers;  // By their names in lower case.
    std::string body;

    // "put", "create", "part", "complete", "abort", "head", "get", "delete", "list", "versions",
    // "uploads" or "versioning".
    std::string act() const;
  };

  enum class Mishap {
    none,
    internal_error,
    slow_down,
    bad_gateway,        // With a page for people in place of XML.
    silent,             // No answer, as long as the client waits.
    slow,               // All is done, after a second.
    held,               // All is done once `holds` is false, if the client is there still.
    dropped,            // Nothing is done, and the connection closed.
    answer_lost,        // All is done, and the connection closed.
    answer_cut,         // All is done, and half of the answer given.
    full,               // 507
    too_large,          // EntityTooLarge
    skewed,             // The clock is 20 minutes ahead.
    revoked,            // InvalidAccessKeyId
    denied,             // AccessDenied
    error_in_200,       // <Error> of InternalError, with a status that says that all is well.
    condition_unknown,  // 501
  };

  StandInS3();
  ~StandInS3();
  StandInS3(const StandInS3&) = delete;
  StandInS3& operator=(const StandInS3&) = delete;

  // -- How it behaves.
  void set_faults(std::function<Mishap(const Asked&)> faults);  // Asked for each request.
  std::atomic<bool> is_versioned = false;
  std::atomic<bool> heeds_conditions = true;
  std::atomic<bool> has_odd_etags = false;  // No MD5.
  std::atomic<bool> changes_bytes = false;  // Of what it stores.
  std::atomic<bool> loses_the_end = false;  // The last byte of what it stores.
  std::atomic<bool> ignores_ranges = false;
  std::atomic<bool> forgets_where = false;  // Lists that go on do not say where.
  std::atomic<int> page_keys_max = 1000;
  std::atomic<std::int64_t> clock_ahead_ms = 0;
  std::atomic<bool> holds = true;  // What is `held`.

  // -- For those who check.
  StoreAddress address(const std::string& prefix = "") const;
  std::map<std::string, std::string> objects() const;  // Those to be seen, by key.
  std::vector<std::string> pending_uploads() const;    // Their keys, sorted.
  int versions_kept() const;                           // What hides one included.
  int asked(const std::string& act) const;             // How often.
  // A header that every request but those refused had, or no request at all.
  int requests_with(const std::string& header) const;
  int requests() const;
  int port() const { return port_; }

  // Begins an upload that nobody finishes.
  void leave_upload(const std::string& key);

 private:
  struct Version {
    std::string id;
    std::string bytes;
    std::string etag;
    bool hides = false;
  };
  struct Pending {
    std::string key;
    std::map<int, std::string> parts;
    std::int64_t begun_at_ms = 0;
  };
  struct Answer {
    int status = 200;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    std::int64_t length = -1;  // Of the body, where it is not what is sent.
  };

  void serve();
  void converse(int connection);
  bool exchange(int connection, std::string& buffer);  // False: it is over.
  bool await_turn(int connection, Mishap fault) const;
  Answer fault_answer(Mishap fault) const;
  std::int64_t now_ms() const;  // By its own clock.

  // All below require mutex_ to be held.
  Answer answer_to(const Asked& asked);
  Answer put(const Asked& asked);
  Answer create(const Asked& asked);
  Answer part(const Asked& asked);
  Answer complete(const Asked& asked);
  Answer get(const Asked& asked);
  Answer remove(const Asked& asked);
  Answer list(const Asked& asked) const;
  Answer list_versions(const Asked& asked) const;
  Answer list_uploads(const Asked& asked) const;
  const Version* seen(const std::string& key) const;
  Answer store(const std::string& key, std::string bytes, const std::string& etag);

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Version>> versions_;  // By key, the last one seen.
  std::map<std::string, Pending> uploads_;                // By id.
  std::map<std::string, int> asked_;                      // By act.
  std::map<std::string, int> headers_;                    // How many requests had it.
  std::function<Mishap(const Asked&)> faults_;
  int next_id_ = 0;
  int requests_ = 0;
  std::vector<int> open_;
  std::vector<std::thread> conversing_;
  std::atomic<bool> ends_ = false;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;  // Last: it uses all of these.
};

}  // namespace rowlock
