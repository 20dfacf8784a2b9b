// The SQL that hashes a row. The functions are the system's own for hash indexes and joins; those
// with a seed are the same in every version since 11.
#include "controller/adapters/postgres_content.h"
#include "controller/crypto/encoding.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

namespace rowlock {

namespace {

constexpr char kHashOfNull[] = "-7046029254386353131";  // Any number will do.
// Functions within functions, before a server runs out of stack.
constexpr std::size_t kChainMax = 64;

// For a value X, of types whose equal values are the same bytes.
const std::map<std::string, std::string>& own_hashes() {
  static const std::map<std::string, std::string> hashes = {
      {"bool", "hashint4extended(int4(X), 0)"},
      {"int2", "hashint2extended(X, 0)"},
      {"int4", "hashint4extended(X, 0)"},
      {"int8", "hashint8extended(X, 0)"},
      {"oid", "hashoidextended(X, 0)"},
      {"text", "hashtextextended(X COLLATE \"C\", 0)"},
      {"varchar", "hashtextextended(X COLLATE \"C\", 0)"},
      {"uuid", "uuid_hash_extended(X, 0)"},
      {"timestamp", "timestamp_hash_extended(X, 0)"},
      {"timestamptz", "timestamp_hash_extended(timezone('UTC', X), 0)"},
      // Whose text is not the same in every version, or takes longer to make than this.
      {"bytea", "hashtextextended(encode(X, 'hex') COLLATE \"C\", 0)"},
      {"date", "hashtextextended(encode(date_send(X), 'hex') COLLATE \"C\", 0)"},
      {"float4", "hashtextextended(encode(float4send(X), 'hex') COLLATE \"C\", 0)"},
      {"float8", "hashtextextended(encode(float8send(X), 'hex') COLLATE \"C\", 0)"}};
  return hashes;
}

std::string hash_of(const HashedColumn& column) {
  if (column.base_type == "bpchar" && column.is_padded) {
    return "hashbpcharextended(" + column.name + " COLLATE \"C\", 0)";
  }
  const auto own = own_hashes().find(column.base_type);
  if (own == own_hashes().end()) {
    // Not a cast to text: that may be anybody's function, and forget what it likes.
    return "hashtextextended(textin(" + column.output + "((" + column.name + ")::" + column.type +
           ")) COLLATE \"C\", 0)";
  }
  std::string hash = own->second;
  const std::size_t at = hash.find('X');
  return hash.replace(at, 1, column.name);
}

// Each is mixed into the one before.
std::string chained(const std::vector<std::string>& hashes, std::string seed) {
  for (const std::string& each : hashes) seed = "hashint8extended(" + each + ", " + seed + ")";
  return seed;
}

std::string literal(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::string row_hash_expression(const std::vector<HashedColumn>& columns) {
  std::string names;
  std::vector<std::string> hashes;
  for (const HashedColumn& column : columns) {
    names += column.name + ",";
    hashes.push_back("coalesce(" + hash_of(column) + ", " + kHashOfNull + ")");
  }
  while (hashes.size() > kChainMax) {
    std::vector<std::string> fewer;
    for (std::size_t at = 0; at < hashes.size(); at += kChainMax) {
      const auto from = hashes.begin() + static_cast<std::ptrdiff_t>(at);
      const auto left = static_cast<std::size_t>(hashes.end() - from);
      const auto to = from + static_cast<std::ptrdiff_t>(std::min(left, kChainMax));
      fewer.push_back(chained({from, to}, std::to_string(at)));
    }
    hashes = std::move(fewer);
  }
  return chained(hashes, "hashtextextended(" + literal(names) + " COLLATE \"C\", 0)");
}

void ContentSum::add(std::string_view decimal) {
  std::uint64_t number = 0;
  for (const char c : decimal) {
    if (c >= '0' && c <= '9') number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  sum_ += decimal.starts_with('-') ? ~number + 1 : number;
}

std::string ContentSum::hex() const {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>((sum_ >> shift) & 0xff);
  return to_hex(bytes);
}

std::string sequence_state(const std::string& last_value, bool is_called) {
  return last_value + (is_called ? " called" : " next");
}

}  // namespace rowlock
