// The secrets of a random world: what jobs need and may read, what they were given, logins at
// databases, and issuers of tokens.
#include "tests/schema/random_parts.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr char kAddress[] = "postgresql://admin@db/app";

// Policies that let it read all, some or none of what it needs.
std::string random_needs(Dice& dice, const std::string& job) {
  std::string rows;
  if (dice.yes()) {
    rows += fmt::format(
        "INSERT INTO job_secret (job, path, name, on_change) VALUES ('{}', 'db/prod', 'prod', "
        "'{}');",
        job, dice.one_of({"restart", "signal", "replace"}));
  }
  if (dice.yes()) {
    rows += fmt::format(
        "INSERT INTO job_secret (job, path, name) VALUES ('{0}', 'database/creds/app', 'login');"
        "INSERT INTO job_secret (job, path, name) VALUES ('{0}', 'database/creds/other', 'more');",
        job);
  }
  if (dice.yes()) {
    rows += fmt::format(
        "INSERT INTO job_template (job, name, text, on_change) VALUES ('{}', 'hosts', "
        "'{{{{service \"b\" \"http\"}}}}', 'signal');",
        job);
  }
  return rows + fmt::format(
                    "INSERT INTO policy (name, path, capabilities) VALUES ('{0}', '{1}', '{2}');"
                    "INSERT INTO job_policy (job, policy) VALUES ('{0}', '{0}');",
                    job, dice.one_of({"*", "*", "db/*", "x"}),
                    dice.one_of({"read", "read", "read", "read,deny"}));
}

std::string random_logins(Dice& dice) {
  std::string rows =
      "INSERT INTO database_role (name, database) VALUES ('app', 'main'), ('other', 'main');";
  if (dice.yes()) {
    rows += fmt::format(
        "INSERT INTO database (name, url, secret, job) VALUES ('main', '{}', '{}', '{}');",
        kAddress, dice.one_of({"", "db/admin"}), dice.one_of({"", "", "b"}));
  }
  if (dice.yes()) {
    rows += fmt::format("INSERT INTO database_state (database, look_at_ms) VALUES ('{}', {});",
                        dice.one_of({"main", "main", "gone"}),
                        dice.one_of({"0", "999000", "1100000", "2000000"}));
  }
  return rows +
         fmt::format(
             "INSERT INTO database_login (target, instance, role, job, holder, database, username, "
             "state, renew_at_ms, url, secret, key, since_ms) "
             "SELECT id || '/app', id, 'app', job, name, 'main', 'rl_' || id, '{0}', "
             "CASE '{0}' WHEN 'made' THEN {1} END, '{2}', '', '', 0 "
             "FROM instance WHERE id % 3 = 1 "
             "UNION ALL SELECT '0/x', 0, 'x', 'main', '', 'main', 'x', 'begun', NULL, '{2}', '', "
             "'', 0;",
             dice.one_of({"wanted", "begun", "made"}), dice.moment(), kAddress);
}

std::string random_trust(Dice& dice) {
  std::string rows;
  for (const std::string trust : {"ci", "forge", "old"}) {
    if (dice.yes()) {
      rows += fmt::format(
          "INSERT INTO trust (name, issuer, audience, claims, keys) VALUES ('{0}', 'https://{0}', "
          "'here', '{{\"sub\":\"*\"}}', '/{0}.json');",
          trust);
    }
    if (dice.yes()) {
      rows += fmt::format(
          "INSERT INTO trust_keys (trust, source, keys, read_at_ms) "
          "VALUES ('{0}', '{1}', '{2}', {3});",
          trust, dice.one_of({"/" + trust + ".json", "/elsewhere"}),
          dice.one_of({"", R"({"keys":[]})"}), dice.moment());
    }
  }
  return rows;
}

}  // namespace

std::string random_secrets(Dice& dice) {
  std::string rows = fmt::format("INSERT INTO seal (only, state, since_ms) VALUES (1, '{}', 0);",
                                 dice.one_of({"absent", "sealed", "open", "open"}));
  if (dice.yes()) {
    rows += fmt::format(
        "INSERT INTO secret (path, current_version, created_at_ms, updated_at_ms) "
        "VALUES ('db/prod', {}, 0, 0);"
        "INSERT INTO secret_version (path, version, created_at_ms, created_by, destroyed, "
        "deleted_at_ms, keys, kek, data_key, sealed) VALUES "
        "('db/prod', 1, 0, '', 0, NULL, '[\"password\"]', 1, '', ''), "
        "('db/prod', 2, 0, '', {}, {}, '[\"password\"]', 1, '', '');",
        dice.one_of({"0", "1", "2"}), dice.one_of({"0", "0", "1"}), dice.moment_or_null());
  }
  for (const std::string job : {"a", "b", "c"}) {
    rows += random_needs(dice, job);
  }
  return rows;
}

std::string random_deliveries(Dice& dice) {
  std::string rows = fmt::format(
      "UPDATE instance SET delivers = id % 2;"
      "INSERT INTO delivery (instance, job, folder, state, identity_at_ms, services, signals, "
      "changed_at_ms) SELECT id, job, name, '{}', {}, '{}', '{}', {} "
      "FROM instance WHERE id % 4 = 1;",
      dice.one_of({"begun", "unseen", "lost", "there", "there"}), dice.moment(),
      dice.one_of({"[]", "[[]]"}), dice.one_of({"[]", "[]", "[\"SIGHUP\"]"}), dice.moment());
  rows +=
      "INSERT INTO delivery (instance, job, folder, state) VALUES (1000, 'gone', 'gone-1', "
      "'there');"
      "INSERT INTO secret_use (instance, holder, job, path, version, since_ms) "
      "SELECT id, name, job, 'db/prod', 1, 0 FROM instance WHERE id % 2 = 0 OR id % 8 = 1;";
  return rows + random_logins(dice) + random_trust(dice);
}

}  // namespace rowlock
