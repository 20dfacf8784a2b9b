// The audit log and the secret rows under other hands: a thousand random edits, deletions, swaps
// and truncations, each of which must be found.
#include "controller/secrets/secrets.h"
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <random>

using rowlock::Actor;
using rowlock::Json;
using rowlock::PlanWorld;
using rowlock::Row;

namespace {

const Actor kOperator{"user 0", "[]", true};
constexpr int kHarms = 1000;

// A store with a past.
struct Archive : PlanWorld {
  std::mt19937 dice{20261125};

  Archive() {
    cr_assert(secrets().seal.init(1, 1, kOperator, now_ms()).ok());
    auto& store = secrets().store;
    for (int i = 0; i < 100; ++i) {
      const std::string path = fmt::format("db/{}", i % 12);
      const Json data = Json::object({{"k", Json::string(fmt::format("value {}", i))}});
      cr_assert(store.write(path, data, {}, kOperator, now_ms()).ok());
      cr_assert(store.read(path, 0, kOperator, now_ms()).ok());
    }
    cr_assert(store.delete_versions("db/1", {1}, kOperator, now_ms()).ok());
    cr_assert(store.destroy_versions("db/2", {1}, kOperator, now_ms()).ok());
    cr_assert(
        store.set_metadata("db/3", {5, true, 1000, R"({"a":"b"})"}, kOperator, now_ms()).ok());
    sql("DROP TRIGGER audit_is_not_edited; DROP TRIGGER audit_is_not_cut");
  }

  int roll(int sides) { return static_cast<int>(dice() % static_cast<unsigned>(sides)); }
  std::string one_of(const std::vector<std::string>& all) {
    return all[static_cast<std::size_t>(roll(static_cast<int>(all.size())))];
  }
  // A condition that holds for one row of the table.
  std::string some_row(const std::string& table) {
    const std::string key = table == "audit"            ? "seq = {0}"
                            : table == "secret"         ? "path = '{0}'"
                            : table == "secret_version" ? "path = '{0}' AND version = {1}"
                                                        : "only = 1";
    const std::string columns = table == "audit"            ? "seq, 0"
                                : table == "secret"         ? "path, 0"
                                : table == "secret_version" ? "path, version"
                                                            : "only, 0";
    const std::string row =
        text(fmt::format("SELECT {} FROM {} ORDER BY random() LIMIT 1", columns, table));
    const auto bar = row.find('|');
    return fmt::format(fmt::runtime(key), row.substr(0, bar), row.substr(bar + 1));
  }
  std::string some_column(const std::string& table) {
    return text(
        fmt::format("SELECT name FROM pragma_table_info('{}') WHERE pk = 0 "
                    "ORDER BY random() LIMIT 1",
                    table));
  }
  std::size_t findings() {
    const auto report = secrets().audit.verify();
    cr_assert(report.ok(), "%s", report.ok() ? "" : report.error().message.c_str());
    return report.value().findings.size();
  }

  std::string harm();
};

const std::vector<std::string> kTables = {"audit", "secret", "secret_version", "secret_config",
                                          "audit_head"};

std::string Archive::harm() {
  const std::string table = one_of(kTables);
  switch (roll(6)) {
    case 0:
    case 1: {
      const std::string column = some_column(table);
      const std::string change = one_of(
          {"{0} || 'x'", "'x'", "substr({0}, 2)", "replace({0}, 'a', 'b')", "{0} + 1", "''"});
      return fmt::format("UPDATE OR IGNORE {} SET {} = {} WHERE {}", table, column,
                         fmt::format(fmt::runtime(change), column), some_row(table));
    }
    case 2: return fmt::format("DELETE FROM {} WHERE {}", table, some_row(table));
    case 3: {
      // Two rows change their places, but for the key.
      const std::string column = one_of({"actor", "detail", "hash"});
      const bool is_audit = roll(2) == 0;
      const std::string of = is_audit ? "audit" : "secret_version";
      const std::string what = is_audit ? column : one_of({"sealed", "data_key", "digest", "keys"});
      const std::string left = some_row(of);
      const std::string right = some_row(of);
      return fmt::format(
          "CREATE TEMP TABLE swap AS SELECT (SELECT {0} FROM {1} WHERE {2}) AS l, (SELECT {0} FROM "
          "{1} WHERE {3}) AS r; UPDATE {1} SET {0} = (SELECT r FROM temp.swap) WHERE {2};"
          "UPDATE {1} SET {0} = (SELECT l FROM temp.swap) WHERE {3}; DROP TABLE temp.swap",
          what, of, left, right);
    }
    case 4: {
      const int kept = 1 + roll(200);
      return fmt::format(
          "DELETE FROM audit WHERE seq > {0}; UPDATE audit_head SET seq = {0}, hash = "
          "(SELECT hash FROM audit WHERE seq = {0})",
          kept);
    }
    case 5:
      return one_of(
          {"INSERT INTO audit SELECT max(seq) + 1, at_ms, actor, operation, path, version, "
           "outcome, "
           "detail, value, hash FROM audit",
           "INSERT INTO secret_version SELECT 'db/forged', version, created_at_ms, created_by, "
           "deleted_at_ms, destroyed, keys, kek, data_key, sealed, digest FROM secret_version "
           "LIMIT 1",
           "INSERT INTO secret SELECT 'db/forged', current_version, oldest_version, max_versions, "
           "cas_required, delete_after_ms, custom_metadata, created_at_ms, updated_at_ms, digest "
           "FROM secret LIMIT 1",
           "DELETE FROM secret_version WHERE path = 'db/4'; DELETE FROM secret WHERE path = 'db/4'",
           "DELETE FROM audit", "DELETE FROM secret_version"});
    default: UNREACHABLE();
  }
}

}  // namespace

Test(secrets_audit, a_thousand_harms_are_all_found, .timeout = 300) {
  Archive archive;
  cr_assert_eq(archive.findings(), 0);

  int harmed = 0;
  while (harmed < kHarms) {
    archive.sql("SAVEPOINT harm");
    const std::string before = archive.text("SELECT total_changes()");
    const std::string print =
        "SELECT (SELECT group_concat(quote(seq) || quote(at_ms) || quote(actor) || "
        "quote(operation) "
        "|| quote(path) || quote(version) || quote(outcome) || quote(detail) || quote(value) || "
        "quote(hash)) FROM audit), (SELECT group_concat(quote(seq) || quote(hash) || quote(rows) "
        "|| "
        "quote(sum) || quote(mac)) FROM audit_head), (SELECT group_concat(quote(path) || "
        "quote(current_version) || quote(oldest_version) || quote(max_versions) || "
        "quote(cas_required) || quote(delete_after_ms) || quote(custom_metadata) || "
        "quote(created_at_ms) || quote(updated_at_ms) || quote(digest)) FROM secret), (SELECT "
        "group_concat(quote(path) || quote(version) || quote(created_at_ms) || quote(created_by) "
        "|| "
        "quote(deleted_at_ms) || quote(destroyed) || quote(keys) || quote(kek) || quote(data_key) "
        "|| "
        "quote(sealed) || quote(digest)) FROM secret_version), (SELECT quote(max_versions) || "
        "quote(cas_required) || quote(delete_after_ms) || quote(digest) FROM secret_config)";
    const std::string was = archive.text(print);
    const std::string harm = archive.harm();
    const bool is_possible = archive.rows().run(harm).ok();  // A CHECK may refuse it.
    if (is_possible && archive.text(print) != was) {
      ++harmed;
      cr_expect_gt(archive.findings(), 0, "not found: %s", harm.c_str());
    }
    archive.sql("DROP TABLE IF EXISTS temp.swap; ROLLBACK TO harm; RELEASE harm");
  }
  cr_expect_eq(archive.findings(), 0, "all as it was");
}

Test(secrets_audit, rights_that_were_written_into_a_token_by_other_hands_are_none) {
  for (const char* edit :
       {"policies = '[\"root\"]'", "ends_at_ms = ends_at_ms + 1", "name = 'root'",
        "kind = 'instance', instance = 1", "accessor = 'x'", "digest = ''"}) {
    Archive archive;
    const auto made = archive.secrets().tokens.make({}, archive.now_ms());
    cr_assert(made.ok());
    cr_assert(archive.secrets().tokens.find(made.value().text, archive.now_ms()).ok());

    archive.sql(fmt::format("UPDATE token SET {}", edit));

    cr_expect(!archive.secrets().tokens.find(made.value().text, archive.now_ms()).ok(), "%s", edit);
  }
}

Test(secrets_audit, what_was_swapped_is_never_read_as_another_secret) {
  Archive archive;
  archive.sql(
      "UPDATE secret_version SET (data_key, sealed, kek, digest) = (SELECT data_key, sealed, "
      "kek, digest FROM secret_version WHERE path = 'db/5' AND version = 1) "
      "WHERE path = 'db/6' AND version = 1");

  const auto read = archive.secrets().store.read("db/6", 1, kOperator, archive.now_ms());

  cr_assert(!read.ok());
  cr_expect(read.error().message.find("changed by other hands") != std::string::npos, "%s",
            read.error().message.c_str());
}
