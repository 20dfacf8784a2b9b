// PostgreSQL servers in memory, one for each url. They answer as a real one does, which
// tests/conformance/ proves, and a test can break them: make them unreachable, drop a role behind
// the controller's back, lose answers. Of a statement only the verb is understood, and CREATE ROLE.
#pragma once

#include "controller/ports/postgres.h"
#include "tests/fakes/fault_plan.h"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rowlock {

class FakePostgres final : public Postgres {
 public:
  struct Role {
    std::string password;  // Empty when the statements have not asked for {{password}}.
    std::int64_t valid_until_ms = 0;
    bool can_log_in = false;
    int sessions = 0;
  };

  // -- How they behave.
  void set_reachable(bool is_reachable);  // All of them; so they begin.
  void set_away(const std::string& url);  // That one, for good.
  // What the administrator of that server must give; without it any password will do.
  void set_admin_password(const std::string& url, const std::string& password);

  // -- What happens to them behind the controller's back.
  void put_role(const std::string& url, const std::string& name, const Role& role);
  void remove_role(const std::string& url, const std::string& name);
  // False when the role may not log in so at that moment.
  bool open_session(const std::string& url, const std::string& name, const std::string& password,
                    std::int64_t now_ms);

  // Asked once at the start of every call: with the method's name, and the role's or the prefix.
  void set_faults(
      std::function<FaultPlan(const std::string& call, const std::string& name)> faults);

  // -- For those who check.
  std::optional<Role> role(const std::string& url, const std::string& name) const;
  std::vector<std::string> role_names(const std::string& url) const;  // Sorted.
  bool can_log_in(const std::string& url, const std::string& name, const std::string& password,
                  std::int64_t now_ms) const;
  // Every statement that was run, filled in but for the password.
  std::vector<std::string> statements() const;
  std::int64_t changes() const;  // How often a call through the port has changed something.

  Result<> create_role(const PostgresAddress& server, const PostgresRole& role) override;
  Result<> renew_role(const PostgresAddress& server, const std::string& name,
                      std::int64_t valid_until_ms) override;
  Result<> drop_role(const PostgresAddress& server, const std::string& name,
                     const std::vector<std::string>& statements) override;
  Result<std::vector<std::string>> roles(const PostgresAddress& server,
                                         const std::string& prefix) override;

 private:
  using Roles = std::map<std::string, Role>;  // By name.

  template <typename Act>
  auto attempt(const std::string& call, const std::string& name, const PostgresAddress& server,
               Act act) -> decltype(act());

  // All below require mutex_ to be held.
  std::optional<Error> reason_not_to_connect(const PostgresAddress& server) const;
  const Role* find(const std::string& url, const std::string& name) const;

  mutable std::mutex mutex_;
  std::map<std::string, Roles> servers_;                // By url.
  std::map<std::string, std::string> admin_passwords_;  // By url.
  std::vector<std::string> statements_;
  std::function<FaultPlan(const std::string&, const std::string&)> faults_;
  std::set<std::string> away_;  // By url.
  bool is_reachable_ = true;
  std::int64_t changes_ = 0;
};

}  // namespace rowlock
