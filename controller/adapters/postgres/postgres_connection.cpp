// libpq's calls that block have no deadline, so none is used: each step is its non-blocking form
// and a poll in between. What the url may say is decided by options_of() and complete().
#include "controller/adapters/postgres/postgres_connection.h"

#include "controller/adapters/postgres/postgres_text.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <libpq-fe.h>
#include <map>
#include <optional>
#include <poll.h>
#include <string_view>
#include <utility>

namespace rowlock {

namespace {

constexpr std::size_t kRowsMax = 100'000;
constexpr int kOldestServer = 100000;   // The first with SCRAM is 10.
constexpr int kFirstToNotice = 140000;  // That its client has gone, while it works for it.
// The server gives up before we do, so that its answer says what became of a statement.
constexpr int kServersShare = 5;  // Of which it gets one less.
constexpr std::chrono::milliseconds kEndingLooks{200};
constexpr char kNoFile[] = "/dev/null/.pgpass";  // Cannot be there.

using Options = std::map<std::string, std::string>;

// What ALTER DATABASE and ALTER ROLE may have set otherwise, and neither a dump nor a restore nor a
// comparison can do with: sessions end, statements are refused, names and values are written
// another way.
struct Setting {
  const char* name;
  const char* value;
  int since = 0;  // The server's version.
};
constexpr Setting kSettings[] = {{"statement_timeout", "0"},  // It counts for the others already.
                                 {"default_transaction_read_only", "off"},
                                 {"default_transaction_isolation", "read committed"},
                                 {"default_transaction_deferrable", "off"},
                                 {"quote_all_identifiers", "off"},
                                 {"standard_conforming_strings", "on"},
                                 {"array_nulls", "on"},
                                 {"transform_null_equals", "off"},
                                 {"bytea_output", "hex"},
                                 {"IntervalStyle", "postgres"},
                                 {"lock_timeout", "0"},
                                 {"idle_in_transaction_session_timeout", "0"},
                                 {"idle_session_timeout", "0", 140000},
                                 {"transaction_timeout", "0", 170000}};

Error rejected(const std::string& what, const std::string& hint) {
  return Error{Fault::rejected, Cause::other, what, hint};
}

// Never in libpq's own words, which may repeat what is in the url.
Result<Options> options_of(const std::string& url) {
  const bool is_url = url.starts_with("postgresql://") || url.starts_with("postgres://");
  PQconninfoOption* const parsed = is_url && url.find('\0') == std::string::npos
                                       ? PQconninfoParse(url.c_str(), nullptr)
                                       : nullptr;
  if (parsed == nullptr) {
    return rejected("the url of the server cannot be read",
                    "write database.url as postgresql://USER@HOST:PORT/DATABASE");
  }
  Options options;
  for (const PQconninfoOption* each = parsed; each->keyword != nullptr; ++each) {
    if (each->val != nullptr && each->val[0] != '\0') options[each->keyword] = each->val;
  }
  PQconninfoFree(parsed);
  if (options.contains("password") || options.contains("sslpassword")) {
    return rejected("the url of the server has a password in it",
                    "take it out of database.url, and name its secret in database.secret");
  }
  if (options.contains("service") || options.contains("passfile")) {
    return rejected("the url of the server names a file with more of it",
                    "write all of it into database.url, but for the password");
  }
  return options;
}

// The url's own, and what Rowlock decides.
void complete(Options& options) {
  options.insert({"gssencmode", "disable"});  // Or libpq looks for Kerberos tickets every time.
  options["application_name"] = "rowlock";
  options["client_encoding"] = "UTF8";
  options["passfile"] = kNoFile;
}

std::string place_of(const pg_conn* handle) {
  const auto text = [](const char* given) { return std::string(given == nullptr ? "" : given); };
  return postgres_line(text(PQhost(handle)) + ":" + text(PQport(handle)) + "/" +
                       text(PQdb(handle)));
}

// Ended by a NUL, for libpq.
SecretBytes ended(const SecretBytes& secret) {
  SecretBytes copy(secret.size() + 1);
  if (!secret.empty()) std::memcpy(copy.data(), secret.data(), secret.size());
  return copy;
}

// 0 once the moment has come, else what poll() returns, with the events that came in `wanted`.
int poll_until(pollfd& wanted, std::chrono::steady_clock::time_point until) {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return 0;
    const int came = ::poll(&wanted, 1, static_cast<int>(left.count()));
    if (came > 0 || (came < 0 && errno != EINTR)) return came;
  }
}

}  // namespace

// ---- Connecting --------------------------------------------------------------------------------

PostgresConnection::PostgresConnection(pg_conn* handle, const PostgresDeadlines& deadlines,
                                       std::function<bool()> must_end)
    : handle_(handle),
      deadlines_(deadlines),
      must_end_(std::move(must_end)),
      call_ends_(std::chrono::steady_clock::now() + std::chrono::milliseconds(deadlines.call_ms)),
      place_(place_of(handle)) {
  // The code of a refusal is told in words alone while there is no connection.
  PQsetErrorVerbosity(handle_, PQERRORS_VERBOSE);
  // Notices would go to stderr.
  PQsetNoticeReceiver(
      handle_, [](void*, const pg_result*) {}, nullptr);
}

PostgresConnection::~PostgresConnection() { PQfinish(handle_); }

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(
    const PostgresAddress& server, const PostgresDeadlines& deadlines,
    std::function<bool()> must_end) {
  Result<Options> read = options_of(server.url);
  if (!read.ok()) return read.error();
  Options options = std::move(read).value();
  complete(options);
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : options) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  const bool has_password = server.password != nullptr && !server.password->empty();
  if (has_password && server.password->view().find('\0') != std::string_view::npos) {
    return rejected("the password of the server has a NUL in it", "correct the secret");
  }
  const SecretBytes password = has_password ? ended(*server.password) : SecretBytes();
  if (has_password) {
    names.push_back("password");
    values.push_back(reinterpret_cast<const char*>(password.data()));
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  pg_conn* const handle = PQconnectStartParams(names.data(), values.data(), 0);
  if (handle == nullptr) return Error{Fault::broken, Cause::other, "libpq is out of memory", ""};
  std::unique_ptr<PostgresConnection> connection(
      new PostgresConnection(handle, deadlines, std::move(must_end)));
  if (const Result<> connected = connection->connect(has_password); !connected.ok()) {
    return connected.error();
  }
  if (const Result<> begun = connection->begin_session(); !begun.ok()) return begun.error();
  return connection;
}

Result<> PostgresConnection::connect(bool has_password) {
  const Moment until =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(deadlines_.connect_ms);
  if (PQstatus(handle_) == CONNECTION_BAD) return connect_failure(has_password);
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) return connect_failure(has_password);
    // It may be another socket after each step.
    const short event = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    short came = 0;
    const Result<> waited = await_events(event, came, until);
    if (!waited.ok() && waited.error().cause != Cause::deadline) return waited;
    if (!waited.ok()) {
      return Error{
          Fault::transient, Cause::unreachable,
          place_ + ": no connection within " + std::to_string(deadlines_.connect_ms) + " ms", ""};
    }
    state = PQconnectPoll(handle_);
  }
  PQsetnonblocking(handle_, 1);
  PQsetErrorVerbosity(handle_, PQERRORS_DEFAULT);
  user_ = postgres_line(PQuser(handle_));
  return Done{};
}

Error PostgresConnection::connect_failure(bool has_password) const {
  if (PQconnectionNeedsPassword(handle_) != 0 && !has_password) {
    return rejected(place_ + ": the server asks for a password",
                    "name the secret that has it in database.secret");
  }
  Error error = not_connected(read_connect_failure(PQerrorMessage(handle_)));
  error.message = place_ + ": " + error.message;
  return error;
}

// Names mean the system's own objects: one that somebody else put into the search path would be
// run with the administrator's rights.
Result<> PostgresConnection::begin_session() {
  if (server_version() < kOldestServer) {
    return rejected(place_ + ": the server is older than PostgreSQL 10", "upgrade it");
  }
  const std::int64_t most_ms = deadlines_.statement_ms / kServersShare * (kServersShare - 1);
  std::string settings;
  for (const Setting& each : kSettings) {
    if (server_version() < each.since) continue;
    settings += std::string("SET ") + each.name + " = '" + each.value + "'; ";
  }
  settings += "SET search_path = pg_catalog";
  for (const auto& [name, value_ms] :
       {std::pair("statement_timeout", most_ms),
        std::pair("lock_timeout", most_ms / kServersShare * (kServersShare - 1)),
        std::pair("idle_in_transaction_session_timeout", deadlines_.call_ms)}) {
    settings += std::string("; SET ") + name + " = " + std::to_string(value_ms);
  }
  // Or a statement that was given up would go on there, and hold its locks, to its end.
  if (server_version() >= kFirstToNotice)
    settings += "; SET client_connection_check_interval = 500";
  const Result<PostgresAnswer> set = ask(settings);
  Error error;
  if (!set.ok()) {
    error = set.error();
  } else if (set.value().is_refused()) {
    error = refused(set.value().refusal, user_);
  } else {
    return Done{};
  }
  error.message = place_ + ": " + error.message;
  return error;
}

// Only what somebody has set: a pooler may take no options at all.
Result<std::string> PostgresConnection::options_for_programs() {
  std::string wanted;
  for (const Setting& each : kSettings) {
    wanted +=
        std::string(wanted.empty() ? "" : ", ") + "('" + each.name + "', '" + each.value + "')";
  }
  const auto asked = TRY(ask("SELECT w.name, replace(w.value, ' ', '\\ ') FROM (VALUES " + wanted +
                             ") AS w (name, value) JOIN pg_settings AS s ON s.name = w.name "
                             "AND s.reset_val <> w.value"));
  if (asked.is_refused()) return refused(asked.refusal, user_);
  std::string options;
  for (const PostgresRow& row : asked.rows) {
    options += (options.empty() ? "-c " : " -c ") + row[0] + "=" + row[1];
  }
  return options;
}

Result<> PostgresConnection::set_statement_ms(std::int64_t statement_ms) {
  deadlines_.statement_ms = statement_ms;
  const std::int64_t most_ms = statement_ms / kServersShare * (kServersShare - 1);
  const auto set = TRY(ask("SET statement_timeout = " + std::to_string(most_ms)));
  if (set.is_refused()) return refused(set.refusal, user_);
  return Done{};
}

// ---- Asking ------------------------------------------------------------------------------------

Result<PostgresAnswer> PostgresConnection::ask(const std::string& text,
                                               const std::vector<std::string>& values) {
  PostgresAnswer answer;
  if (text.find('\0') != std::string::npos) {
    answer.refusal = {"22021", "there is a NUL in it", ""};
    return answer;
  }
  std::vector<const char*> given;
  for (const std::string& value : values) given.push_back(value.c_str());
  const int sent = given.empty()
                       ? PQsendQuery(handle_, text.c_str())
                       : PQsendQueryParams(handle_, text.c_str(), static_cast<int>(given.size()),
                                           nullptr, given.data(), nullptr, nullptr, 0);
  return take_all(sent != 0, kRowsMax);
}

Result<PostgresAnswer> PostgresConnection::ask_one(const std::string& statement) {
  if (statement.find('\0') != std::string::npos) {
    PostgresAnswer answer;
    answer.refusal = {"22021", "there is a NUL in it", ""};
    return answer;
  }
  const int sent =
      PQsendQueryParams(handle_, statement.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0);
  return take_all(sent != 0, 1);
}

Result<PostgresAnswer> PostgresConnection::take_all(bool is_sent, std::size_t rows_max) {
  PostgresAnswer answer;
  if (!is_sent) return lost(answer.refusal);
  const Moment until = std::min(call_ends_, std::chrono::steady_clock::now() +
                                                std::chrono::milliseconds(deadlines_.statement_ms));
  PQsetSingleRowMode(handle_);  // So that what is not kept takes no memory.
  while (true) {
    if (const Result<> came = await_answer(until); !came.ok()) {
      return answer.is_refused() ? lost(answer.refusal) : came.error();
    }
    const std::unique_ptr<pg_result, decltype(&PQclear)> result(PQgetResult(handle_), PQclear);
    if (result == nullptr) break;
    take(*result, rows_max, answer);
    const ExecStatusType status = PQresultStatus(result.get());
    // It would wait for our bytes, and give this result again and again.
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) break;
  }
  if (PQstatus(handle_) == CONNECTION_BAD || ends_the_connection(answer.refusal.sqlstate)) {
    return lost(answer.refusal);
  }
  return answer;
}

// Until PQgetResult() will not block.
Result<> PostgresConnection::await_answer(Moment until) {
  while (true) {
    const int unsent = PQflush(handle_);
    if (unsent < 0) return lost({});
    if (unsent == 0 && PQisBusy(handle_) == 0) return Done{};
    const int events = unsent > 0 ? POLLIN | POLLOUT : POLLIN;
    short came = 0;
    const Result<> waited = await_events(static_cast<short>(events), came, until);
    if (!waited.ok()) return waited;
    if ((came & ~POLLOUT) != 0 && PQconsumeInput(handle_) == 0) return lost({});
  }
}

// Looks up now and then for whether it should end.
Result<> PostgresConnection::await_events(short events, short& came, Moment until) const {
  while (true) {
    const Moment now = std::chrono::steady_clock::now();
    pollfd wanted{PQsocket(handle_), events, 0};
    const int count = poll_until(wanted, must_end_ ? std::min(until, now + kEndingLooks) : until);
    if (must_end_ && must_end_()) {
      return Error{Fault::transient, Cause::other, "it was asked to end", ""};
    }
    if (count < 0) return lost({});
    came = wanted.revents;
    if (count > 0) return Done{};
    if (now >= until) {
      return Error{Fault::transient, Cause::deadline, "the server did not answer in time", ""};
    }
  }
}

void PostgresConnection::take(const pg_result& result, std::size_t rows_max,
                              PostgresAnswer& answer) const {
  const ExecStatusType status = PQresultStatus(&result);
  const auto field = [&](int code) {
    const char* const text = PQresultErrorField(&result, code);
    return std::string(text == nullptr ? "" : text);
  };
  if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
    // Of a connection that broke there is no code.
    const std::string message = field(PG_DIAG_MESSAGE_PRIMARY);
    answer.refusal = {field(PG_DIAG_SQLSTATE),
                      message.empty() ? PQresultErrorMessage(&result) : message,
                      field(PG_DIAG_MESSAGE_DETAIL)};
    if (answer.refusal.sqlstate.empty()) answer.refusal.sqlstate = "08006";
  } else if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
    answer.refusal = {"0A000", "COPY from or to the client is not possible here", ""};
  }
  for (int row = 0; row < PQntuples(&result); ++row) {
    if (answer.rows.size() == rows_max) {
      answer.has_more_rows = true;
      return;
    }
    PostgresRow cells;
    for (int column = 0; column < PQnfields(&result); ++column) {
      cells.emplace_back(PQgetvalue(&result, row, column));
    }
    answer.rows.push_back(std::move(cells));
  }
}

Error PostgresConnection::lost(const PostgresRefusal& last_words) const {
  const std::string words =
      last_words.message.empty() ? PQerrorMessage(handle_) : last_words.message;
  return Error{Fault::transient, Cause::deadline,
               "the connection was lost: " + postgres_line(words), ""};
}

bool PostgresConnection::is_in_transaction() const {
  return PQtransactionStatus(handle_) == PQTRANS_INTRANS;
}

bool PostgresConnection::is_to_this_machine() const {
  const char* const host = PQhost(handle_);
  const char* const address = PQhostaddr(handle_);
  const std::string_view there = address == nullptr ? "" : address;
  return (host != nullptr && (host[0] == '/' || host[0] == '@')) || there == "::1" ||
         there.starts_with("127.");
}

int PostgresConnection::session() const { return PQbackendPID(handle_); }

int PostgresConnection::server_version() const { return PQserverVersion(handle_); }

std::string PostgresConnection::version_text() const {
  const int version = server_version();
  return std::to_string(version / 10000) + "." + std::to_string(version % 10000);
}

Result<std::string> PostgresConnection::scram_verifier(const std::string& name,
                                                       const SecretBytes& password) const {
  const SecretBytes text = ended(password);
  char* const verifier = PQencryptPasswordConn(handle_, reinterpret_cast<const char*>(text.data()),
                                               name.c_str(), "scram-sha-256");
  if (verifier == nullptr) {
    return Error{Fault::broken, Cause::other, "libpq made no verifier of the password", ""};
  }
  std::string result = verifier;
  PQfreemem(verifier);
  return result;
}

Result<std::string> connection_text(const std::string& url, const std::string& database,
                                    const std::string& more) {
  Result<Options> read = options_of(url);
  if (!read.ok()) return read.error();
  Options options = std::move(read).value();
  complete(options);
  // Those programs have words of their own for these.
  for (const char* theirs : {"passfile", "client_encoding"}) options.erase(theirs);
  if (!database.empty()) options["dbname"] = database;
  if (!more.empty()) options["options"] += " " + more;
  std::string text;
  for (const auto& [name, value] : options) {
    text += (text.empty() ? "" : " ") + name + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += '\'';
  }
  return text;
}

void forget_libpq_environment() {
  for (const char* each : {"PGSERVICE", "PGSERVICEFILE", "PGDATESTYLE", "PGTZ", "PGGEQO"}) {
    ::unsetenv(each);
  }
  PQconninfoOption* const known = PQconndefaults();
  for (const PQconninfoOption* each = known; each != nullptr && each->keyword != nullptr; ++each) {
    if (each->envvar != nullptr) ::unsetenv(each->envvar);
  }
  PQconninfoFree(known);
}

}  // namespace rowlock
