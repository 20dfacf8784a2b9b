// What other hands do to the tables of the secret store is found, whatever it is.
#include "controller/secrets/audit.h"

#include "controller/crypto/encoding.h"
#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <random>

using rowlock::Actor;
using rowlock::ApiRig;
using rowlock::AuditLog;
using rowlock::AuditReport;
using rowlock::Database;
using rowlock::Fault;
using rowlock::Json;
using rowlock::Result;
using rowlock::Row;
using rowlock::SecretBytes;
using rowlock::SecretSettings;
using rowlock::text_of;

namespace {

const Actor kOperator{"user 0", "[]", true};
constexpr int kManipulations = 1000;
const std::vector<std::string> kTables = {
    "audit",  "secret",     "secret_version", "secret_config", "audit_head", "keyring",
    "policy", "job_policy", "trust",          "api",           "token",      "token_gone"};

// Thirty secrets with a past, and a connection of somebody who has the file.
struct TamperedRig : ApiRig {
  Database other;
  AuditLog audit;  // Of the same keys, on what that connection sees.
  std::mt19937 dice{20260101};

  TamperedRig() : other(opened(folder / "state.db")), audit(other, schema, secrets.keyring) {
    fill();
    give_rights();
    hands("DROP TRIGGER audit_is_not_edited; DROP TRIGGER audit_is_not_cut");
  }

  static Database opened(const std::string& path) {
    auto database = Database::open(path, Database::Mode::read_write);
    cr_assert(database.ok());
    return std::move(database).value();
  }

  template <typename T>
  static void fine(const Result<T>& result) {
    cr_assert(result.ok(), "%s", result.ok() ? "" : result.error().message.c_str());
  }

  static std::string path_of(int number) {
    return fmt::format("app/{}/{}", number % 3 == 0 ? "db" : "web", number);
  }

  void fill() {
    sql("BEGIN");
    for (int number = 0; number < 30; ++number) {
      const std::string path = path_of(number);
      for (int version = 0; version < 2 + number % 4; ++version) {
        const Json data =
            Json::object({{"password", Json::string(fmt::format("{}.{}", path, version))}});
        fine(secrets.store.write(path, data, {}, kOperator, now_ms++));
      }
      for (int read = 0; read < 5; ++read) {
        fine(secrets.store.read(path, 1, kOperator, now_ms++));
      }
      SecretSettings settings;
      settings.custom_metadata = fmt::format("{{\"owner\":\"team {}\"}}", number);
      fine(secrets.store.set_metadata(path, settings, kOperator, now_ms++));
      if (number % 5 == 1) fine(secrets.store.delete_versions(path, {1}, kOperator, now_ms++));
      if (number % 5 == 2) fine(secrets.store.destroy_versions(path, {1, 2}, kOperator, now_ms++));
      if (number % 10 == 9) fine(secrets.store.remove(path, kOperator, now_ms++));
    }
    sql("COMMIT");
  }

  // One row at least of each table that gives rights, and a token that has gone.
  void give_rights() {
    sql("INSERT INTO job (name, image) VALUES ('web', 'i:1'), ('db', 'i:1');"
        "INSERT INTO policy (name, path, capabilities) VALUES ('web', 'app/*', 'deny');"
        "INSERT INTO job_policy (job, policy) VALUES ('web', 'web'), ('db', 'web');"
        "INSERT INTO api (listen) VALUES ('127.0.0.1:8200');"
        "INSERT INTO trust (name, issuer, audience, claims, keys)"
        " VALUES ('ci', 'https://ci', 'us', '{\"sub\":\"a\"}', '/etc/keys')");
    for (const char* path : {"app/web/1", "app/web/2", "app/web/4"}) token_for(path, "read");
    ask_with(token_for("app/web/5", "read"), "POST", "/v1/auth/token/revoke-self");
    accept();
  }
  // As the controller does when desired.db says what the rows are.
  void accept() {
    sql("BEGIN");
    fine(secrets.rights.accepted());
    sql("COMMIT");
  }

  // "" or what SQLite says.
  std::string hands(const std::string& statements) {
    const auto done = other.run(statements);
    return done.ok() ? "" : done.error().message;
  }
  std::string seen(const std::string& query) {
    const auto found = other.scalar(query);
    cr_assert(found.ok(), "%s: %s", query.c_str(), found.ok() ? "" : found.error().message.c_str());
    return text_of(found.value());
  }

  // All that is in the tables, with the types.
  std::string all() {
    std::string text;
    for (const std::string& table : kTables) {
      std::string cells;
      for (const std::string& column : columns(table)) {
        cells += (cells.empty() ? "" : " || ',' || ") + fmt::format("quote(\"{}\")", column);
      }
      text += seen(fmt::format(
          "SELECT group_concat(c, ';') FROM (SELECT {} AS c FROM {} ORDER BY 1)", cells, table));
    }
    return text;
  }
  std::vector<std::string> columns(const std::string& table) {
    const auto rows = other.query(fmt::format("SELECT name FROM pragma_table_info('{}')", table));
    cr_assert(rows.ok());
    std::vector<std::string> names;
    for (const Row& row : rows.value()) names.push_back(row.text("name"));
    return names;
  }

  std::size_t draw(std::size_t below) { return dice() % below; }
  std::string one_of(const std::vector<std::string>& all) { return all[draw(all.size())]; }
  // An expression that picks one row; of `table`, as its key.
  std::string any_row(const std::string& table) {
    const std::size_t rows = std::stoul(seen("SELECT count(*) FROM " + table));
    const std::string at = fmt::format("LIMIT 1 OFFSET {}", draw(rows));
    if (table == "token" || table == "token_gone") {
      return fmt::format("hash = (SELECT hash FROM {} ORDER BY hash {})", table, at);
    }
    if (table == "secret")
      return fmt::format("path = (SELECT path FROM secret ORDER BY path {})", at);
    if (table == "secret_version") {
      return fmt::format(
          "(path, version) = (SELECT path, version FROM secret_version ORDER BY path, version {})",
          at);
    }
    return fmt::format("rowid = (SELECT rowid FROM {} ORDER BY rowid {})", table, at);
  }

  std::string edit() {
    const std::string table = one_of(kTables);
    const std::string column = one_of(columns(table));
    const std::string value = one_of(
        {fmt::format("\"{}\" + 1", column), fmt::format("\"{}\" || 'x'", column), "''", "0", "NULL",
         "1", "'allowed'", "'[]'", "x'00ff'", fmt::format("substr(\"{}\", 2)", column),
         fmt::format("CAST(\"{}\" AS BLOB)", column), fmt::format("\"{}\"", column),
         fmt::format("(SELECT \"{}\" FROM {} WHERE {})", column, table, any_row(table))});
    return fmt::format("UPDATE {} SET \"{}\" = {} WHERE {}", table, column, value, any_row(table));
  }
  std::string removal() {
    const std::string table = one_of(kTables);
    return fmt::format("DELETE FROM {} WHERE {}", table, any_row(table));
  }
  std::string swap_of_lines() {
    const std::size_t lines = std::stoul(seen("SELECT count(*) FROM audit"));
    const std::size_t one = 1 + draw(lines);
    const std::size_t two = 1 + draw(lines);
    return fmt::format(
        "UPDATE audit SET seq = -1 WHERE seq = {0}; UPDATE audit SET seq = {0} WHERE seq = {1};"
        "UPDATE audit SET seq = {1} WHERE seq = -1",
        one, two);
  }
  std::string truncation() {
    const std::size_t kept = draw(std::stoul(seen("SELECT count(*) FROM audit")));
    const std::string cut = fmt::format("DELETE FROM audit WHERE seq > {}", kept);
    return cut +
           one_of({"", fmt::format("; UPDATE audit_head SET seq = {0}, hash = COALESCE((SELECT "
                                   "hash FROM audit WHERE seq = {0}), '')",
                                   kept)});
  }
  std::string forged_line() {
    const std::string seq = one_of({"(SELECT max(seq) + 1 FROM audit)", "0", "-7",
                                    "9223372036854775807", "-9223372036854775808"});
    return fmt::format(
               "INSERT INTO audit SELECT {}, at_ms, actor, operation, path, version, outcome, "
               "detail, "
               "value, hash FROM audit WHERE {}",
               seq, any_row("audit")) +
           one_of({"", "; UPDATE audit_head SET seq = seq + 1"});
  }
  // The same columns of two rows, each in the place of the other.
  std::string swap_of_versions() {
    const std::string set = one_of({"sealed", "data_key", "sealed, data_key",
                                    "sealed, data_key, kek", "sealed, data_key, kek, keys, digest",
                                    "digest", "created_by", "created_at_ms, digest"});
    const std::string one = any_row("secret_version");
    const std::string two = any_row("secret_version");
    return fmt::format(
        "CREATE TEMP TABLE held AS SELECT * FROM secret_version WHERE {1};"
        "UPDATE secret_version SET ({0}) = (SELECT {0} FROM secret_version WHERE {2}) WHERE {1};"
        "UPDATE secret_version SET ({0}) = (SELECT {0} FROM held) WHERE {2}; DROP TABLE held",
        set, one, two);
  }
  std::string copy() {
    return one_of(
        {fmt::format(
             "INSERT INTO secret_version SELECT path, version + {}, created_at_ms, "
             "created_by, deleted_at_ms, destroyed, keys, kek, data_key, sealed, digest FROM "
             "secret_version WHERE {}",
             one_of({"100", "-100"}), any_row("secret_version")),
         fmt::format("INSERT INTO secret_version SELECT {}, version, created_at_ms, created_by, "
                     "deleted_at_ms, destroyed, keys, kek, data_key, sealed, digest FROM "
                     "secret_version WHERE {}",
                     one_of({"''", "'new'", "path || '/x'"}), any_row("secret_version")),
         fmt::format(
             "INSERT INTO secret SELECT {}, current_version, oldest_version, max_versions, "
             "cas_required, delete_after_ms, custom_metadata, created_at_ms, updated_at_ms, "
             "{} FROM secret WHERE {}",
             one_of({"''", "'new'", "'zz'"}), one_of({"digest", "''"}), any_row("secret")),
         fmt::format(
             "INSERT INTO keyring SELECT id + 10, purpose, created_at_ms, sealed FROM keyring "
             "WHERE {}",
             any_row("keyring"))});
  }
  std::string manipulation() {
    switch (draw(10)) {
      case 0: return removal();
      case 1: return swap_of_lines();
      case 2: return truncation();
      case 3: return forged_line();
      case 4: return swap_of_versions();
      case 5: return copy();
      default: return edit();
    }
  }
};

std::string first_of(const AuditReport& report) {
  return report.findings.empty() ? "nothing" : report.findings.front();
}

}  // namespace

Test(secrets_audit, whatever_other_hands_change_is_found_and_nothing_else, .timeout = 300) {
  TamperedRig rig;
  const std::string before = rig.all();
  auto clean = rig.audit.verify();
  cr_assert(clean.ok() && clean.value().findings.empty(), "%s", first_of(clean.value()).c_str());
  cr_expect_geq(clean.value().lines, 250);

  int changes = 0;
  int no_changes = 0;
  for (int done = 0; done < kManipulations;) {
    cr_assert(rig.hands("SAVEPOINT trial").empty());
    const std::string text = rig.manipulation();
    if (rig.hands(text).empty()) {
      ++done;
      const bool is_change = rig.all() != before;
      (is_change ? changes : no_changes) += 1;
      const auto report = rig.audit.verify();
      cr_assert(report.ok(), "%s: %s", text.c_str(), report.error().message.c_str());
      cr_expect_eq(report.value().findings.empty(), !is_change, "%s: %s", text.c_str(),
                   first_of(report.value()).c_str());
    }  // else: the tables themselves refuse it
    cr_assert(rig.hands("ROLLBACK TO trial; RELEASE trial").empty());
  }

  cr_expect_geq(changes, kManipulations * 3 / 4);
  cr_expect_geq(no_changes, 10);
  clean = rig.audit.verify();
  cr_expect(clean.ok() && clean.value().findings.empty());
}

Test(secrets_audit, a_version_in_the_place_of_another_is_an_error_and_never_a_value) {
  TamperedRig rig;
  const auto versions = rig.other.query(
      "SELECT path, version FROM secret_version WHERE destroyed = 0 AND deleted_at_ms IS NULL");
  cr_assert(versions.ok());
  const std::vector<Row>& rows = versions.value();
  for (int trial = 0; trial < 200; ++trial) {
    const Row& one = rows[rig.draw(rows.size())];
    const Row& two = rows[rig.draw(rows.size())];
    if (&one == &two) {
      continue;
    }
    const std::string set =
        rig.one_of({"sealed", "sealed, data_key", "sealed, data_key, kek, digest",
                    "created_at_ms, created_by, sealed, data_key, kek, digest"});
    rig.sql("SAVEPOINT trial");
    rig.sql(fmt::format(
        "UPDATE secret_version SET ({0}) = (SELECT {0} FROM secret_version WHERE path "
        "= '{1}' AND version = {2}) WHERE path = '{3}' AND version = {4}",
        set, two.text("path"), two.integer("version"), one.text("path"), one.integer("version")));

    const auto read =
        rig.secrets.store.read(one.text("path"), one.integer("version"), kOperator, rig.now_ms);

    cr_expect(!read.ok() && read.error().fault == Fault::broken, "%s", set.c_str());
    rig.sql("ROLLBACK TO trial; RELEASE trial");
  }
}

// Otherwise the next line, or the next change of the row, would make it true.
Test(secrets_audit, what_was_changed_is_not_built_upon) {
  TamperedRig rig;
  const auto refuses = [&](const char* what, const Result<>& done) {
    cr_expect(!done.ok() && done.error().fault == Fault::broken, "%s: %s", what,
              done.ok() ? "was done" : done.error().message.c_str());
    rig.sql("ROLLBACK TO trial; RELEASE trial");
  };
  const std::string path = TamperedRig::path_of(0);

  rig.sql(
      "SAVEPOINT trial; DELETE FROM audit WHERE seq > 200; UPDATE audit_head SET seq = 200, hash = "
      "(SELECT hash FROM audit WHERE seq = 200)");
  refuses("a cut log", rig.secrets.audit.append({"a", "read", "x", {}, "allowed", "", ""}, 0));
  rig.sql("SAVEPOINT trial; UPDATE secret_version SET created_by = 'me' WHERE path = '" + path +
          "'");
  refuses("a version", rig.secrets.store.delete_versions(path, {1}, kOperator, rig.now_ms));
  rig.sql("SAVEPOINT trial; UPDATE secret SET max_versions = 1 WHERE path = '" + path + "'");
  refuses("a secret", rig.secrets.store.set_metadata(path, {}, kOperator, rig.now_ms));
  rig.sql("SAVEPOINT trial; UPDATE secret_config SET max_versions = 1");
  refuses("the settings", rig.secrets.store.set_config({}, kOperator, rig.now_ms));
}

Test(secrets_audit, a_row_of_the_keyring_that_is_missing_or_moved_does_not_open) {
  TamperedRig rig;
  const SecretBytes key(rowlock::from_base64(rig.unseal_key).value());
  for (const char* change :
       {"DELETE FROM keyring WHERE purpose = 'kek'", "DELETE FROM keyring WHERE purpose = 'audit'",
        "DELETE FROM keyring WHERE purpose = 'token'",
        "DELETE FROM keyring WHERE purpose = 'identity'",
        "UPDATE keyring SET created_at_ms = created_at_ms + 1 WHERE purpose = 'identity'",
        "UPDATE keyring SET id = id + 10 WHERE purpose = 'kek'",
        "UPDATE keyring SET purpose = 'token' WHERE purpose = 'identity'"}) {
    rig.secrets.keyring.seal();
    rig.sql(std::string("SAVEPOINT trial; ") + change);

    cr_expect(!rig.secrets.keyring.open(key).ok(), "%s", change);
    cr_expect(!rig.secrets.keyring.is_open(), "%s", change);
    rig.sql("ROLLBACK TO trial; RELEASE trial");
    cr_assert(rig.secrets.keyring.open(key).ok(), "%s", change);
  }
}

Test(secrets_audit, a_token_whose_row_other_hands_wrote_gives_no_rights) {
  TamperedRig rig;
  const std::string token = rig.token_for("app/db/0", "read");
  rig.accept();
  const std::string read = "/v1/secret/data/app/db/0";
  cr_assert_eq(rig.ask_with(token, "GET", read).status, 200);
  rig.hands("CREATE TEMP TABLE saved AS SELECT * FROM token");
  for (const char* change :
       {"policies = '[\"root\"]'", "kind = 'trusted'", "name = 'ci: x'",
        "expires_at_ms = expires_at_ms + 1", "ends_at_ms = ends_at_ms + 1", "ttl_ms = ttl_ms + 1",
        "uses_left = 100", "instance = 1", "accessor = accessor || 'x'", "created_at_ms = 0",
        "wrapped = 'x'", "wrapped_path = 'x'", "mac = ''"}) {
    cr_assert(rig.hands(std::string("UPDATE token SET ") + change).empty(), "%s", change);

    const auto reply = rig.ask_with(token, "GET", read);

    cr_expect_neq(reply.status, 200, "%s: %s", change, reply.text.c_str());
    cr_expect(reply.text.find("app/db/0.") == std::string::npos, "%s", change);
    cr_assert(rig.hands("DELETE FROM token; INSERT INTO token SELECT * FROM saved").empty());
    cr_assert_eq(rig.ask_with(token, "GET", read).status, 200, "%s", change);
  }
}
