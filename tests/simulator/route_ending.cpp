// What should be is worked out from rows and from the truth about the programs; what is, from the
// fake proxy. The two are compared by addresses, never by Rowlock's own word.
#include "tests/simulator/route_ending.h"

#include "tests/simulator/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace rowlock::simulator {

namespace {

using Addresses = std::set<std::string>;

std::vector<Row> rows_of(Database& state, std::string_view query) {
  auto rows = state.query(query);
  CHECK(rows.ok());
  return std::move(rows).value();
}

std::string text_of(const Addresses& addresses) {
  std::string all;
  for (const std::string& address : addresses) all += " " + address;
  return all;
}

bool may_have_been_healthy(const std::string& image) {
  return is_good(image) || image.starts_with("sick:");
}

// By the column route: the addresses of those whose image is of such a program.
std::map<std::string, Addresses> those_of(Stage& stage, bool (*is_of)(const std::string& image),
                                          std::string_view query) {
  std::map<std::string, Addresses> all;
  for (const Row& row : rows_of(stage.state(), query)) {
    Addresses& addresses = all[row.text("route")];
    if (!row.is_null("address") && is_of(row.text("image"))) addresses.insert(row.text("address"));
  }
  return all;
}

// Who is to be given requests. A program that is sick is found out by the route itself.
std::map<std::string, Addresses> wanted(Stage& stage) {
  return those_of(
      stage, is_good,
      "SELECT r.name AS route, i.address, json_extract(s.body, '$.image') AS image "
      "FROM route AS r LEFT JOIN instance AS i ON i.job IN (r.job, r.next_job) AND i.run = 1 "
      "AND i.container = 'running' AND i.healthy_at_ms IS NOT NULL "
      "LEFT JOIN spec AS s ON s.id = i.spec");
}

// Of all jobs that the route was ever sent to. One that sends elsewhere now keeps what it had for
// as long as nothing of that is healthy; so does one whose instances were healthy before a check
// was edited that none of them passes.
std::map<std::string, Addresses> kept(Stage& stage) {
  return those_of(
      stage, may_have_been_healthy,
      "SELECT json_extract(c.row_key, '$[0]') AS route, i.address, "
      "json_extract(s.body, '$.image') AS image FROM change AS c "
      "JOIN instance AS i ON i.job IN (json_extract(c.after, '$.job'), "
      "json_extract(c.after, '$.next_job')) AND i.run = 1 AND i.healthy_at_ms IS NOT NULL "
      "JOIN spec AS s ON s.id = i.spec WHERE c.table_name = 'route'");
}

std::map<std::string, Addresses> given(const FakeProxy& proxy) {
  std::map<std::string, Addresses> all;
  for (const SlotReport& slot : proxy.slots()) {
    if (slot.ready) all[slot.route].insert(slot.address);
  }
  return all;
}

std::string unlike(const std::string& what, const std::map<std::string, Addresses>& wanted,
                   std::map<std::string, Addresses> is,
                   std::map<std::string, Addresses> may_be_kept) {
  for (const auto& [route, addresses] : wanted) {
    const Addresses& may_be = may_be_kept[route];
    const bool is_kept = addresses.empty() && std::includes(may_be.begin(), may_be.end(),
                                                            is[route].begin(), is[route].end());
    if (is[route] != addresses && !is_kept) {
      return fmt::format("route {} {}{}, and should{}", route, what, text_of(is[route]),
                         text_of(addresses));
    }
    is.erase(route);
  }
  return is.empty() ? "" : fmt::format("{} in the deleted route {}", what, is.begin()->first);
}

// What was saved is what runs.
std::string unsaved(FakeProxy& proxy) {
  const auto seen = proxy.observe();
  if (!seen.ok()) return "the proxy: " + seen.error().message;
  const ProxyConfig saved = proxy.saved();
  if (saved.generation != seen.value().generation) return "the proxy runs what was not saved last";
  std::map<std::string, std::string> modes(seen.value().modes.begin(), seen.value().modes.end());
  std::map<std::pair<std::string, int>, SlotReport> runs;
  for (const SlotReport& slot : seen.value().slots) {
    if (slot.lingers) return fmt::format("an old worker still serves route {}", slot.route);
    if (slot.ready) runs.emplace(std::pair(slot.route, slot.number), slot);
  }
  for (const ProxyRoute& route : saved.routes) {
    if (modes[route.name] != route.mode) return "the mode of " + route.name + " was not saved";
    for (const ProxySlot& slot : route.slots) {
      const auto found = runs.find({route.name, slot.number});
      const bool is_same = found == runs.end()
                               ? !slot.ready
                               : slot.ready && found->second.address == slot.address &&
                                     found->second.port == slot.port &&
                                     found->second.weight == slot.weight;
      if (!is_same) return fmt::format("slot {} of {} was not saved", slot.number, route.name);
    }
  }
  return "";
}

std::string wrong_mode(Stage& stage, FakeProxy& proxy) {
  const auto seen = proxy.observe();
  if (!seen.ok()) return "the proxy: " + seen.error().message;
  std::map<std::string, std::string> modes(seen.value().modes.begin(), seen.value().modes.end());
  for (const Row& row :
       rows_of(stage.state(),
               "SELECT name, CASE WHEN maintenance THEN 'maintenance' WHEN pause THEN 'pause:' || "
               "pause_max_ms ELSE '' END AS mode FROM route")) {
    const std::string& mode = modes[row.text("name")];
    if (mode != row.text("mode")) {
      return fmt::format("route {} is in mode '{}', and should be in '{}'", row.text("name"), mode,
                         row.text("mode"));
    }
  }
  return "";
}

// A route to a job that has not what it wants may wait for it.
std::string wrong_status(Stage& stage) {
  for (const Row& row :
       rows_of(stage.state(),
               "SELECT s.kind || ' ' || s.name || ' is ' || s.state || ': ' || s.detail AS what "
               "FROM status AS s WHERE s.kind IN ('route', 'proxy') AND s.state <> 'converged' "
               "AND NOT EXISTS (SELECT 1 FROM route AS r JOIN status AS j ON j.kind = 'job' "
               "AND j.name IN (r.job, r.next_job) "
               "WHERE s.kind = 'route' AND r.name = s.name AND j.state <> 'converged')")) {
    return row.text("what");
  }
  for (const Row& row :
       rows_of(stage.state(),
               "SELECT target FROM route_target WHERE ended_at_ms IS NULL AND (route NOT IN "
               "(SELECT name FROM route) OR instance NOT IN (SELECT id FROM instance)) "
               "UNION ALL SELECT route FROM route_state WHERE route NOT IN (SELECT name FROM "
               "route)")) {
    return "there is still " + row.text("target") + " of a deleted route or job";
  }
  return "";
}

}  // namespace

std::string unsettled_routes(Stage& stage, Engines& engines) {
  FakeProxy& proxy = engines.fake_proxy();
  const std::map<std::string, Addresses> in_force = wanted(stage);
  if (in_force.empty()) return proxy.running() ? "the proxy runs, and there is no route" : "";
  if (!proxy.running()) return "the proxy does not run";
  if (std::string found = unlike("sends to", in_force, given(proxy), kept(stage)); !found.empty())
    return found;
  if (std::string found = unsaved(proxy); !found.empty()) return found;
  if (std::string found = wrong_mode(stage, proxy); !found.empty()) return found;
  return wrong_status(stage);
}

}  // namespace rowlock::simulator
