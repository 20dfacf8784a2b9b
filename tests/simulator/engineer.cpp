// Every edit is drawn from a seed and made through a second connection, as a person's client would.
// Edits that are refused on purpose are taken back by tidy_up().
#include "tests/simulator/engineer.h"

#include "tests/simulator/engines.h"
#include "tests/simulator/logins.h"

#include <fmt/format.h>

namespace rowlock::simulator {

namespace {

const std::vector<std::string> kJobs = {"api", "cart", "mail", "web"};
const std::vector<std::string> kRoutes = {"docs", "shop", "site"};

}  // namespace

void Engineer::run(const std::string& sql) {
  auto ran = stage_.desired().run(sql);
  if (!ran.ok()) fmt::print(stderr, "simulator: {}\n{}\n", ran.error().message, sql);
  CHECK(ran.ok());
}

// Consent to whatever the edit deletes, given with it.
std::string Engineer::approvals() {
  auto revision = stage_.state().scalar("SELECT COALESCE(max(id), 0) FROM revision");
  CHECK(revision.ok());
  return fmt::format(
      "DELETE FROM approval; INSERT INTO approval (revision, table_name, deletes) VALUES ({0}, "
      "'job', 99), "
      "({0}, 'job_check', 99), ({0}, 'job_port', 99), ({0}, 'job_constraint', 99), "
      "({0}, 'route', 99), ({0}, 'route_header', 99), ({0}, 'job_policy', 99), "
      "({0}, 'job_secret', 99), ({0}, 'policy', 99);",
      text_of(revision.value()));
}

void Engineer::commit(const std::string& sql) {
  run("BEGIN IMMEDIATE;" + approvals() + sql + "; COMMIT;");
}

void Engineer::begin() {
  std::string rows = "INSERT INTO node (name) VALUES ('local');";
  if (random_.chance(400)) {
    rows += fmt::format("INSERT INTO node (name, endpoint) VALUES ('north', '{}');",
                        Engines::endpoint_of("north"));
  }
  for (std::int64_t i = random_.between(1, 2); i > 0; --i) {
    rows += new_job(kJobs[static_cast<std::size_t>(i)]);
  }
  commit(rows);
  has_routes_ = random_.chance(500);
  if (has_routes_) commit(edit_routes());
}

void Engineer::add_job(const std::string& name, const std::string& columns,
                       const std::string& values) {
  commit(fmt::format(
             "INSERT OR IGNORE INTO node (name) VALUES ('local');"
             "INSERT INTO job (name, min_healthy_ms, healthy_deadline_ms, progress_deadline_ms, "
             "drain_timeout_ms, {}) VALUES ('{}', 2000, 20000, 60000, 5000, {});",
             columns, name, values) +
         checks_of(name));
}

std::string Engineer::new_image(int bad_permille) {
  const char* sort = "web";
  if (random_.chance(bad_permille))
    sort = random_.pick(std::vector<const char*>{"sick", "crash", "ghost"});
  return fmt::format("{}:{}", sort, ++images_ % 60);
}

std::string Engineer::checks_of(const std::string& name) {
  std::string rows =
      fmt::format("INSERT INTO job_port (job, label, port) VALUES ('{}', 'main', 80);", name);
  const auto check = [&](const char* called, const char* type, const char* more,
                         const char* value) {
    if (random_.chance(400)) return;
    rows += fmt::format(
        "INSERT INTO job_check (job, name, type, port, timeout_ms, interval_ms, passes, "
        "failures, grace_ms{}) "
        "VALUES ('{}', '{}', '{}', 'main', {}, {}, {}, {}, {}{});",
        more, name, called, type, kCheckTimeoutMs, random_.between(2, 5) * 1000,
        random_.between(1, 3), random_.between(1, 3), random_.chance(300) ? "8000" : "NULL", value);
  };
  check("tcp", "tcp", "", "");
  check("ready", "http", ", path", ", '/ready'");
  check("exec", "exec", ", command", ", '[\"true\"]'");
  return rows;
}

std::string Engineer::new_job(const std::string& name) {
  const std::string image = new_image(150);
  return fmt::format(
             "INSERT INTO job (name, count, image, update_order, max_parallel, min_healthy_ms, "
             "healthy_deadline_ms, progress_deadline_ms, auto_revert, restart_delay_max_ms, "
             "restart_reset_ms, drain_timeout_ms, tag_look_ms, on_tag_moved) "
             "VALUES ('{}', {}, '{}', '{}', {}, {}, {}, {}, {}, {}, {}, {}, 10000, '{}');",
             name, random_.between(1, 3), image, random_.chance(500) ? "start_first" : "stop_first",
             random_.between(1, 2), random_.between(0, 3) * 1000, random_.between(8, 20) * 1000,
             random_.between(40, 70) * 1000, random_.chance(750) ? 1 : 0,
             random_.between(8, 16) * 1000, random_.between(20, 60) * 1000,
             random_.between(3, 8) * 1000, images_ % 2 == 0 ? "deploy" : "ignore") +
         checks_of(name) + (secret_dice_ ? secrets_of(name) : "");
}

std::string Engineer::secrets_of(const std::string& name) {
  if (secret_dice_->chance(300)) return "";
  std::string login;
  if (secret_dice_->chance(400)) {
    login = login_rows() + fmt::format(
                               "INSERT INTO job_secret (job, path, key, name) VALUES ('{}', "
                               "'database/creds/app', 'username', '{}');",
                               name, kLoginFile);
  }
  return login + fmt::format(
                     "INSERT OR IGNORE INTO policy (name, path) VALUES ('all', 'db/*'), ('all', "
                     "'database/*');"
                     "INSERT INTO job_policy (job, policy) VALUES ('{0}', 'all');"
                     "INSERT INTO job_secret (job, path, key, name, on_change) VALUES ('{0}', "
                     "'{1}', 'pw', 'pw', "
                     "'{2}');",
                     name, secret_dice_->chance(500) ? "db/one" : "db/two",
                     secret_dice_->pick(std::vector<const char*>{"restart", "signal", "replace"}));
}

// One of those there are, or "".
std::string Engineer::job() {
  auto rows = stage_.desired().query("SELECT name FROM job ORDER BY name");
  CHECK(rows.ok());
  return rows.value().empty() ? "" : random_.pick(rows.value()).text("name");
}

std::string Engineer::hold_open(const std::string& sql) {
  run("BEGIN IMMEDIATE;" + approvals() + sql);
  holds_open_ = true;
  timeline_.after(random_.between(100, 20000), [this, commits = random_.chance(500)] {
    if (holds_open_) run(commits ? "COMMIT" : "ROLLBACK");
    holds_open_ = false;
  });
  return "holds open: " + sql;
}

std::string Engineer::edit_policy(const std::string& name) {
  const std::string where = fmt::format(" WHERE name = '{}'", name);
  switch (random_.between(0, 5)) {
    case 0: return fmt::format("UPDATE job SET max_parallel = {}{}", random_.between(1, 3), where);
    case 1:
      return "UPDATE job SET update_order = CASE update_order WHEN 'stop_first' THEN 'start_first' "
             "ELSE 'stop_first' END" +
             where;
    case 2:
      return fmt::format("UPDATE job SET min_healthy_ms = {}{}", random_.between(0, 5) * 1000,
                         where);
    case 3: return "UPDATE job SET restart = restart + 1" + where;
    case 4:  // A slip, or its mending.
      return fmt::format(
          "UPDATE job_check SET path = CASE path WHEN '/ready' THEN '{1}' ELSE '/ready' END "
          "WHERE job = '{0}' AND type = 'http'",
          name, kWrongPath);
    default:
      return fmt::format(
          "DELETE FROM job_check WHERE job = '{0}'; DELETE FROM job_port WHERE job = '{0}'; {1}",
          name, checks_of(name));
  }
}

std::string Engineer::edit_jobs() {
  const std::string name = random_.pick(kJobs);
  auto there =
      stage_.desired().scalar("SELECT count(*) FROM job WHERE name = :name", {{"name", name}});
  auto all = stage_.desired().scalar("SELECT count(*) FROM job");
  CHECK(there.ok() && all.ok());
  if (std::get<std::int64_t>(there.value()) == 0) return new_job(name);
  if (std::get<std::int64_t>(all.value()) == 1) return "UPDATE job SET restart = restart + 1";
  return leave_routes(name) + fmt::format("DELETE FROM job WHERE name = '{}'", name);
}

// ---- Routes -------------------------------------------------------------------------------------

std::string Engineer::leave_routes(const std::string& job) {
  auto other = stage_.desired().query("SELECT name FROM job WHERE name <> :job ORDER BY name",
                                      {{"job", job}});
  CHECK(other.ok() && !other.value().empty());
  const std::string to = random_.pick(other.value()).text("name");
  const char* const first =
      random_.chance(500) ? "DELETE FROM route WHERE job = '{0}';"
                          : "UPDATE route SET job = '{1}', next_job = NULL WHERE job = '{0}';";
  return fmt::format(
      fmt::runtime(std::string(first) + "UPDATE route SET next_job = NULL, next_percent = 0 WHERE "
                                        "next_job = '{0}';"),
      job, to);
}

std::string Engineer::edit_route(const std::string& name) {
  const std::string where = fmt::format(" WHERE name = '{}'", name);
  const std::string to = job();
  switch (random_.between(0, 8)) {
    case 0: return "UPDATE route SET strip_prefix = 1 - strip_prefix" + where;
    case 1:
      return fmt::format(
          "INSERT OR REPLACE INTO route_header (route, name, value) VALUES ('{}', 'X-Edit', '{}')",
          name, ++images_);
    case 2: return fmt::format("DELETE FROM route_header WHERE route = '{}'", name);
    case 3: return "UPDATE route SET maintenance = 1 - maintenance" + where;
    case 4: return "UPDATE route SET pause = 1 - pause, pause_max_ms = pause_max_ms + 1" + where;
    case 5: return "DELETE FROM route" + where;
    case 6:  // Whoever served it may be done with by the same edit.
      return (random_.chance(500)
                  ? fmt::format("UPDATE job SET count = 0 WHERE name <> '{}' AND name IN (SELECT "
                                "job FROM route WHERE name = '{}');",
                                to, name)
                  : "") +
             fmt::format("UPDATE route SET job = '{}', next_job = NULL, next_percent = 0", to) +
             where;
    case 7:
      return fmt::format("UPDATE route SET next_percent = {}", random_.between(0, 100)) + where;
    default:
      return fmt::format("UPDATE route SET next_job = nullif('{}', job), next_percent = {}", to,
                         random_.between(0, 100)) +
             where;
  }
}

std::string Engineer::edit_routes() {
  const std::string name = random_.pick(kRoutes);
  auto there =
      stage_.desired().scalar("SELECT count(*) FROM route WHERE name = :name", {{"name", name}});
  CHECK(there.ok());
  if (std::get<std::int64_t>(there.value()) != 0) return edit_route(name);
  return fmt::format(
      "INSERT INTO route (name, host, job, port) VALUES ('{0}', '{0}.example.org', '{1}', 'main')",
      name, job());
}

void Engineer::add_route(const std::string& name, const std::string& job) {
  commit(fmt::format(
      "INSERT INTO route (name, host, job, port) VALUES ('{0}', '{0}.example.org', '{1}', 'main')",
      name, job));
}

std::string Engineer::edit_nodes() {
  auto there = stage_.desired().scalar("SELECT count(*) FROM node WHERE name = 'north'");
  CHECK(there.ok());
  if (std::get<std::int64_t>(there.value()) == 0) {
    return fmt::format("INSERT INTO node (name, endpoint) VALUES ('north', '{}')",
                       Engines::endpoint_of("north"));
  }
  return random_.chance(500) ? "UPDATE node SET eligible = 1 - eligible WHERE name = 'north'"
                             : "DELETE FROM node WHERE name = 'north'";
}

std::string Engineer::edit() {
  if (holds_open_) return "has a transaction open";
  const std::string name = job();
  std::string sql;
  const std::int64_t sort = random_.between(0, 9);
  if (has_routes_ && random_.chance(300)) {
    sql = edit_routes();
  } else if (sort <= 2) {
    sql = fmt::format("UPDATE job SET image = '{}' WHERE name = '{}'", new_image(300), name);
  } else if (sort <= 4) {
    sql = fmt::format("UPDATE job SET count = {} WHERE name = '{}'", random_.between(0, 5), name);
  } else if (sort <= 6) {
    sql = edit_policy(name);
  } else if (sort == 7) {
    sql = edit_jobs();
  } else if (sort == 8 && random_.chance(500)) {
    sql = edit_nodes();
  } else if (sort == 8) {
    sql = fmt::format(
        "INSERT OR IGNORE INTO job_constraint (job, attribute, value) VALUES ('{}', 'node', "
        "'nowhere')",
        name);  // Refused, with all that follows, until it is taken back.
    timeline_.after(random_.between(1000, 20000), [this] {
      if (!holds_open_) tidy_up();
    });
  } else {
    return hold_open(
        fmt::format("UPDATE job SET image = '{}' WHERE name = '{}'", new_image(100), name));
  }
  commit(sql);
  return sql;
}

void Engineer::keep_data(Engines& engines) {
  engines.declare_volumes();
  keeps_data_ = true;
}

void Engineer::tidy_up() {
  if (holds_open_) run("ROLLBACK");
  holds_open_ = false;
  commit("DELETE FROM job_constraint WHERE value = 'nowhere'");
  commit(fmt::format("UPDATE job_check SET path = '/ready' WHERE path = '{}'", kWrongPath));
  // An instance waits for the node that has its data.
  if (keeps_data_) commit("UPDATE node SET eligible = 1");
}

// Those that run a good spec now and must go back to it. Without a check, a spec may have succeeded
// that is no good, so such jobs are left out.
std::map<std::string, std::string> Engineer::proven_images() {
  auto rows = stage_.state().query(
      "SELECT j.name, j.image FROM job AS j JOIN status AS s ON s.kind = 'job' AND s.name = j.name "
      "WHERE s.state = 'converged' AND j.count > 0 AND j.auto_revert = 1 "
      "AND j.name IN (SELECT job FROM job_check)");
  CHECK(rows.ok());
  std::map<std::string, std::string> proven;
  for (const Row& row : rows.value()) {
    if (is_good(row.text("image"))) proven.emplace(row.text("name"), row.text("image"));
  }
  return proven;
}

std::map<std::string, std::string> Engineer::set_exam() {
  const std::map<std::string, std::string> proven = proven_images();
  auto rows = stage_.desired().query("SELECT name FROM job ORDER BY name");
  CHECK(rows.ok());
  if (has_routes_) commit(random_.chance(150) ? "DELETE FROM route" : edit_routes());
  for (const Row& row : rows.value()) {
    const std::string where = fmt::format("WHERE name = '{}'", row.text("name"));
    const std::string change =
        fmt::format("UPDATE job SET image = '{}', count = max(count, 1) {}", new_image(250), where);
    if (random_.chance(600)) {
      commit(change);
      continue;
    }
    // One slip after the other: the first has not ended when the second comes.
    commit(fmt::format("UPDATE job SET image = '{}' {}", new_image(1000), where));
    timeline_.after(random_.between(500, 4000), [this, change] { commit(change); });
  }
  return proven;
}

}  // namespace rowlock::simulator
