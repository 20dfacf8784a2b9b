// `rowlock doctor`: everything that Rowlock needs from this machine, looked at one by one, each
// with what to do when it is wrong.
#include "controller/adapters/docker/docker.h"
#include "controller/adapters/files/secret_folders.h"
#include "controller/adapters/process/command.h"
#include "controller/base/time.h"
#include "controller/base/version.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"
#include "controller/store/desired_file.h"
#include "controller/store/shell.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace rowlock {
namespace {

constexpr std::uint64_t kRoomMinMb = 200;
constexpr std::int64_t kEngineDeadlineMs = 5000;

struct Finding {
  bool is_well;
  std::string check;
  std::string detail;
  std::string advice;  // What to do when it is not well.
};
using Findings = std::vector<Finding>;

Finding finding_of(const std::string& check, const Error& error) {
  return {false, check, error.message, error.hint};
}

void look_at_settings(const Call& call, Findings& found) {
  const char* docker_host = std::getenv("DOCKER_HOST");
  found.push_back(
      {true, "version", fmt::format("rowlock {}, SQLite {}", version(), sqlite_version()), ""});
  found.push_back({true, "setting home",
                   fmt::format("{} (from {})", call.home.folder(), call.home_origin), ""});
  const bool is_named = docker_host != nullptr && *docker_host != '\0';
  found.push_back(
      {true, "setting docker",
       fmt::format("{} (from {})", default_docker_endpoint(), is_named ? "DOCKER_HOST" : "default"),
       ""});
}

void look_at_room(const Call& call, Findings& found) {
  struct statvfs disk {};
  if (statvfs(call.home.folder().c_str(), &disk) != 0) {
    return;
  }
  const std::uint64_t free_mb = disk.f_bavail * disk.f_frsize / (1024 * 1024);
  found.push_back({free_mb >= kRoomMinMb && disk.f_favail > 0, "disk room",
                   fmt::format("{} MB free in {}", free_mb, call.home.folder()),
                   "make room: history cannot be written on a full disk, and no step is made"});
}

void look_at_folder(const Call& call, Findings& found) {
  const std::string& folder = call.home.folder();
  auto safe = call.home.check_file_system();
  found.push_back(safe.ok() ? Finding{true, "file system", "SQLite's WAL is safe here", ""}
                            : finding_of("file system", safe.error()));
  struct stat file {};
  const bool is_open = stat(folder.c_str(), &file) == 0 && (file.st_mode & S_IRWXO) != 0;
  found.push_back({!is_open, "folder", is_open ? folder + " is open to everybody" : folder,
                   "chmod o-rwx " + folder});
}

// One database file: may it be used, is it whole, is it of a version this binary knows.
void look_at_file(const std::string& name, const std::string& path, std::int64_t version_max,
                  Findings& found) {
  auto opened = Database::open(path, Database::Mode::read_only);
  if (!opened.ok()) {
    found.push_back(finding_of(name, opened.error()));
    return;
  }
  Database database = std::move(opened).value();
  auto whole = database.scalar("PRAGMA quick_check(1)");
  const std::string said = whole.ok() ? text_of(whole.value()) : whole.error().message;
  found.push_back({said == "ok", name + " whole", said == "ok" ? "quick_check is ok" : said,
                   "put back a copy, or save what can be read with `sqlite3 FILE .recover`"});
  auto version_found = database.scalar("PRAGMA user_version");
  auto journal = database.scalar("PRAGMA journal_mode");
  if (!version_found.ok() || !journal.ok()) {
    return;
  }
  const std::int64_t number = std::get<std::int64_t>(version_found.value());
  found.push_back({number <= version_max, name + " version",
                   fmt::format("{}, this rowlock knows up to {}; journal mode {}{}", number,
                               version_max, text_of(journal.value()),
                               name == "desired.db" && number < version_max
                                   ? "; `rowlock upgrade` brings it up to date"
                                   : ""),
                   "use the newer rowlock that wrote it"});
  struct stat file {};
  const bool is_open = stat(path.c_str(), &file) == 0 && (file.st_mode & S_IRWXO) != 0;
  found.push_back({!is_open, name + " permissions",
                   fmt::format("mode {:04o}{}", file.st_mode & 07777U,
                               access(path.c_str(), W_OK) == 0 ? "" : ", not writable by you"),
                   "chmod o-rwx " + path});
}

void look_at_desired(const Call& call, Findings& found) {
  look_at_file("desired.db", call.home.desired_path(), kDesiredVersion, found);
  DesiredFile file(call.home.desired_path(), call.schema);
  if (auto read = file.read(); !read.ok()) {
    found.push_back(finding_of("desired.db tables", read.error()));
    return;
  }
}

// An edit that waits for a controller is as it should be; one that was refused is not.
void look_at_edit(const Call& call, Database& state, Findings& found) {
  auto pending = edit_is_pending(call.home, call.schema);
  auto refusals = state.scalar(call.script("cli.doctor_refused"));
  if (!pending.ok() || !refusals.ok()) {
    return;
  }
  const bool is_refused = pending.value() && refusals.value() != Value(std::int64_t{0});
  found.push_back({!is_refused, "desired.db accepted",
                   is_refused        ? "the last edit was refused"
                   : pending.value() ? "holds an edit that waits for a controller"
                                     : "its rows are the ones in force",
                   "see `rowlock why desired.db`"});
}

void look_at_controller(const Call& call, Database& state, Findings& found) {
  auto sight = sight_of_controller(call, state);
  if (!sight.ok()) {
    found.push_back(finding_of("controller", sight.error()));
    return;
  }
  const std::int64_t now_ms = system_now_ms();
  const ControllerSight& controller = sight.value();
  found.push_back({!controller.is_old(), "controller",
                   controller.is_old()
                       ? controller.warning(now_ms)
                       : fmt::format("{}, wrote {} ago", controller.holder,
                                     human_duration(now_ms - controller.seen_at_ms)),
                   controller.presence == Presence::absent
                       ? fmt::format("start it with `rowlock run --home {}`", call.home.folder())
                       : "see its log; stop it and start it again if it stays so"});
}

void look_at_node(const Row& node, Findings& found) {
  const std::string check = "node " + node.text("name");
  if (node.text("driver") != "docker") {
    found.push_back({false, check, "driver " + node.text("driver") + " is not in this version",
                     "set node.driver to 'docker'"});
    return;
  }
  const std::string endpoint =
      node.text("endpoint").empty() ? default_docker_endpoint() : node.text("endpoint");
  DockerDeadlines deadlines;
  deadlines.look_ms = kEngineDeadlineMs;
  DockerRuntime runtime(endpoint, deadlines);
  auto facts = runtime.facts();
  if (!facts.ok()) {
    found.push_back(finding_of(check, facts.error()));
    return;
  }
  const std::string arch = node.text("arch");
  found.push_back(
      {arch.empty() || arch == facts.value().arch, check,
       fmt::format("engine {} at {}, {}, {} cpus, {} MB", facts.value().version, endpoint,
                   facts.value().arch, facts.value().cpus, facts.value().memory_mb),
       fmt::format("node.arch says {}: correct it, or set it to NULL", arch)});
}

void look_at_nodes(const Call& call, Database& state, Findings& found) {
  auto nodes = state.query(call.script("cli.doctor_nodes"));
  if (!nodes.ok()) {
    found.push_back(finding_of("nodes", nodes.error()));
    return;
  }
  for (const Row& node : nodes.value()) {
    look_at_node(node, found);
  }
  if (nodes.value().empty()) {
    const Row local(std::make_shared<const std::vector<std::string>>(
                        std::vector<std::string>{"name", "driver"}),
                    {std::string("local"), std::string("docker")});
    look_at_node(local, found);  // Before the first revision: what the first node will be.
  }
}

// Wanted by routes alone.
void look_at_proxy(const Call& call, Database& state, Findings& found) {
  auto proxies = state.query(call.script("cli.doctor_proxy"));
  for (const Row& proxy : proxies.ok() ? proxies.value() : std::vector<Row>{}) {
    const bool is_ours = proxy.text("socket").empty();
    const std::string program = program_path("haproxy");
    if (is_ours && program.empty()) {
      found.push_back({false, "proxy", "haproxy is not installed, and there are routes",
                       "apt-get install haproxy"});
      return;
    }
    const bool is_reached = proxy.text("reach") == "reached";
    found.push_back({is_reached, "proxy",
                     is_reached ? fmt::format("HAProxy {} answers", proxy.text("version"))
                                : proxy.text("detail"),
                     is_ours ? "see `rowlock why proxy`" : "start the proxy at proxy.socket"});
  }
}

// Once there are keys.
void look_at_secrets(const Call& call, Database& state, Findings& found) {
  auto seals = state.query(call.script("cli.doctor_seal"));
  for (const Row& seal : seals.ok() ? seals.value() : std::vector<Row>{}) {
    const std::string detail = seal.text("detail");
    found.push_back({seal.text("state") == "open", "secret store",
                     seal.text("state") + (detail.empty() ? "" : ": " + detail),
                     "give its key or shares with `rowlock secret unseal`"});
    const auto folder = MemoryFolders(call.home.folder()).path("x");
    found.push_back(
        folder.ok()
            ? Finding{true, "secret folders",
                      "in memory, in " + folder.value().substr(0, folder.value().rfind('/')), ""}
            : finding_of("secret folders", folder.error()));
  }
}

Findings look_at_all(const Call& call) {
  Findings found;
  look_at_settings(call, found);
  if (const auto obstacle = obstacle_at(call.home, false)) {
    found.push_back(finding_of("home", *obstacle));
    return found;
  }
  look_at_folder(call, found);
  look_at_room(call, found);
  look_at_desired(call, found);
  look_at_file("state.db", call.home.state_path(),
               static_cast<std::int64_t>(call.schema.migrations().size()), found);
  auto opened = opened_state(call.home, call.schema);
  if (!opened.ok()) {
    found.push_back(finding_of("state.db readable", opened.error()));
    return found;
  }
  Database state = std::move(opened).value();
  look_at_edit(call, state, found);
  look_at_controller(call, state, found);
  look_at_nodes(call, state, found);
  look_at_proxy(call, state, found);
  look_at_secrets(call, state, found);
  return found;
}

std::string document_of(const Findings& found, bool is_well) {
  std::string checks;
  for (const Finding& finding : found) {
    checks += fmt::format("{}{{\"ok\":{},\"check\":{},\"detail\":{},\"hint\":{}}}",
                          checks.empty() ? "" : ",", finding.is_well,
                          json_text(Value(finding.check)), json_text(Value(finding.detail)),
                          json_text(Value(finding.is_well ? std::string() : finding.advice)));
  }
  return fmt::format("{{\"ok\":{},\"checks\":[{}]}}\n", is_well, checks);
}

Result<int> doctor(const Call& call) {
  const Findings found = look_at_all(call);
  const bool is_well = std::all_of(found.begin(), found.end(),
                                   [](const Finding& finding) { return finding.is_well; });
  if (call.terminal.is_json()) {
    call.terminal.print(document_of(found, is_well));
    return is_well ? kExitOk : kExitFailed;
  }
  for (const Finding& finding : found) {
    call.terminal.print(fmt::format(
        "{} {}: {}{}\n", finding.is_well ? "[ok]" : "[!!]", finding.check,
        printable(finding.detail),
        finding.is_well || finding.advice.empty() ? "" : ": " + printable(finding.advice)));
  }
  return is_well ? kExitOk : kExitFailed;
}

}  // namespace

// It needs nothing: what is missing is what it tells.
void add_doctor(Verbs& verbs) {
  verbs.add("doctor", "What Rowlock needs of this machine, and whether it has it", "rowlock doctor",
            Needs::nothing, doctor);
}

}  // namespace rowlock
