// What changes without a reload: slots and modes, told over the runtime socket. What needs one (a
// new route, another certificate) goes by files, in haproxy_folder.cpp and haproxy_process.cpp.
#include "controller/adapters/haproxy/haproxy.h"

#include "controller/adapters/haproxy/haproxy_config.h"
#include "controller/adapters/haproxy/haproxy_error.h"
#include "controller/adapters/haproxy/haproxy_text.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace rowlock {

namespace {

constexpr int kWeightMax = 256;
constexpr int kPortMax = 65535;

// The adapter's own relative paths would mean nothing to a daemon.
std::string absolute(const std::string& path) {
  std::error_code failed;
  const std::string found = std::filesystem::absolute(path, failed).string();
  return failed ? path : found;
}

bool is_free(const SlotReport& slot) { return slot.address.empty() && !slot.ready; }

SlotReport report_of(const ServerState& server, const std::string& route, int number) {
  SlotReport slot;
  slot.route = route;
  slot.number = number;
  slot.ready = server.ready;
  slot.failing = server.failing;
  slot.weight = server.weight;
  if (server.address != kFreeAddress || server.port != kFreePort) {
    slot.address = server.address;
    slot.port = server.port;
  }
  return slot;
}

// Calls `each` with every slot in an answer to `show servers state` and `show servers conn`.
template <typename Each>
void for_slots(const std::string& answer, const std::string& home, const Each& each) {
  const auto used = parse_connections(answer);
  for (const ServerState& server : parse_servers(answer)) {
    const auto route = route_of_backend(home, server.backend);
    const int number = slot_of_server(server.server);
    if (!route.has_value() || number == 0) continue;
    SlotReport slot = report_of(server, *route, number);
    const auto sessions = used.find(server.backend + "/" + server.server);
    if (sessions != used.end()) slot.sessions = sessions->second;
    each(std::move(slot));
  }
}

// Why a slot cannot be made so, or "". What goes into a command is checked here.
std::string obstacle_in(const std::string& route, const ProxySlot& slot) {
  if (!is_section_name(route)) return "the route's name is none";
  if (slot.weight < 0 || slot.weight > kWeightMax) return "a weight is 0 to 256";
  if (slot.address.empty()) return slot.ready ? "a free slot cannot be ready" : "";
  if (!is_ip(slot.address)) return "no IP address: " + slot.address;
  return slot.port < 1 || slot.port > kPortMax ? "no port: " + std::to_string(slot.port) : "";
}

// Down before its address changes, up after: no request goes where it should not.
std::vector<std::string> slot_commands(const std::string& backend, const ProxySlot& slot) {
  const std::string server = backend + "/" + server_name(slot.number);
  const bool is_free = slot.address.empty();
  std::vector<std::string> commands;
  // Not `drain`: with a cookie, that still takes the clients who have one.
  if (!slot.ready) commands.push_back("set server " + server + " state maint");
  commands.push_back("set server " + server + " addr " + (is_free ? kFreeAddress : slot.address) +
                     " port " + std::to_string(is_free ? kFreePort : slot.port));
  commands.push_back("set weight " + server + " " + std::to_string(slot.weight));
  if (slot.ready) {
    commands.push_back("set server " + server + " state ready");
    // What comes out of `maint` is taken out again by the first look that fails, and the next look
    // may be long in coming.
    commands.push_back("set server " + server + " health up");
  }
  return commands;
}

}  // namespace

HaproxyProxy::HaproxyProxy(const std::string& folder, const std::string& socket)
    : folder_(absolute(folder)),
      is_ours_(socket.empty()),
      control_(is_ours_ ? folder_.master_socket() : socket, is_ours_) {}

Result<> HaproxyProxy::save(const ProxyConfig& config) {
  const std::lock_guard lock(mutex_);
  if (auto done = folder_.save(config); !done.ok()) {
    return with_attempt("save the proxy's configuration", done.error());
  }
  const std::lock_guard home_lock(home_mutex_);
  home_ = config.home;
  return Done{};
}

// Whose backends are ours. Read once: a folder belongs to one home for good.
Result<std::string> HaproxyProxy::home() {
  const std::lock_guard lock(home_mutex_);
  if (home_.empty()) {
    const auto saved = TRY(folder_.saved());
    home_ = saved.home;
  }
  return home_;
}

Result<> HaproxyProxy::add_old_workers(const Told& told, const std::string& home,
                                       const std::string& backend, Slots& slots) {
  const std::string which = backend.empty() ? "" : " " + backend;
  for (const std::int64_t worker : told.processes.old_workers) {
    const auto answer =
        TRY(control_.tell_old(worker, {"show servers state" + which, "show servers conn" + which}));
    for_slots(answer, home, [&](SlotReport old) {
      if (old.sessions == 0 && !old.ready) return;
      const bool lingers = old.ready;
      const std::int64_t sessions = std::exchange(old.sessions, 0);
      old.ready = old.failing = false;  // For the current worker this slot is no more.
      SlotReport& slot = slots.try_emplace({old.route, old.number}, std::move(old)).first->second;
      slot.sessions += sessions;
      slot.lingers = slot.lingers || lingers;
    });
  }
  return Done{};
}

Result<std::vector<SlotReport>> HaproxyProxy::all_slots(const Told& told, const std::string& home) {
  Slots slots;
  for_slots(told.answer, home, [&](SlotReport slot) {
    const std::pair key(slot.route, slot.number);
    slots[key] = std::move(slot);
  });
  TRY(add_old_workers(told, home, "", slots));
  std::vector<SlotReport> reports;
  for (auto& [key, slot] : slots) {
    if (!is_free(slot) || slot.sessions > 0 || slot.lingers) reports.push_back(std::move(slot));
  }
  return reports;
}

Result<ProxyReport> HaproxyProxy::observe() {
  const std::string attempt = "observe the proxy";
  const auto told =
      control_.tell({"show info", std::string("show map ") + kModeMap, "show servers state",
                     "show servers conn", std::string("show stat ") + kOfFrontends});
  if (!told.ok()) return with_attempt(attempt, told.error());
  const std::string& answer = told.value().answer;
  const WorkerFacts facts = parse_info(answer);
  if (facts.process == 0) {
    return Error{Fault::transient, Cause::unreachable, attempt + ": " + in_one_line(answer), ""};
  }
  ProxyReport report;
  report.version = facts.version;
  report.process = told.value().is_master ? told.value().processes.master : facts.process;
  report.generation = -1;
  const auto saved = folder_.saved();
  if (!saved.ok()) return report;
  const std::string& home = saved.value().home;
  report.generation = generation_in(facts.description, home);
  report.files_moved = saved.value().files_moved;
  report.unread = parse_unread(answer, "rowlock-" + home);

  auto slots = all_slots(told.value(), home);
  if (!slots.ok()) return with_attempt(attempt, slots.error());
  report.slots = std::move(slots).value();
  for (const auto& [backend, mode] : parse_map(answer)) {
    const auto route = route_of_backend(home, backend);
    if (route.has_value() && mode != kModeLive) report.modes.emplace_back(*route, mode);
  }
  auto certificate_reports = certificates(saved.value());
  if (!certificate_reports.ok()) return with_attempt(attempt, certificate_reports.error());
  report.certificates = std::move(certificate_reports).value();
  return report;
}

Result<SlotReport> HaproxyProxy::tell_slot(const std::string& attempt, const std::string& route,
                                           int slot, std::vector<std::string> commands) {
  const auto ours = home();
  if (!ours.ok()) return with_attempt(attempt, ours.error());
  const std::string backend = backend_name(ours.value(), route);
  commands.push_back("show servers state " + backend);
  commands.push_back("show servers conn " + backend);
  const auto told = control_.tell(commands);
  if (!told.ok()) return with_attempt(attempt, told.error());
  Slots slots;
  for_slots(told.value().answer, ours.value(), [&](SlotReport each) {
    if (each.number == slot) slots[{route, slot}] = std::move(each);
  });
  const auto found = slots.find({route, slot});
  if (found == slots.end()) return not_there(attempt, "slot");
  if (auto added = add_old_workers(told.value(), ours.value(), backend, slots); !added.ok()) {
    return with_attempt(attempt, added.error());
  }
  return found->second;
}

Result<SlotReport> HaproxyProxy::look(const std::string& route, int slot) {
  const std::string attempt = "look at slot " + std::to_string(slot) + " of route " + route;
  if (!is_section_name(route)) return not_there(attempt, "route");
  return tell_slot(attempt, route, slot, {});
}

Result<SlotReport> HaproxyProxy::set_slot(const std::string& route, const ProxySlot& slot) {
  const std::string attempt = "set slot " + std::to_string(slot.number) + " of route " + route;
  if (slot.number < 1) return not_there(attempt, "slot");
  const std::string obstacle = obstacle_in(route, slot);
  if (!obstacle.empty()) {
    return Error{Fault::rejected, Cause::other, attempt + ": " + obstacle, ""};
  }
  const auto ours = home();
  if (!ours.ok()) return with_attempt(attempt, ours.error());
  return tell_slot(attempt, route, slot.number,
                   slot_commands(backend_name(ours.value(), route), slot));
}

Result<> HaproxyProxy::set_mode(const std::string& route, const std::string& mode) {
  const std::string attempt = "set the mode of route " + route;
  if (!is_section_name(route) || !is_mode(mode)) {
    return Error{Fault::rejected, Cause::other, attempt + ": unknown: " + mode, ""};
  }
  const auto ours = home();
  if (!ours.ok()) return with_attempt(attempt, ours.error());
  const std::string command = std::string("set map ") + kModeMap + " " +
                              backend_name(ours.value(), route) + " " +
                              (mode.empty() ? kModeLive : mode);
  const auto told = control_.tell({command});
  if (!told.ok()) return with_attempt(attempt, told.error());
  // Requests that an old worker holds are let go by it.
  for (const std::int64_t worker : told.value().processes.old_workers) {
    (void)control_.tell_old(worker, {command}).ok();
  }
  const std::string words = in_one_line(told.value().answer);
  if (words.empty()) return Done{};
  if (words.find("not found") != std::string::npos ||
      words.find("Unknown map") != std::string::npos) {
    return not_there(attempt, "route");
  }
  return Error{Fault::transient, Cause::other, attempt + ": " + words, ""};
}

}  // namespace rowlock
