// Requests to one bucket: signed, sent, sent again when that may help, and explained when it does
// not.
#pragma once

#include "controller/adapters/pace.h"
#include "controller/adapters/s3/s3_address.h"
#include "controller/adapters/s3/s3_http.h"
#include "controller/adapters/s3/s3_refusal.h"
#include "controller/adapters/s3/s3_signer.h"
#include "controller/crypto/secret_bytes.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rowlock {

struct S3Deadlines {
  std::int64_t connect_ms = 10'000;
  std::int64_t silence_ms = 30'000;
  std::int64_t answer_ms = 30'000;       // For the whole of a small request.
  std::int64_t transfer_ms = 3'600'000;  // For the whole of one that carries an object's bytes.
  std::int64_t completion_silence_ms = 120'000;
  std::int64_t completion_ms = 600'000;
  std::int64_t clean_up_ms = 5'000;  // For each request that takes something back.
  int tries_max = 6;
  std::int64_t backoff_ms = 250;  // Before the second try; then twice as long each time.
  std::int64_t backoff_max_ms = 8'000;
};

struct S3Call {
  // Small: as many bytes as a list has. Transfer: those of an object. Completion: few, but the
  // store has much to do before it answers.
  enum class Size { small, transfer, completion };

  std::string what;  // "write a/b": opens the message of an error.
  std::string method;
  std::string key;  // Below the prefix; empty: the bucket itself.
  TextPairs query;
  TextPairs headers;
  std::string_view body;
  std::string body_sha256 = kEmptySha256;  // Hex.
  Size size = Size::small;
  std::size_t answer_bytes_max = kAnswerBytesMax;
  Pace* pace = nullptr;
  std::string expected_root;  // Of the XML that answers; "" when none does. Any other is an error,
                              // whatever the status.
  bool is_sent_once = false;  // By each try, so that it is known whether it was done before.
  const std::atomic<bool>* stop = nullptr;  // Gives it up once set.
  bool cleans_up = false;  // Made even when Rowlock is ending, and for a short while only.

  static constexpr std::size_t kAnswerBytesMax = 16 * 1024 * 1024;
  static constexpr char kEmptySha256[] =
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
};

struct S3Answer {
  HttpAnswer http;
  S3Refusal refusal;  // With a status of 200 to 299 only when `is_refused`.
  bool is_refused = false;
  // An earlier try of the same may have been done, its answer lost.
  bool is_repeated = false;
};

// Thread-safe.
class S3Client {
 public:
  // `ending` outlives this.
  S3Client(S3Place place, std::string access_key_id, std::shared_ptr<const SecretBytes> secret,
           const std::atomic<bool>& ending, const S3Deadlines& deadlines);

  // An answer that is final: done, or refused for good. Errors: none came, even after some tries;
  // `was_sent` then says whether it may have been done for all that.
  Result<S3Answer> send(const S3Call& call, bool* was_sent = nullptr);

  // The same, with a refusal as an error.
  Result<HttpAnswer> order(const S3Call& call);

  Error error_of(const S3Call& call, const S3Refusal& refusal) const;
  Error error_of(const std::string& what, const Error& reason) const;

  const S3Place& place() const { return place_; }
  bool is_ending() const { return ending_; }

 private:
  HttpCall prepared(const S3Call& call, std::int64_t now_ms) const;
  void set_deadlines(const S3Call& call, HttpCall& http) const;
  bool is_given_up(const S3Call& call) const;
  bool wait(const S3Call& call, int tries) const;

  S3Place place_;
  std::string access_key_id_;
  std::shared_ptr<const SecretBytes> secret_;
  const std::atomic<bool>& ending_;
  S3Deadlines deadlines_;
  HttpClient http_;
};

}  // namespace rowlock
