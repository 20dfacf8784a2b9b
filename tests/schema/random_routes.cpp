// The routes of a random world: rows of route, route_target and certificate, and the proxy's state.
#include "tests/schema/random_parts.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

std::string random_proxy(Dice& dice) {
  std::string rows =
      dice.one_of({"", "", "INSERT INTO proxy (socket) VALUES ('/run/haproxy.sock');"});
  return rows +
         fmt::format(
             "UPDATE proxy_state SET reach = '{}', generation = 3, content = {}, saved_content = "
             "{}, refused_content = {}, refused_until_ms = {}, saved_generation = {}, "
             "running_generation = {}, saves = {}, changed_at_ms = {}, look_at_ms = {}, hinted = "
             "{}, settings = {}; INSERT INTO attempt (kind, name, target, step, reason, "
             "started_at_ms, finished_at_ms) VALUES ('proxy', 'proxy', 'proxy', 'reload', '', 0, "
             "{});",
             dice.one_of({"unseen", "reached", "reached", "lost"}), dice.one_of({"1", "2"}),
             dice.one_of({"-1", "1", "2"}), dice.one_of({"-1", "1", "2"}), dice.moment(),
             dice.one_of({"-1", "2", "3"}), dice.one_of({"-1", "2", "3"}), dice.one_of({"0", "3"}),
             dice.moment(), dice.one_of({"0", "1000000", "1010000", "2000000"}), dice.flag(),
             dice.one_of({"'{}'", "(SELECT settings FROM proxy_setting_text)"}),
             dice.one_of({"1", "1", "NULL"}));
}

// What is wanted of a target, what the proxy said of it, and when: anything, or, as chance would
// seldom have it, one that is let go of as it should be.
std::string random_standing(Dice& dice) {
  if (dice.one_of({"any", "any", "drained"}) == "drained") {
    return "'down', 'down', '10.0.0.1', 2, 1, 0, 999000, 0, 999000, NULL, 2000000";
  }
  return fmt::format("'{}', '{}', '{}', {}, {}, {}, {}, {}, {}, {}, {}",
                     dice.one_of({"ready", "down"}), dice.one_of({"absent", "down", "ready"}),
                     dice.one_of({"", "10.0.0.1"}), dice.one_of({"0", "2"}),
                     dice.one_of({"1", "2"}), dice.moment_or_null(), dice.moment_or_null(),
                     dice.moment_or_null(), dice.moment_or_null(),
                     dice.one_of({"NULL", "NULL", dice.moment()}), dice.moment());
}

// Of a third of all instances, or of none.
std::string random_targets(Dice& dice, const std::string& route) {
  return fmt::format(
      "INSERT INTO route_target (target, route, job, instance, name, slot, acknowledged_port, "
      "acknowledged_weight, port, listed_at_ms, since_ms, wanted, acknowledged, "
      "acknowledged_address, sessions, content, written_at_ms, asked_at_ms, proven_at_ms, "
      "drained_at_ms, let_go_at_ms, look_at_ms, lent_at_ms) "
      "SELECT '{0}/' || id, '{0}', job, id, name, id, 80, 1, 80, 0, 0, {1}, {3} "
      "FROM instance WHERE id % 3 = {2};",
      route, random_standing(dice), dice.one_of({"0", "1", "2", "3"}), dice.moment_or_null());
}

std::string random_route(Dice& dice, const std::string& route) {
  std::string rows;
  if (dice.yes()) {
    rows += fmt::format(
        "INSERT INTO route (name, host, job, port, next_job, next_percent, maintenance) VALUES "
        "('{0}', '{0}.example.org', 'a', '80', {1}, 50, {2});",
        route, dice.one_of({"NULL", "'b'"}), dice.flag());
  }
  if (dice.yes()) {
    const std::string structure = fmt::format(
        "COALESCE((SELECT structure FROM route_structure WHERE route = '{}'), '{{}}')", route);
    rows += fmt::format(
        "INSERT INTO route_state (route, structure, slots, generation, mode, "
        "since_ms) VALUES ('{0}', {1}, {2}, {3}, '{4}', 0);",
        route, dice.one_of({"''", "'{}'", structure}), dice.one_of({"2", "16"}),
        dice.one_of({"2", "3"}), dice.one_of({"", "maintenance"}));
  }
  return rows + random_targets(dice, route);
}

}  // namespace

std::string random_routes(Dice& dice) {
  std::string rows = random_proxy(dice);
  for (const std::string route : {"r", "s"}) {
    rows += random_route(dice, route);
  }
  return rows +
         "INSERT INTO certificate_state (file, stale, not_after_ms, names) "
         "VALUES ('/a.pem', 1, 0, ''), ('/b.pem', 0, 0, '');";
}

}  // namespace rowlock
