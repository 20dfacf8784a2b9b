// The text that goes to a PostgreSQL server: names of roles, moments, and the engineer's statements
// with their blanks filled in.
#pragma once

#include "controller/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace rowlock {

// 1 to 63 of a-z, 0-9 and '_': such a name needs no escaping, and the server cuts no end off.
bool is_role_name(std::string_view name);
Result<> check_role_name(const std::string& name);  // Rejected when it is not one.

// "2026-11-22 11:12:28+00". A fraction of a second is cut off.
std::string postgres_time(std::int64_t at_ms);

// What stands for {{name}}, {{password}} and {{expiration}}. An empty one is not filled in.
struct PostgresBlanks {
  std::string name;
  std::string password;  // As a SCRAM verifier.
  std::string expiration;
};

std::string filled_in(const std::string& statement, const PostgresBlanks& blanks);

// What the server said of a statement, without the verifier and all parts of it that tell much.
std::string without_verifier(const std::string& words, const std::string& verifier);

// A name, in quotes, as SQL writes any.
std::string postgres_name(const std::string& name);

// As one line of valid UTF-8, of a length that fits into a message.
std::string postgres_line(const std::string& words);

// The one sentence in what one of PostgreSQL's programs said: its first error, and what the server
// said of that, without the advice and the statement that come after.
std::string postgres_program_line(const std::string& words);

// What the server said, in an error of pg_restore's: could not execute query: ERROR: …
std::string postgres_refusal_words(const std::string& error);

}  // namespace rowlock
