// The cases follow each other on one proxy, and the first one needs that nothing was ever saved.
// Each stops the proxy before it begins and when it has ended.
#include "tests/conformance/proxy_suite.h"

#include "tests/conformance/proxy_case.h"

#include <atomic>

namespace rowlock {

std::string conformance_address(int slot) { return "127.0.8." + std::to_string(slot); }
int conformance_port(int slot) { return 8000 + slot; }

namespace {

using Case = ProxyCase;
using Modes = std::vector<std::pair<std::string, std::string>>;

// ---- Beginning and end -------------------------------------------------------------------------

// The first of all: nothing is taken back that was once saved.
void nothing_starts_before_something_is_saved(const Case& c) {
  c.expect(!c.proxy.start().ok(), "start to fail");
  c.fails(c.proxy.observe(), Fault::transient, Cause::unreachable, "observe");
}

void nothing_is_known_of_one_that_does_not_run(const Case& c) {
  c.succeeds(c.proxy.save(c.config(1, {Case::route("web")})), "save");
  for (int round = 0; round < 2; ++round) {
    c.fails(c.proxy.observe(), Fault::transient, Cause::unreachable, "observe");
    c.fails(c.proxy.look("web", 1), Fault::transient, Cause::unreachable, "look");
    c.fails(c.proxy.set_slot("web", taken(1, true)), Fault::transient, Cause::unreachable,
            "set_slot");
    c.fails(c.proxy.set_mode("web", "maintenance"), Fault::transient, Cause::unreachable,
            "set_mode");
    c.expect(!c.proxy.reload().ok(), "reload to fail");
    c.succeeds(c.proxy.stop(), "stop");
  }
}

void start_takes_what_was_saved(const Case& c) {
  ProxyRoute web = Case::route("web");
  web.slots = {taken(1, true, 7), taken(2, false), free_slot(3)};
  web.mode = "maintenance";
  const ProxyConfig config = c.config(41, {web, Case::route("other")});
  std::int64_t process = 0;
  for (int round = 0; round < 2; ++round) {
    c.save_and_start(config);
    const ProxyReport report = c.observed();
    c.expect(report.generation == 41, "its generation");
    c.expect(!report.version.empty() && report.process > 0, "its version and process");
    c.expect(round == 0 || report.process == process, "the same process");
    process = report.process;
    c.expect(report.modes == Modes{{"web", "maintenance"}}, "its mode");
    c.has_slots("web/1 127.0.8.1:8001 x7 ready, web/2 127.0.8.2:8002 x1 down");
  }
}

void stop_ends_it(const Case& c) {
  c.save_and_start(c.config(1, {Case::route("web")}));
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.proxy.stop(), "stop");
    c.fails(c.proxy.observe(), Fault::transient, Cause::unreachable, "observe");
  }
  c.succeeds(c.proxy.start(), "start of one that was stopped");
  c.expect(c.observed().generation == 1, "what was saved");
}

void one_that_was_killed_comes_back_as_saved(const Case& c) {
  ProxyRoute web = Case::route("web");
  web.slots[0] = taken(1, true);
  c.save_and_start(c.config(1, {web}));
  c.set_twice("web", taken(2, true));
  c.set_twice("web", taken(1, false));
  c.succeeds(c.proxy.set_mode("web", "maintenance"), "set_mode");

  c.fixture.kill();
  c.is_gone();
  c.succeeds(c.proxy.start(), "start");

  c.has_slots("web/1 127.0.8.1:8001 x1 ready");
  c.expect(c.observed().modes.empty(), "no mode");
}

// ---- Slots and modes ---------------------------------------------------------------------------

void a_slot_is_as_it_was_set(const Case& c) {
  c.save_and_start(c.config(1, {Case::route("web")}));
  c.has_slots("");
  c.look_tells("web", free_slot(1));

  c.set_twice("web", taken(1, true));
  c.set_twice("web", taken(2, true, 3));
  c.has_slots("web/1 127.0.8.1:8001 x1 ready, web/2 127.0.8.2:8002 x3 ready");
  for (const int weight : {256, 0}) {
    c.set_twice("web", taken(1, true, weight));
    c.has_slots("web/1 127.0.8.1:8001 x" + std::to_string(weight) +
                " ready, web/2 127.0.8.2:8002 x3 ready");
  }

  c.set_twice("web", taken(1, false));
  c.has_slots("web/1 127.0.8.1:8001 x1 down, web/2 127.0.8.2:8002 x3 ready");
  c.set_twice("web", free_slot(1));
  c.has_slots("web/2 127.0.8.2:8002 x3 ready");
  ProxySlot elsewhere = taken(2, true);
  elsewhere.address = "::1";
  c.set_twice("web", elsewhere);
  elsewhere.number = 1;
  c.set_twice("web", elsewhere);
}

void what_is_not_there_cannot_be_set(const Case& c) {
  c.save_and_start(c.config(1, {Case::route("web")}));
  c.set_twice("web", taken(1, true));
  const std::pair<const char*, int> absent[] = {{"web", 4}, {"web", 0}, {"we", 1}, {"web-1", 1}};
  for (const auto& [name, slot] : absent) {
    const std::string what = std::string(name) + "/" + std::to_string(slot);
    c.fails(c.proxy.set_slot(name, taken(slot, true)), Fault::transient, Cause::not_found,
            "set_slot " + what);
    c.fails(c.proxy.look(name, slot), Fault::transient, Cause::not_found, "look " + what);
  }
  c.fails(c.proxy.set_mode("we", "maintenance"), Fault::transient, Cause::not_found, "set_mode");
  c.has_slots("web/1 127.0.8.1:8001 x1 ready");
  c.expect(c.observed().modes.empty(), "no mode");
}

void a_mode_is_as_it_was_set(const Case& c) {
  c.save_and_start(c.config(1, {Case::route("web"), Case::route("other")}));
  for (const char* mode : {"maintenance", "pause:1500", "maintenance"}) {
    for (int round = 0; round < 2; ++round) {
      c.succeeds(c.proxy.set_mode("web", mode), "set_mode");
      c.expect(c.observed().modes == Modes{{"web", mode}}, std::string("mode ") + mode);
    }
  }
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.proxy.set_mode("web", ""), "set_mode back");
    c.expect(c.observed().modes.empty(), "no mode");
  }
}

void names_come_back_as_they_were_given(const Case& c) {
  const std::vector<std::string> names = {
      "a", "7", "web-1", "web-1-2", "web-12", "a-name-of-40-characters-0123456789-abcde"};
  std::vector<ProxyRoute> routes;
  for (const std::string& name : names) routes.push_back(Case::route(name, 12));
  c.save_and_start(c.config(1, routes));
  for (const std::string& name : names) {
    c.set_twice(name, taken(12, true));
    c.succeeds(c.proxy.set_mode(name, "pause:100"), "set_mode");
  }
  const ProxyReport report = c.observed();
  c.expect(report.slots.size() == names.size() && report.modes.size() == names.size(),
           "a slot and a mode of each");
  for (const std::string& name : names) c.look_tells(name, taken(12, true));
}

// ---- Another configuration ---------------------------------------------------------------------

void what_is_saved_waits_for_a_reload(const Case& c) {
  c.save_and_start(c.config(1, {Case::route("web", 1)}));
  c.set_twice("web", taken(1, true));
  ProxyRoute web = Case::route("web", 2);
  web.slots[1] = taken(2, true, 9);
  ProxyRoute next = Case::route("new", 2);
  next.mode = "pause:100";

  c.succeeds(c.proxy.save(c.config(2, {web, next})), "save");
  c.expect(c.observed().generation == 1, "the generation before the reload");
  c.has_slots("web/1 127.0.8.1:8001 x1 ready");
  c.fails(c.proxy.set_slot("web", taken(2, true)), Fault::transient, Cause::not_found,
          "set_slot of a new slot");
  c.fails(c.proxy.set_slot("new", taken(1, true)), Fault::transient, Cause::not_found,
          "set_slot of a new route");
  c.fails(c.proxy.set_mode("new", ""), Fault::transient, Cause::not_found, "set_mode");

  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.proxy.reload(), "reload");
    c.expect(c.observed().generation == 2, "the generation after the reload");
    c.expect(c.observed().modes == Modes{{"new", "pause:100"}}, "the mode that was saved");
    c.has_slots("web/2 127.0.8.2:8002 x9 ready");
    c.set_twice("new", taken(1, true));
  }
}

void a_reload_takes_routes_away(const Case& c) {
  c.save_and_start(c.config(1, {Case::route("web"), Case::route("old")}));
  c.set_twice("old", taken(1, true));
  c.succeeds(c.proxy.save(c.config(2, {Case::route("web")})), "save");
  c.succeeds(c.proxy.reload(), "reload");
  c.has_slots("");
  c.fails(c.proxy.look("old", 1), Fault::transient, Cause::not_found, "look");
  c.succeeds(c.proxy.save(c.config(3, {})), "save of no route at all");
  c.succeeds(c.proxy.reload(), "reload");
  c.expect(c.observed().generation == 3, "the generation after the reload");
}

void one_that_is_no_good_is_refused(const Case& c) {
  c.save_and_start(c.config(1, {Case::route("web")}));
  for (int round = 0; round < 2; ++round) {
    c.fails(c.proxy.save(c.fixture.spoil(c.config(2, {Case::route("other")}))), Fault::rejected,
            Cause::other, "save");
    c.expect(c.observed().generation == 1, "the one before to run");
  }
  c.succeeds(c.proxy.reload(), "reload");
  c.expect(c.observed().generation == 1, "the one before after a reload");
  c.succeeds(c.proxy.stop(), "stop");
  c.succeeds(c.proxy.start(), "start");
  c.expect(c.observed().generation == 1, "the one before after a start");
  c.look_tells("web", free_slot(1));
}

void a_route_may_have_everything(const Case& c) {
  ProxyRoute full = Case::route("full");
  full.host = "*.example.org";
  full.path = "/app";
  full.strip_prefix = true;
  full.redirect_scheme = "https";
  full.headers = {{"X-Plain", "a b"},
                  {"X-Quotes", R"(it's "so" \ 100% #1 ${HOME} $HOME %[src] {}, ;)"},
                  {"Server", ""}};
  full.rate_limit = 100;
  full.rate_window_ms = 60'000;
  full.sticky_cookie = "node";
  full.maintenance_page = "<p>it's \"so\" \\ 100% #1 ${HOME} %[src]</p>\n\n<p>grüße</p>\n";
  full.slots[0] = taken(1, true);
  ProxyRoute moved = Case::route("moved");
  moved.redirect_host = "www.example.org";
  moved.redirect_status = 302;
  moved.raw_path = true;
  ProxyConfig config = c.config(1, {full, moved});
  config.client_header = "X-Real-Ip";
  c.save_and_start(config);
  c.has_slots("full/1 127.0.8.1:8001 x1 ready");
  config.accept_proxy = true;
  config.generation = 2;
  c.succeeds(c.proxy.save(config), "save with the PROXY protocol");
  c.succeeds(c.proxy.reload(), "reload");
  c.has_slots("full/1 127.0.8.1:8001 x1 ready");
}

// ---- Certificates ------------------------------------------------------------------------------

CertificateReport certificate(const Case& c, const std::string& file) {
  for (const CertificateReport& one : c.observed().certificates) {
    if (one.file == file) return one;
  }
  c.expect(false, "a report of " + file);
  return CertificateReport{};
}

void a_certificate_is_taken_anew_when_told(const Case& c) {
  if (!c.fixture.write_certificate) return;
  const std::string file = c.fixture.folder_for_files + "/one.pem";
  c.fixture.write_certificate(file, true);
  ProxyConfig config = c.config(1, {Case::route("web")});
  config.listen_tls = c.fixture.listen_tls;
  config.certificates = {file};
  c.save_and_start(config);
  const CertificateReport first = certificate(c, file);
  c.expect(!first.stale && first.error.empty(), "the one in the file");
  c.expect(first.names == "example.org" && first.not_after_ms > 0, "its names and its end");

  c.fixture.write_certificate(file, true);
  c.expect(certificate(c, file).stale, "another one in the file");
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.proxy.load_certificate(file), "load_certificate");
    c.expect(!certificate(c, file).stale, "the other one to be loaded");
  }

  c.fixture.write_certificate(file, false);
  c.fails(c.proxy.load_certificate(file), Fault::rejected, Cause::other, "load_certificate");
  c.expect(!certificate(c, file).error.empty(), "to be told that it cannot be used");
  c.fails(c.proxy.save(config), Fault::rejected, Cause::other, "save");
}

void a_folder_of_certificates_is_watched(const Case& c) {
  if (!c.fixture.write_certificate) return;
  const std::string folder = c.fixture.folder_for_files + "/folder";
  c.fixture.write_certificate(folder + "/one.pem", true);
  ProxyConfig config = c.config(1, {Case::route("web")});
  config.listen_tls = c.fixture.listen_tls;
  config.certificates = {folder};
  c.save_and_start(config);
  c.expect(!c.observed().files_moved, "the files that were saved");
  c.expect(!certificate(c, folder + "/one.pem").stale, "the one in the file");

  c.fixture.write_certificate(folder + "/two.pem", true);
  c.expect(c.observed().files_moved, "one file more");
  c.succeeds(c.proxy.save(config), "save");
  c.succeeds(c.proxy.reload(), "reload");
  c.expect(!c.observed().files_moved, "the files that were saved anew");
  c.expect(!certificate(c, folder + "/two.pem").stale, "the new one to be loaded");
}

// ---- Watching ----------------------------------------------------------------------------------

// watch() on a thread of its own.
class Watching {
 public:
  explicit Watching(Proxy& proxy)
      : thread_([this, &proxy] {
          ended_well_ = proxy.watch(stop_, [this] { ++told_; }).ok();
          has_returned_ = true;
        }) {}
  ~Watching() { finish(); }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

  bool returns_by_itself() const {
    const auto give_up = std::chrono::steady_clock::now() + kProxyPatience;
    while (!has_returned_ && std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return has_returned_;
  }
  bool finish() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return ended_well_;
  }
  int told() const { return told_; }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<bool> ended_well_ = false;
  std::atomic<bool> has_returned_ = false;
  std::atomic<int> told_ = 0;
  std::thread thread_;  // Last: it uses the others.
};

void watch_tells_the_end(const Case& c) {
  Watching none(c.proxy);
  c.expect(none.returns_by_itself() && none.told() == 0, "watch to return when none runs");

  // Nothing says that the watch has begun, so let it end until that is told.
  c.save_and_start(c.config(1, {Case::route("web")}));
  const auto give_up = std::chrono::steady_clock::now() + kProxyPatience;
  int told = 0;
  while (told == 0 && std::chrono::steady_clock::now() < give_up) {
    c.succeeds(c.proxy.start(), "start");
    Watching watching(c.proxy);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    c.fixture.kill();
    c.is_gone();
    c.expect(watching.returns_by_itself(), "watch to return when it was killed");
    told = watching.told();
  }
  c.expect(told == 1, "to be told once that it was killed");
}

void watch_ends_when_told(const Case& c) {
  c.save_and_start(c.config(1, {Case::route("web")}));
  Watching watching(c.proxy);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  c.set_twice("web", taken(1, true));
  c.succeeds(c.proxy.reload(), "reload");
  const auto stopped_at = std::chrono::steady_clock::now();
  c.expect(watching.finish(), "watch to end well");
  c.expect(std::chrono::steady_clock::now() - stopped_at < std::chrono::milliseconds(1500),
           "watch to end soon");
  c.expect(watching.told() == 0, "no end of one that runs on");
  c.expect(c.proxy.observe().ok(), "the proxy to run on");
}

constexpr std::pair<const char*, void (*)(const Case&)> kCases[] = {
    {"nothing starts before something is saved", nothing_starts_before_something_is_saved},
    {"nothing is known of one that does not run", nothing_is_known_of_one_that_does_not_run},
    {"start takes what was saved", start_takes_what_was_saved},
    {"stop ends it", stop_ends_it},
    {"one that was killed comes back as saved", one_that_was_killed_comes_back_as_saved},
    {"a slot is as it was set", a_slot_is_as_it_was_set},
    {"what is not there cannot be set", what_is_not_there_cannot_be_set},
    {"a mode is as it was set", a_mode_is_as_it_was_set},
    {"names come back as they were given", names_come_back_as_they_were_given},
    {"what is saved waits for a reload", what_is_saved_waits_for_a_reload},
    {"a reload takes routes away", a_reload_takes_routes_away},
    {"one that is no good is refused", one_that_is_no_good_is_refused},
    {"a route may have everything", a_route_may_have_everything},
    {"a certificate is taken anew when told", a_certificate_is_taken_anew_when_told},
    {"a folder of certificates is watched", a_folder_of_certificates_is_watched},
    {"watch tells the end", watch_tells_the_end},
    {"watch ends when told", watch_ends_when_told},
};

}  // namespace

void check_proxy(Proxy& proxy, const ProxyFixture& fixture) {
  for (const auto& [title, run] : kCases) run(Case(title, proxy, fixture));
}

}  // namespace rowlock
