// One row for what came later. A new one is written down together with the new kDesiredVersion;
// tests/store/upgrade_test.cpp has the columns of every version.
#include "controller/store/came_with.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

struct Came {
  std::int64_t version;
  std::string_view table;
  std::string_view column;       // "": the table with all that was in it then
  std::string_view before = "";  // see before_it_came()
};

constexpr Came kCame[] = {
    {2, "certificate", ""},
    {2, "proxy", ""},
    {2, "route", ""},
    {2, "route_header", ""},
    {2, "job", "drain_timeout_ms"},
    {3, "api", ""},
    {3, "database", ""},
    {3, "database_role", ""},
    {3, "job_policy", ""},
    {3, "job_secret", ""},
    {3, "job_template", ""},
    {3, "policy", ""},
    {3, "trust", ""},
    {4, "backup_assertion", ""},
    {4, "backup_policy", ""},
    {4, "backup_request", ""},
    {4, "database", "job"},
    {4, "database", "port"},
    {4, "object_store", ""},
    {4, "restore", ""},
    {5, "job", "on_tag_moved"},
    {5, "job", "pull"},
    {5, "job", "tag_look_ms"},
    {5, "job_check", "on_failure"},
    {5, "job_mount", "shared"},
    {5, "node", "image_disk_percent"},
    {5, "node", "image_keep_ms"},
    {5, "registry", ""},
    {5, "retention", ""},
    {5, "route", "hold_max_ms"},
    {5, "route", "retries"},
    {6, "job", "engine_socket"},
    {6, "job", "secrets_api"},
    {6, "route", "raw_path"},
    {7, "backup_exception", ""},
    {7, "backup_limit", ""},
    {7, "backup_policy", "jitter_ms"},
    {7, "job", "cpu_shares", "0"},
    {7, "job", "memory_max_mb", "0"},
    {7, "job", "read_only_tmpfs", "0"},
    {7, "object_store", "ca_file"},
    {7, "proxy", "head_kb"},
    {7, "proxy", "headers_max"},
    {7, "quota", ""},
    {7, "restore", "keep_going"},
    {7, "restore", "only"},
    {7, "restore", "search_path"},
    {7, "restore", "sections"},
    {7, "restore", "single_transaction"},
    {7, "restore", "without"},
};

}  // namespace

std::int64_t came_with(std::string_view table, std::string_view column) {
  std::int64_t version = 1;
  for (const Came& came : kCame) {
    const bool is_it = came.table == table && (came.column == column || came.column.empty());
    if (is_it && came.version > version) version = came.version;
  }
  return version;
}

std::string_view before_it_came(std::string_view table, std::string_view column) {
  for (const Came& came : kCame) {
    if (came.table == table && came.column == column) return came.before;
  }
  return "";
}

Result<> fill_from_old(Database& database, const std::string& table, const std::string& old) {
  const auto columns = TRY(database.query(
      "SELECT n.name, EXISTS (SELECT 1 FROM pragma_table_info(:old) AS o WHERE o.name = n.name) "
      "AS is_old FROM pragma_table_info(:new) AS n",
      {{"old", old}, {"new", table}}));
  std::string names;
  std::string values;
  for (const Row& column : columns) {
    const std::string name = fmt::format("\"{}\"", column.text("name"));
    const std::string_view before = before_it_came(table, column.text("name"));
    const bool is_old = column.integer("is_old") != 0;
    if (!is_old && before.empty()) continue;
    names += (names.empty() ? "" : ", ") + name;
    values += (values.empty() ? "" : ", ") + (is_old ? name : std::string(before));
  }
  return database.run(
      fmt::format("INSERT INTO main.{} ({}) SELECT {} FROM temp.{}", table, names, values, old));
}

}  // namespace rowlock
