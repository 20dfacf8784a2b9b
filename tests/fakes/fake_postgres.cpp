// Two halves: what a test says to the fake, and the calls of the port. A call that is told to lose
// its answer does its work and then fails, as on a real network.
#include "tests/fakes/fake_postgres.h"

#include "controller/adapters/postgres/postgres_text.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace rowlock {

namespace {

Error rejected(const std::string& what, const std::string& hint) {
  return Error{Fault::rejected, Cause::other, what, hint};
}

bool has_password(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::string rest = scheme == std::string::npos ? url : url.substr(scheme + 3);
  const std::string user = rest.substr(0, rest.find_first_of("/?"));
  const std::size_t at = user.find('@');
  return url.find("password=") != std::string::npos ||
         (at != std::string::npos && user.substr(0, at).find(':') != std::string::npos);
}

// Some verbs; a server knows more.
bool is_a_statement(const std::string& statement) {
  std::istringstream words(statement);
  std::string verb;
  words >> verb;
  for (const char* known : {"CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "REASSIGN", "SELECT",
                            "SET", "COMMENT", "INSERT", "UPDATE", "DELETE"}) {
    if (verb == known) return true;
  }
  return false;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Nothing when all of them are statements.
std::optional<Error> first_fault(const std::vector<std::string>& statements,
                                 const std::string& column) {
  for (std::size_t i = 0; i < statements.size(); ++i) {
    if (is_a_statement(statements[i])) continue;
    return rejected("statement " + std::to_string(i + 1) + " of " + column +
                        ": syntax error at or near its beginning",
                    "correct that statement");
  }
  return std::nullopt;
}

// What the statements make, or nothing when none makes a role of that name.
std::optional<FakePostgres::Role> made_by(const PostgresRole& role) {
  for (const std::string& statement : role.statements) {
    const std::string filled = filled_in(statement, {role.name, "", ""});
    const bool is_named =
        has(filled, "CREATE ROLE \"" + role.name + "\"") ||
        (has(filled, "CREATE ROLE " + role.name) && !has(filled, role.name + "_"));
    if (!is_named) continue;
    FakePostgres::Role made;
    made.can_log_in = has(filled, "LOGIN") && !has(filled, "NOLOGIN");
    if (has(filled, "{{password}}")) made.password = std::string(role.password->view());
    made.valid_until_ms = role.valid_until_ms;
    return made;
  }
  return std::nullopt;
}

}  // namespace

// ---- How they behave, and who checks -----------------------------------------------------------

void FakePostgres::set_reachable(bool is_reachable) {
  const std::lock_guard<std::mutex> lock(mutex_);
  is_reachable_ = is_reachable;
}

void FakePostgres::set_away(const std::string& url) {
  const std::lock_guard<std::mutex> lock(mutex_);
  away_.insert(url);
}

void FakePostgres::set_admin_password(const std::string& url, const std::string& password) {
  const std::lock_guard<std::mutex> lock(mutex_);
  admin_passwords_[url] = password;
}

void FakePostgres::put_role(const std::string& url, const std::string& name, const Role& role) {
  const std::lock_guard<std::mutex> lock(mutex_);
  servers_[url][name] = role;
}

void FakePostgres::remove_role(const std::string& url, const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  servers_[url].erase(name);
}

bool FakePostgres::open_session(const std::string& url, const std::string& name,
                                const std::string& password, std::int64_t now_ms) {
  if (!can_log_in(url, name, password, now_ms)) return false;
  const std::lock_guard<std::mutex> lock(mutex_);
  ++servers_[url][name].sessions;
  return true;
}

void FakePostgres::set_faults(
    std::function<FaultPlan(const std::string& call, const std::string& name)> faults) {
  const std::lock_guard<std::mutex> lock(mutex_);
  faults_ = std::move(faults);
}

const FakePostgres::Role* FakePostgres::find(const std::string& url,
                                             const std::string& name) const {
  const auto server = servers_.find(url);
  if (server == servers_.end()) return nullptr;
  const auto found = server->second.find(name);
  return found == server->second.end() ? nullptr : &found->second;
}

std::optional<FakePostgres::Role> FakePostgres::role(const std::string& url,
                                                     const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Role* const found = find(url, name);
  return found == nullptr ? std::nullopt : std::optional<Role>(*found);
}

std::vector<std::string> FakePostgres::role_names(const std::string& url) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> names;
  const auto server = servers_.find(url);
  if (server == servers_.end()) return names;
  for (const auto& [name, role] : server->second) names.push_back(name);
  return names;
}

bool FakePostgres::can_log_in(const std::string& url, const std::string& name,
                              const std::string& password, std::int64_t now_ms) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Role* const found = find(url, name);
  return is_reachable_ && found != nullptr && found->can_log_in && !found->password.empty() &&
         found->password == password && now_ms < found->valid_until_ms;
}

std::vector<std::string> FakePostgres::statements() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return statements_;
}

std::int64_t FakePostgres::changes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return changes_;
}

// ---- The port ----------------------------------------------------------------------------------

std::optional<Error> FakePostgres::reason_not_to_connect(const PostgresAddress& server) const {
  if (!server.url.starts_with("postgresql://") && !server.url.starts_with("postgres://")) {
    return rejected("the url of the server cannot be read", "correct database.url");
  }
  if (has_password(server.url)) {
    return rejected("the url of the server has a password in it", "take it out of database.url");
  }
  if (!is_reachable_ || away_.contains(server.url)) {
    return Error{Fault::transient, Cause::unreachable, "Connection refused", ""};
  }
  const auto asked = admin_passwords_.find(server.url);
  if (asked == admin_passwords_.end()) return std::nullopt;
  if (server.password != nullptr && server.password->view() == asked->second) return std::nullopt;
  return rejected("password authentication failed", "correct the secret");
}

template <typename Act>
auto FakePostgres::attempt(const std::string& call, const std::string& name,
                           const PostgresAddress& server, Act act) -> decltype(act()) {
  std::function<FaultPlan(const std::string&, const std::string&)> faults;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    faults = faults_;
  }
  const FaultPlan plan = faults ? faults(call, name) : FaultPlan::none;
  const std::string what = call + " " + name + ": ";
  if (plan == FaultPlan::unreachable) {
    return Error{Fault::transient, Cause::unreachable, what + "Connection refused", ""};
  }
  if (plan == FaultPlan::fail_before) {
    return Error{Fault::transient, Cause::other, what + "the server is starting", ""};
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  const Result<> named = name.empty() && call == "roles" ? Done{} : check_role_name(name);
  std::optional<Error> reason;
  if (!named.ok()) {
    reason = named.error();
  } else {
    reason = reason_not_to_connect(server);
  }
  if (reason) return Error{reason->fault, reason->cause, what + reason->message, reason->hint};
  auto result = act();
  if (!result.ok()) {
    Error error = result.error();
    error.message = what + error.message;
    return error;
  }
  if (plan == FaultPlan::lose_answer) {
    return Error{Fault::transient, Cause::deadline, what + "the connection was lost", ""};
  }
  return result;
}

Result<> FakePostgres::create_role(const PostgresAddress& server, const PostgresRole& role) {
  return attempt("create_role", role.name, server, [&]() -> Result<> {
    const std::string column = "database_role.create_statements";
    if (const auto fault = first_fault(role.statements, column)) return *fault;
    const std::optional<Role> made = made_by(role);
    if (!made) {
      return rejected("the statements of " + column + " made no role named " + role.name,
                      "have one of them CREATE ROLE \"{{name}}\"");
    }
    if (!made->can_log_in) {
      return rejected("the statements of " + column + " made a role that cannot log in",
                      "have them CREATE ROLE \"{{name}}\" LOGIN");
    }
    for (const std::string& each : role.statements) {
      statements_.push_back(filled_in(each, {role.name, "", postgres_time(role.valid_until_ms)}));
    }
    servers_[server.url][role.name] = *made;
    ++changes_;
    return Done{};
  });
}

Result<> FakePostgres::renew_role(const PostgresAddress& server, const std::string& name,
                                  std::int64_t valid_until_ms) {
  return attempt("renew_role", name, server, [&]() -> Result<> {
    Roles& roles = servers_[server.url];
    const auto found = roles.find(name);
    if (found == roles.end()) {
      return Error{Fault::transient, Cause::not_found, "there is no such role", ""};
    }
    if (found->second.valid_until_ms != valid_until_ms) ++changes_;
    found->second.valid_until_ms = valid_until_ms;
    return Done{};
  });
}

Result<> FakePostgres::drop_role(const PostgresAddress& server, const std::string& name,
                                 const std::vector<std::string>& statements) {
  return attempt("drop_role", name, server, [&]() -> Result<> {
    Roles& roles = servers_[server.url];
    const auto found = roles.find(name);
    if (found == roles.end()) return Done{};
    ++changes_;
    found->second.can_log_in = false;
    found->second.sessions = 0;
    if (const auto fault = first_fault(statements, "database_role.drop_statements")) return *fault;
    for (const std::string& each : statements) {
      statements_.push_back(filled_in(each, {name, "", ""}));
    }
    roles.erase(found);
    return Done{};
  });
}

Result<std::vector<std::string>> FakePostgres::roles(const PostgresAddress& server,
                                                     const std::string& prefix) {
  return attempt("roles", prefix, server, [&]() -> Result<std::vector<std::string>> {
    std::vector<std::string> names;
    for (const auto& [name, role] : servers_[server.url]) {
      if (name.starts_with(prefix)) names.push_back(name);
    }
    return names;
  });
}

}  // namespace rowlock
