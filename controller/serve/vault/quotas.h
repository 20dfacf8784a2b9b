// How much those who show tokens may ask for and leave behind: the rows of `quota`, and what has
// been taken of them. Requests are counted here, in minutes that begin with the first one; what
// waits wrapped is counted from the rows of `token`.
#pragma once

#include "controller/base/result.h"
#include "controller/secrets/tokens.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace rowlock {

class Quotas {
 public:
  static constexpr std::int64_t kMinuteMs = 60'000;
  static constexpr std::size_t kCountedMax = 10'000;  // Tokens and policies that are told apart.

  Quotas(Database& state, const Schema& schema) : state_(state), schema_(schema) {}

  // Why there is no more, and when there is again; with an empty sentence there is.
  struct Excess {
    std::string sentence = "";
    std::int64_t wait_ms = 0;
  };

  // One request more of the token's, which counts for each of its policies as well.
  Result<Excess> take_request(const Token& token, std::int64_t now_ms);

  // One login more of whom the token was made for: all of his count together, as if they were
  // requests of one token.
  Result<Excess> take_login(const Token& made, std::int64_t now_ms);

  // Whether so many bytes more may wait wrapped for those whom it gives them to.
  Result<Excess> room_for_wrapped(const Token& token, std::size_t bytes, std::int64_t now_ms);

  // What was taken of the bound that leaves the token the least.
  struct Use {
    std::string policy =
        "*";  // Whose bound it is, with what all its holders have taken; "*": its own.
    std::int64_t taken = 0;
    std::int64_t most = 0;
  };
  struct Uses {
    Use requests;  // In this minute.
    Use wrapped;   // Bytes.
  };
  Result<Uses> uses_of(const Token& token, std::int64_t now_ms);

 private:
  struct Minute {
    std::int64_t since_ms = 0;
    std::int64_t requests = 0;
  };

  Result<Excess> take(const Token& token, const std::string& own, std::int64_t now_ms);
  Minute& minute_of(const std::string& whose, std::int64_t now_ms);
  Result<std::vector<Row>> bounds_of(const Token& token);
  Result<std::int64_t> wrapped_bytes(const std::string& policy, const Token& token,
                                     std::int64_t now_ms);

  Database& state_;
  const Schema& schema_;
  std::map<std::string, Minute> minutes_;
};

}  // namespace rowlock
