// A row as bytes, for keyed hashes of it.
#pragma once

#include "controller/crypto/secret_bytes.h"
#include "controller/store/database.h"

#include <string>
#include <string_view>

namespace rowlock {

// Its cells in an order and a form of which there is one alone: type and length before each.
std::string canonical(const Row& row, std::string_view left_out);

// Over all that token.row of schema/secrets/token.sql reads.
std::string mac_of_token(const SecretBytes& key, const Row& row);

// The sum of keyed hashes, as hex, in whatever order; one that is added twice is out again.
extern const std::string kNoSum;
std::string exclusive_or(const std::string& left_hex, const std::string& right_hex);

}  // namespace rowlock
