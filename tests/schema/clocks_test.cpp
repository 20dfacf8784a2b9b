// Which clock each moment in a row is of (controller/ports/clock.h). A new column has to be put
// here: whoever does that has thought of what becomes of it when somebody sets the wall clock.
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>

#include <map>
#include <set>
#include <string>

using rowlock::PlanWorld;

namespace {

enum class Of {
  now,   // What Rowlock measures by itself; compared with clock.now_ms alone.
  wall,  // What people and other systems go by; compared with clock.wall_ms alone.
  boot,  // Since the machine was started.
  span,  // No moment.
};

const std::map<std::string, Of> kClocks = {
    {"attempt.finished_at_ms", Of::now},
    {"attempt.started_at_ms", Of::now},
    {"audit.at_ms", Of::wall},
    {"audit_segment.last_at_ms", Of::wall},
    {"backup.due_at_ms", Of::wall},
    {"backup.expired_at_ms", Of::wall},
    {"backup.restore_ms", Of::span},
    {"backup.started_at_ms", Of::wall},
    {"backup.stored_at_ms", Of::wall},
    {"backup.taken_at_ms", Of::wall},
    {"backup.verified_at_ms", Of::wall},
    {"backup_ping.since_ms", Of::now},
    {"backup_schedule.next_at_ms", Of::wall},
    {"backup_schedule.since_ms", Of::wall},
    {"backup_schedule.verify_next_at_ms", Of::wall},
    {"certificate_state.not_after_ms", Of::wall},
    {"change_pack.last_at_ms", Of::wall},
    {"check_state.since_ms", Of::now},
    {"check_proof.since_ms", Of::now},
    {"clock.boot_ms", Of::boot},
    {"clock.now_ms", Of::now},
    {"clock.started_at_ms", Of::now},
    {"clock.wall_ms", Of::wall},
    {"clock.watched_from_ms", Of::now},
    {"database_login.renew_at_ms", Of::now},
    {"database_login.since_ms", Of::now},
    {"database_login.ttl_ms", Of::span},
    {"database_login.until_ms", Of::now},
    {"database_state.look_at_ms", Of::now},
    {"database_state.seen_at_ms", Of::now},
    {"delivery.changed_at_ms", Of::now},
    {"delivery.identity_at_ms", Of::now},
    {"delivery.identity_until_ms", Of::now},
    {"deployment.finished_at_ms", Of::now},
    {"deployment.started_at_ms", Of::now},
    {"desired_hold.since_ms", Of::now},
    {"event.at_ms", Of::wall},
    {"gap.length_ms", Of::span},
    {"gap.until_ms", Of::now},
    {"home.created_at_ms", Of::wall},
    {"image_tag.look_at_ms", Of::now},
    {"image_tag.looked_at_ms", Of::now},
    {"instance.ended_at_ms", Of::now},
    {"instance.healthy_at_ms", Of::now},
    {"instance.placed_at_ms", Of::now},
    {"instance.spared_at_ms", Of::now},
    {"instance.since_ms", Of::now},
    {"instance.started_at_ms", Of::now},
    {"instance.stop_timeout_ms", Of::span},
    {"job_volume.since_ms", Of::now},
    {"job_volume.used_at_ms", Of::now},
    {"keyring.created_at_ms", Of::now},
    {"kind.retry_from_ms", Of::span},
    {"kind.retry_to_ms", Of::span},
    {"node_disk.measure_at_ms", Of::now},
    {"node_image.needed_at_ms", Of::now},
    {"node_image.pulled_at_ms", Of::now},
    {"node_state.look_at_ms", Of::now},
    {"node_state.observed_at_ms", Of::now},
    {"node_state.since_ms", Of::now},
    {"object_store_state.clock_ahead_ms", Of::span},
    {"object_store_state.look_at_ms", Of::now},
    {"object_store_state.seen_at_ms", Of::now},
    {"proxy_state.changed_at_ms", Of::now},
    {"proxy_state.look_at_ms", Of::now},
    {"proxy_state.observed_at_ms", Of::now},
    {"proxy_state.refused_until_ms", Of::now},
    {"proxy_state.since_ms", Of::now},
    {"proxy_state.unread_at_ms", Of::now},
    {"refusal.since_ms", Of::now},
    {"restore_run.finished_at_ms", Of::now},
    {"restore_run.restore_ms", Of::span},
    {"restore_run.started_at_ms", Of::now},
    {"retry.retry_at_ms", Of::now},
    {"retry.since_ms", Of::now},
    {"revision.at_ms", Of::wall},
    {"rights_doubt.since_ms", Of::now},
    {"route_state.since_ms", Of::now},
    {"route_state.switched_at_ms", Of::now},
    {"route_target.acknowledged_at_ms", Of::now},
    {"route_target.asked_at_ms", Of::now},
    {"route_target.drain_timeout_ms", Of::span},
    {"route_target.drained_at_ms", Of::now},
    {"route_target.ended_at_ms", Of::now},
    {"route_target.let_go_at_ms", Of::now},
    {"route_target.listed_at_ms", Of::now},
    {"route_target.look_at_ms", Of::now},
    {"route_target.lent_at_ms", Of::now},
    {"route_target.proven_at_ms", Of::now},
    {"route_target.ready_at_ms", Of::now},
    {"route_target.since_ms", Of::now},
    {"route_target.withdrawn_at_ms", Of::now},
    {"route_target.written_at_ms", Of::now},
    {"seal.since_ms", Of::now},
    {"secret.created_at_ms", Of::now},
    {"secret.delete_after_ms", Of::span},
    {"secret.updated_at_ms", Of::now},
    {"secret_config.delete_after_ms", Of::span},
    {"secret_use.since_ms", Of::now},
    {"secret_use.until_ms", Of::now},
    {"secret_version.created_at_ms", Of::now},
    {"secret_version.deleted_at_ms", Of::now},
    {"stray.since_ms", Of::now},
    {"token.created_at_ms", Of::now},
    {"token.ends_at_ms", Of::now},
    {"token.expires_at_ms", Of::now},
    {"token.ttl_ms", Of::span},
    {"trust_keys.read_at_ms", Of::now},
    {"wal_held.since_ms", Of::now},
};

// Names that no moment of another clock has.
std::set<std::string> columns_only_of(Of clock) {
  std::map<std::string, int> counts;
  std::set<std::string> columns;
  for (const auto& [column, of] : kClocks) ++counts[column.substr(column.find('.') + 1)];
  for (const auto& [column, of] : kClocks) {
    const std::string name = column.substr(column.find('.') + 1);
    if (of == clock && counts[name] == 1) columns.insert(name);
  }
  columns.erase("due_at_ms");  // What the waits of every plan are called, too.
  return columns;
}

}  // namespace

Test(clocks_of_rows, every_moment_is_of_one_clock) {
  PlanWorld world;
  std::set<std::string> found;
  const auto rows = world.rows().query(
      "SELECT t.name || '.' || c.name AS moment FROM sqlite_schema AS t JOIN "
      "pragma_table_info(t.name) AS c WHERE t.type = 'table' AND c.name GLOB '*_ms'");
  cr_assert(rows.ok());
  std::set<std::string> desired;
  for (const auto& table : world.schema().desired_tables()) desired.insert(table.name);
  for (const auto& row : rows.value()) {
    const std::string moment = row.text("moment");
    // What a person writes there is a span.
    if (!desired.contains(moment.substr(0, moment.find('.')))) found.insert(moment);
  }

  for (const std::string& moment : found) {
    cr_expect(kClocks.contains(moment), "which clock is %s of? Put it into kClocks.",
              moment.c_str());
  }
  for (const auto& [moment, of] : kClocks) {
    cr_expect(found.contains(moment), "there is no %s any more", moment.c_str());
  }
}

Test(clocks_of_rows, what_is_of_the_wall_clock_is_not_compared_with_the_other) {
  PlanWorld world;
  const auto views = world.rows().query("SELECT name, sql FROM sqlite_schema WHERE type = 'view'");
  cr_assert(views.ok());
  for (const auto& view : views.value()) {
    const std::string text = view.text("sql");
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string line = text.substr(at, end - at);
      at = end + 1;
      if (line.find("(SELECT now_ms FROM clock)") == std::string::npos) continue;
      for (const std::string& column : columns_only_of(Of::wall)) {
        cr_expect(line.find(column) == std::string::npos, "%s compares %s with now_ms: %s",
                  view.text("name").c_str(), column.c_str(), line.c_str());
      }
    }
  }
}
