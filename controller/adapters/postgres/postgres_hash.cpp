// The SQL that hashes a row. The functions are the system's own for hash indexes and joins; those
// with a seed are the same in every version since 11.
#include "controller/adapters/postgres/postgres_content.h"
#include "controller/crypto/encoding.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

namespace rowlock {

namespace {

constexpr std::uint64_t kHashOfNull = 0x9e3779b97f4a7c15;  // Times the column's seed: any will do.
// Operators without parentheses, before a server runs out of stack.
constexpr std::size_t kGroupMax = 64;

// For a value X and a seed S, of types whose equal values are the same bytes.
const std::map<std::string, std::string>& own_hashes() {
  static const std::map<std::string, std::string> hashes = {
      {"bool", "hashint4extended(int4(X), S)"},
      {"int2", "hashint2extended(X, S)"},
      {"int4", "hashint4extended(X, S)"},
      {"int8", "hashint8extended(X, S)"},
      {"oid", "hashoidextended(X, S)"},
      {"text", "hashtextextended(X COLLATE \"C\", S)"},
      {"varchar", "hashtextextended(X COLLATE \"C\", S)"},
      {"uuid", "uuid_hash_extended(X, S)"},
      {"timestamp", "timestamp_hash_extended(X, S)"},
      {"timestamptz", "timestamp_hash_extended(timezone('UTC', X), S)"},
      // Whose text is not the same in every version, or takes longer to make than this.
      {"bytea", "hashtextextended(encode(X, 'hex') COLLATE \"C\", S)"},
      {"date", "hashtextextended(encode(date_send(X), 'hex') COLLATE \"C\", S)"},
      {"float4", "hashtextextended(encode(float4send(X), 'hex') COLLATE \"C\", S)"},
      {"float8", "hashtextextended(encode(float8send(X), 'hex') COLLATE \"C\", S)"}};
  return hashes;
}

std::string with_blank(std::string text, char blank, const std::string& by) {
  return text.replace(text.find(blank), 1, by);
}

std::string hash_of(const HashedColumn& column, const std::string& seed) {
  if (column.base_type == "bpchar" && column.is_padded) {
    return "hashbpcharextended(" + column.name + " COLLATE \"C\", " + seed + ")";
  }
  const auto own = own_hashes().find(column.base_type);
  if (own == own_hashes().end()) {
    // Not a cast to text: that may be anybody's function, and forget what it likes.
    return "hashtextextended(textin(" + column.output + "((" + column.name + ")::" + column.type +
           ")) COLLATE \"C\", " + seed + ")";
  }
  return with_blank(with_blank(own->second, 'S', seed), 'X', column.name);
}

std::string literal(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::string row_hash_expression(const std::vector<HashedColumn>& columns) {
  std::string names;
  std::string mixed = "0";
  std::string group;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::uint64_t seed = i + 1;
    const auto null = static_cast<std::int64_t>(kHashOfNull * seed >> 1);
    names += columns[i].name + ",";
    group += (group.empty() ? "" : " # ") + std::string("coalesce(") +
             hash_of(columns[i], std::to_string(seed)) + ", " + std::to_string(null) + ")";
    if (seed % kGroupMax != 0 && seed != columns.size()) continue;
    mixed += " # (" + group + ")";
    group.clear();
  }
  return "hashint8extended(" + mixed + ", hashtextextended(" + literal(names) +
         " COLLATE \"C\", 0))";
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
