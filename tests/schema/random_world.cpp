// Puts a random world together: nodes, jobs and instances here, the other families from
// random_parts.h, and at last steps under way, of every kind that has any.
#include "tests/schema/random_world.h"

#include "tests/schema/random_parts.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

std::string random_job(Dice& dice, const std::string& job) {
  return fmt::format(
      "INSERT INTO job (name, image, count, update_order, max_parallel, auto_revert, "
      "min_healthy_ms, healthy_deadline_ms, progress_deadline_ms, on_tag_moved) "
      "VALUES ('{0}', '{1}', {2}, '{3}', {4}, {5}, 500, {6}, {6}, '{7}');"
      "INSERT INTO job_port (job, label, port) VALUES ('{0}', 'http', 80);"
      "INSERT INTO job_check (job, name, type, port, passes) VALUES ('{0}', 'up', 'tcp', '80', 1);",
      job, dice.one_of({"good:1", "good:2"}), dice.one_of({"0", "1", "1", "3"}),
      dice.one_of({"start_first", "stop_first"}), dice.one_of({"1", "2"}), dice.flag(),
      dice.one_of({"600", "600", "300000"}), dice.one_of({"deploy", "ignore"}));
}

// Of a spec as its job has it now, of another one, or of both; or none for a job that is new.
std::string random_deployments(Dice& dice, const std::string& job) {
  return fmt::format(
      "INSERT INTO spec (job, body, image) SELECT '{0}', '{{}}', 'good@sha256:0' WHERE {1} "
      "UNION ALL SELECT job, body, '{10}' FROM job_spec WHERE job = '{0}';"
      "INSERT INTO deployment (job, asked, spec, cause, state, current, started_at_ms, failures, "
      "proven) SELECT job, id, id, '{2}', CASE WHEN id = {3} THEN '{4}' ELSE '{5}' END, id = {3}, "
      "{6}, {7}, {8} FROM spec WHERE job = '{0}' AND {9};",
      job, dice.flag(), dice.one_of({"edit", "tag", "revert"}),
      fmt::format("(SELECT {}(id) FROM spec WHERE job = '{}')", dice.one_of({"min", "max", "max"}),
                  job),
      dice.one_of({"running", "succeeded", "failed"}), dice.one_of({"succeeded", "failed"}),
      dice.moment(), dice.one_of({"0", "0", "3"}), dice.flag(), dice.one_of({"1", "1", "1", "0"}),
      dice.one_of({"good@sha256:1", "good@sha256:1", ""}));
}

std::string random_instance(Dice& dice, const std::string& job, int slot) {
  const std::string run = dice.flag();
  return fmt::format(
      "INSERT INTO instance (job, slot, spec, node, name, run, container, verdict, rejected, log, "
      "streak, cpus, memory_mb, stop_signal, stop_timeout_ms, address, placed_at_ms, "
      "started_at_ms, "
      "healthy_at_ms, ended_at_ms, since_ms, hinted, spared_at_ms) "
      "SELECT '{0}', {1}, id, '{2}', '{0}-{1}', {3}, '{4}', {5}, {6}, {7}, 0, 0, 0, 'SIGTERM', 1, "
      "'10.0.0.1', 0, {8}, {9}, {10}, 0, {11}, {12} FROM spec WHERE job = '{0}' ORDER BY (id + "
      "{1}) % 2 LIMIT "
      "1;"
      "UPDATE instance SET ordinal = 1 + {1} % 3, keeps = {13} WHERE name = '{0}-{1}';"
      "INSERT OR IGNORE INTO instance_mount (instance, node, type, source, own) "
      "SELECT id, node, 'volume', job || ordinal, 1 FROM instance WHERE name = '{0}-{1}' AND "
      "keeps;",
      job, slot, dice.node(), run,
      dice.one_of(
          {"none", "unpulled", "created", "running", "running", "paused", "exited", "gone"}),
      run == "1" ? "NULL" : dice.one_of({"'stopped'", "'failed'"}), dice.one_of({"0", "0", "1"}),
      dice.one_of({"NULL", "'log'"}), dice.moment_or_null(), dice.moment_or_null(),
      run == "1" ? "NULL" : dice.moment(), dice.flag(), dice.moment_or_null(), dice.flag());
}

// One that is made, and one of another spec whose data it waits for.
std::string random_hand_over(const std::string& job) {
  return fmt::format(
      "UPDATE instance SET ordinal = 1, node = 'local', run = 1, keeps = 1, container = 'created', "
      "hinted = 0, spec = COALESCE((SELECT d.spec FROM deployment AS d WHERE d.job = '{0}' AND "
      "d.current = 1), spec) WHERE name = '{0}-0';"
      "UPDATE instance SET ordinal = 1, node = 'local', run = 1, keeps = 1, container = 'running', "
      "healthy_at_ms = 0, spec = COALESCE((SELECT s.id FROM spec AS s WHERE s.job = '{0}' AND s.id "
      "NOT IN (SELECT d.spec FROM deployment AS d WHERE d.current = 1)), spec) "
      "WHERE name = '{0}-3';"
      "INSERT OR REPLACE INTO instance_mount (instance, node, type, source, own) SELECT id, "
      "node, 'volume', 'data', 1 FROM instance WHERE name IN ('{0}-0', '{0}-3');",
      job);
}

std::string random_work(Dice& dice, const std::string& job) {
  std::string rows = dice.yes() ? random_job(dice, job) : "";
  rows += random_deployments(dice, job);
  const int slots = dice.one_of({"0", "5", "5"}) == "0" ? 0 : 5;
  for (int slot = 0; slot < slots; ++slot) {
    rows += random_instance(dice, job, slot);
  }
  if (dice.yes()) rows += random_hand_over(job);
  if (dice.yes()) {
    rows += fmt::format(
        "INSERT INTO image_tag (job, reference, image, look_at_ms) VALUES ('{}', '{}', '{}', {});",
        job, dice.one_of({"good:1", "good:2"}), dice.one_of({"", "good@sha256:1", "good@sha256:2"}),
        dice.moment());
  }
  return rows +
         fmt::format(
             "INSERT INTO stray (node, name, job, since_ms, instance, nonce) "
             "VALUES ('{0}', '{1}', '{1}', 0, 7, CASE '{0}' WHEN 'local' THEN 'known' ELSE '' END);"
             "INSERT OR IGNORE INTO let_go (instance, nonce) VALUES (7, 'known');",
             dice.node(), job);
}

// A day of changes that is over since yesterday or goes on, and packs of old ones.
std::string random_changes(Dice& dice) {
  return fmt::format(
      "INSERT INTO retention (change_days, history_days, audit_days) VALUES (1, 2, 1);"
      "INSERT INTO revision (id, at_ms, changes) VALUES (7, {0}, 1), (8, 1000000, 1);"
      "INSERT INTO change (revision, table_name, row_key) VALUES (7, 'job', '[\"a\"]'), (8, 'job', "
      "'[\"a\"]');"
      "INSERT INTO change_pack (first_revision, last_revision, day, last_at_ms, changes, "
      "plain_bytes, packed) VALUES (1, 6, '1970-01-01', {1}, 6, 0, '');"
      "INSERT OR REPLACE INTO audit_head (only, seq, hash, rows, sum, keys, mac) "
      "VALUES (1, 20000, '', 0, '', '', '');"
      "INSERT INTO audit_segment (number, first_seq, last_seq, last_at_ms, hash_before, hash, "
      "mac_before, packed, mac) VALUES (1, 1, 2, {0}, '', '', '', '', ''), "
      "(2, 3, 4, 0, '', '', '', '', '');"
      "INSERT INTO audit_archive (only, first_number, last_number, mac) VALUES (1, 1, 2, '');"
      "INSERT INTO attempt (kind, name, target, step, reason, started_at_ms) "
      "SELECT 'history', 'history', 'change', 'x', '', 0 WHERE {2};",
      dice.one_of({"-200000000", "1000000"}), dice.one_of({"-200000000", "1000000"}), dice.flag());
}

std::string random_images(Dice& dice, const std::string& node) {
  return fmt::format(
      "INSERT INTO node_image (node, image, pulled_at_ms, needed_at_ms) VALUES "
      "('{0}', 'good@sha256:1', 0, {1}), ('{0}', 'good@sha256:7', 0, {1});"
      "INSERT INTO node_disk (node, total_bytes, free_bytes, measure_at_ms) VALUES "
      "('{0}', 100, {2}, {3});"
      "UPDATE node SET image_keep_ms = {4};",
      node, dice.moment(), dice.one_of({"5", "50"}), dice.one_of({"0", "1030000"}),
      dice.one_of({"0", "90000000"}));
}

std::string random_node(Dice& dice, const std::string& node) {
  return random_images(dice, node) +
         fmt::format(
             "INSERT INTO node_state (node, driver, endpoint, reach, since_ms, cpus, memory_mb, "
             "look_at_ms, hinted, seen_epoch) "
             "VALUES ('{}', 'docker', '{}', '{}', 0, 2, 4096, {}, {}, nullif(abs(random() % 2), "
             "1));",
             node, dice.one_of({"", "unix:///local"}),
             dice.one_of({"unseen", "reached", "reached", "lost"}),
             dice.one_of({"0", "999000", "1000000", "1030000", "2000000"}), dice.flag());
}

// A kind whose steps take a while, and the targets that they can have as the tables stand.
struct Stepping {
  const char* kind;
  const char* targets;
};
constexpr Stepping kStepping[] = {
    {"instance", "SELECT job AS name, id AS target FROM instance"},
    {"delivery", "SELECT job AS name, instance AS target FROM delivery"},
    {"database", "SELECT 'main' AS name, 'main' AS target UNION ALL SELECT 'gone', 'gone'"},
    {"database_login", "SELECT job AS name, target FROM database_login"},
    {"trust",
     "SELECT trust AS name, trust AS target FROM trust_keys UNION SELECT name, name FROM "
     "trust"},
    {"object_store", "SELECT store AS name, store AS target FROM object_store_state"},
    {"home_pointer", "SELECT store AS name, store AS target FROM home_pointer"},
    {"scratch_database", "SELECT database AS name, target FROM scratch_database"},
    {"backup_schedule", "SELECT policy AS name, target FROM backup_schedule"},
    {"backup", "SELECT policy AS name, id AS target FROM backup"},
    {"backup_ping", "SELECT policy AS name, id AS target FROM backup_ping"},
    {"restore", "SELECT restore AS name, restore AS target FROM restore_run"},
    {"node", "SELECT node AS name, node AS target FROM node_state"},
    {"stray", "SELECT job AS name, node || '/' || name AS target FROM stray"},
    {"proxy", "SELECT 'proxy' AS name, 'proxy' AS target"},
    {"certificate", "SELECT file AS name, file AS target FROM certificate_state"},
    {"route", "SELECT 'r' AS name, 'r' AS target UNION ALL SELECT 's', 's'"},
    {"route_target", "SELECT job AS name, target FROM route_target"},
};

// Of a fifth of all targets, by their last letter.
std::string random_attempts(Dice& dice) {
  std::string rows;
  for (const Stepping& stepping : kStepping) {
    rows += fmt::format(
        "INSERT INTO attempt (kind, name, target, step, reason, started_at_ms) "
        "SELECT '{}', name, target, 'x', '', 0 FROM ({}) WHERE unicode(substr(target, -1)) % 5 = "
        "{};",
        stepping.kind, stepping.targets, dice.one_of({"0", "1", "2", "3", "4"}));
  }
  return rows;
}

// A third of all targets have failed in a step that the kind makes now and then.
std::string random_retries(Dice& dice) {
  std::string rows;
  for (const Stepping& stepping : kStepping) {
    rows += fmt::format(
        "INSERT OR IGNORE INTO retry (kind, target, name, step, tries, retry_at_ms, detail, "
        "rejected, since_ms) SELECT '{0}', CAST(t.target AS TEXT), t.name, r.step, {1}, {2}, "
        "'something', {3}, 0 FROM ({4}) AS t JOIN (SELECT DISTINCT step FROM {0}_rule WHERE step "
        "NOT IN ('none', 'wait')) AS r WHERE unicode(substr(t.target, -1)) % 3 = {5};",
        stepping.kind, dice.one_of({"1", "8", "59", "60"}), dice.moment_or_null(), dice.flag(),
        stepping.targets, dice.one_of({"0", "1", "2"}));
  }
  // A job waits with all its slots alike.
  return rows + fmt::format(
                    "INSERT INTO retry (kind, target, name, step, tries, retry_at_ms, detail, "
                    "rejected, since_ms) SELECT 'job', name, name, 'place', 1, {}, 'something', 1, "
                    "0 FROM job WHERE unicode(name) % 3 = {};",
                    dice.moment_or_null(), dice.one_of({"0", "1", "2"}));
}

}  // namespace

std::string random_rows(unsigned int seed) {
  Dice dice(seed);
  std::string rows = random_secrets(dice);
  for (const std::string job : {"a", "b", "c"}) {
    rows += random_work(dice, job);
  }
  rows += fmt::format("UPDATE clock SET started_at_ms = {0}, watched_from_ms = {0};",
                      dice.one_of({"0", "1000000"}));
  rows +=
      "INSERT INTO check_state (instance, name, passes, failures, since_ms) "
      "SELECT id, 'up', id % 2, id % 4, 0 FROM instance;"
      // Proven as it is now, in a former form, or not at all.
      "INSERT INTO check_proof (spec, name, asks, since_ms) "
      "SELECT s.id, a.name, CASE s.id % 4 WHEN 0 THEN '[]' ELSE a.asks END, 0 "
      "FROM spec AS s JOIN check_ask AS a ON a.job = s.job WHERE s.id % 4 <> 3;";
  for (const std::string node : {"local", "other", "lost"}) {
    rows += random_node(dice, node);
  }
  rows = rows + random_deliveries(dice) + random_backups(dice) + random_routes(dice) +
         random_attempts(dice) + random_retries(dice);
  return rows + random_changes(dice);
}

}  // namespace rowlock
