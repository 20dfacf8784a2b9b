// Which SQLSTATE codes pass by themselves and which somebody must mend. What libpq itself finds
// wrong has no code, so there alone its words are looked at.
#include "controller/adapters/postgres/postgres_error.h"

#include "controller/adapters/postgres/postgres_text.h"
#include "controller/base/own_trouble.h"

#include <algorithm>
#include <string_view>

namespace rowlock {

namespace {

// Classes are the first two characters.
constexpr std::string_view kPassingClasses[] = {
    "08",  // connection
    "40",  // deadlock, serialization
    "53",  // too many connections, disk full
    "55",  // a lock was not to be had
    "57",  // cancelled, shutting down, starting
    "58",  // input and output
    "XX",  // the server's own trouble
};
constexpr std::string_view kNoRight = "42501";
constexpr std::string_view kStillUsed = "2BP01";

// The severity that the server gives to what it refuses and stays connected after.
constexpr std::string_view kRefusal = "ERROR: ";
// What pg_restore says before it.
constexpr std::string_view kLoads[] = {"could not execute query: ", "COPY failed for table ",
                                       "error returned by PQputCopy"};
// In the words of the classes above, and of libpq when the connection is lost.
constexpr std::string_view kPassingWords[] = {
    "canceling statement",
    "could not access",
    "could not create file",
    "could not extend file",
    "could not fsync",
    "could not obtain lock",
    "could not open file",
    "could not read",
    "could not receive data",
    "could not resize",
    "could not send data",
    "could not serialize access",
    "could not write",
    "connection to server",
    "deadlock detected",
    "is being accessed by other users",
    "lock timeout",
    "no connection to the server",
    "No space left on device",
    "out of memory",
    "out of shared memory",
    "remaining connection slots",
    "server closed the connection",
    "terminating connection",
    "cache lookup failed",
    "invalid page in block",
    "tuple concurrently",
};

constexpr std::string_view kFailed = " failed: ";
constexpr std::string_view kBeforeCode = ":  ";
constexpr std::size_t kCodeBytes = 5;

std::string in_words(const PostgresRefusal& refusal) {
  std::string words = postgres_line(refusal.message);
  if (refusal.sqlstate == kStillUsed && !refusal.detail.empty()) {
    words += ": " + postgres_line(refusal.detail);
  }
  return words + (refusal.sqlstate.empty() ? "" : " (SQLSTATE " + refusal.sqlstate + ")");
}

bool is_code(std::string_view text) {
  return text.size() == kCodeBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// What libpq itself found wrong with what it was told, which no later try will mend.
bool is_about_the_url(const std::string& words) {
  for (const char* sign : {"invalid ", "certificate", "does not support SSL", "SSL is not"}) {
    if (words.find(sign) != std::string::npos) return words.find("response") == std::string::npos;
  }
  return false;
}

std::string hint_for_connecting(const std::string& sqlstate) {
  if (sqlstate == "28P01") return "correct the secret that database.secret and database.key name";
  if (sqlstate == "28000") {
    return "allow the connection in the server's pg_hba.conf, or correct database.url";
  }
  if (sqlstate == kNoRight) {
    return "let the user of database.url connect: GRANT CONNECT ON DATABASE";
  }
  return "correct database.url";
}

}  // namespace

bool may_pass(const std::string& sqlstate) {
  return std::any_of(std::begin(kPassingClasses), std::end(kPassingClasses),
                     [&](std::string_view each) { return sqlstate.starts_with(each); });
}

bool ends_the_connection(const std::string& sqlstate) {
  return sqlstate.starts_with("57P0") || sqlstate.starts_with("08");
}

bool is_load_refused(const std::string& words) {
  const auto is_in = [&](std::string_view each) { return words.find(each) != std::string::npos; };
  return is_in(kRefusal) && std::any_of(std::begin(kLoads), std::end(kLoads), is_in) &&
         std::none_of(std::begin(kPassingWords), std::end(kPassingWords), is_in);
}

Error refused(const PostgresRefusal& refusal, const std::string& admin) {
  Error error{may_pass(refusal.sqlstate) ? Fault::transient : Fault::rejected, Cause::other,
              in_words(refusal), ""};
  if (refusal.sqlstate == kNoRight) {
    error.hint = "as a superuser of that server: ALTER ROLE \"" + admin + "\" CREATEROLE";
  } else if (refusal.sqlstate == kStillUsed) {
    error.hint = "have database_role.drop_statements take that away from the role";
  }
  return error;
}

Error statement_refused(const PostgresRefusal& refusal, int number, const std::string& column,
                        const std::string& admin) {
  Error error = refused(refusal, admin);
  error.message = "statement " + std::to_string(number) + " of " + column + ": " + error.message;
  if (error.fault == Fault::rejected) {
    error.hint = "correct that statement";
    if (refusal.sqlstate == kNoRight) error.hint += ", or give " + admin + " the right to it";
  }
  return error;
}

PostgresRefusal read_connect_failure(const std::string& words) {
  for (std::size_t at = words.rfind(kBeforeCode); at != std::string::npos && at > 0;
       at = words.rfind(kBeforeCode, at - 1)) {
    const std::size_t code = at + kBeforeCode.size();
    if (is_code(std::string_view(words).substr(code, kCodeBytes)) &&
        words.compare(code + kCodeBytes, 2, ": ") == 0) {
      return {words.substr(code, kCodeBytes), first_line(words.substr(code + kCodeBytes + 2)), ""};
    }
  }
  const std::size_t failed = words.rfind(kFailed);
  return {"",
          first_line(failed == std::string::npos ? words : words.substr(failed + kFailed.size())),
          ""};
}

Error not_connected(const PostgresRefusal& failure) {
  const std::string words = in_words(failure);
  if (failure.sqlstate.empty()) {
    // What the resolver was short of is not in its words.
    const int named = own_trouble_of(failure.message);
    const int own = named != 0 ? named : own_trouble_now();
    if (own != 0) return own_trouble("no connection", own);
  }
  if (failure.sqlstate.empty() && !is_about_the_url(failure.message)) {
    return {Fault::transient, Cause::unreachable, words, ""};
  }
  if (may_pass(failure.sqlstate)) return {Fault::transient, Cause::other, words, ""};
  return {Fault::rejected, Cause::other, words, hint_for_connecting(failure.sqlstate)};
}

}  // namespace rowlock
