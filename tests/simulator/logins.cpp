// The truth is in three places: the server's roles, the folders of the instances, and what runs.
#include "tests/simulator/logins.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace rowlock::simulator {

namespace {

constexpr const char* kUrl = "postgresql://admin@10.0.0.8:5432/app";

// Who owns each login, by the role's name.
std::map<std::string, std::string> owners(Stage& stage) {
  auto rows =
      stage.state().query("SELECT username, instance || '/' || role AS owner FROM database_login");
  CHECK(rows.ok());
  std::map<std::string, std::string> all;
  for (const Row& row : rows.value()) all[row.text("username")] = row.text("owner");
  return all;
}

// The role that stands in the folder of that instance; "" when there is none.
std::string given(Engines& engines, const std::string& folder) {
  const auto file = engines.fake_secret_folders().file(folder, kLoginFile);
  return file ? file->content : "";
}

}  // namespace

std::string login_rows() {
  return fmt::format(
      "INSERT OR IGNORE INTO database (name, url) VALUES ('app', '{}');"
      "INSERT OR IGNORE INTO database_role (name, database) VALUES ('app', 'app');",
      kUrl);
}

Violated wrong_logins(Stage& stage, Engines& engines) {
  const std::vector<std::string> roles = engines.fake_postgres().role_names(kUrl);
  const std::map<std::string, std::string> known = owners(stage);
  std::set<std::string> owning;
  for (const std::string& role : roles) {
    const auto owner = known.find(role);
    if (owner == known.end()) return "no row speaks of the login " + role;
    if (!owning.insert(owner->second).second) return "two logins of " + owner->second;
  }
  for (const auto& [node, container] : engines.containers()) {
    const std::string role = given(engines, container.name);
    if (container.state != ContainerState::running || role.empty()) continue;
    if (engines.was_touched_late(container.name)) continue;
    if (std::find(roles.begin(), roles.end(), role) == roles.end()) {
      return fmt::format("{} runs, and its login {} is gone", container.name, role);
    }
  }
  return std::nullopt;
}

std::string unsettled_logins(Stage& stage, Engines& engines) {
  std::set<std::string> needed;
  auto rows = stage.state().query(
      "SELECT i.name FROM instance AS i JOIN spec AS s ON s.id = i.spec "
      "JOIN json_each(s.body, '$.secrets.needs') AS n "
      "ON json_extract(n.value, '$.path') = 'database/creds/app' "
      "WHERE i.run = 1 AND i.container = 'running'");
  CHECK(rows.ok());
  for (const Row& row : rows.value()) {
    const std::string role = given(engines, row.text("name"));
    if (role.empty()) return row.text("name") + " has no login";
    needed.insert(role);
  }
  const auto roles = engines.fake_postgres().role_names(kUrl);
  if (std::equal(roles.begin(), roles.end(), needed.begin(), needed.end())) return "";
  return fmt::format("{} logins for {} instances that need one", roles.size(), needed.size());
}

}  // namespace rowlock::simulator
