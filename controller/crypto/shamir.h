// A secret split into n shares of which any k give it back and k - 1 say nothing (A. Shamir, "How
// to share a secret", 1979; over GF(256) with the polynomial of AES, one polynomial a byte). A
// share is printed as
//
//   rowlock-share-SET-K-X-BYTES-CHECK
//
// SET: 8 hex digits that all shares of one kit have in common; K: how many are needed; X: 1 to 255;
// BYTES: hex; CHECK: 8 hex digits, the head of the SHA-256 of all before it, the dash included: a
// typing error is found in the share that has it.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct Share {
  std::string set;
  int threshold = 0;
  int x = 0;
  SecretBytes bytes;
};

// Requires: 1 <= threshold <= shares <= 255.
std::vector<std::string> split_secret(const SecretBytes& secret, int shares, int threshold);

// Rejected with a sentence that says what is wrong with it. White space around it is no fault.
Result<Share> read_share(std::string_view text);

// Requires: shares of one set, as read_share gives them: of equal threshold and length, of
// different x, at least as many as the threshold.
SecretBytes combine_shares(const std::vector<Share>& shares);

}  // namespace rowlock
