// Service holds every part in the order in which they need each other, and says what wakes whom.
// The loop's own logic is in controller.cpp; here there is only when to call it.
#include "controller/service/run.h"

#include "controller/adapters/docker/engine_watch.h"
#include "controller/adapters/haproxy/proxy_watch.h"
#include "controller/adapters/real_world.h"
#include "controller/backup/home_copies.h"
#include "controller/base/disk_room.h"
#include "controller/base/exit_code.h"
#include "controller/base/version.h"
#include "controller/controller.h"
#include "controller/edit_watch.h"
#include "controller/loop/loop.h"
#include "controller/loop/workers.h"
#include "controller/serve/api_server.h"
#include "controller/service/claims.h"
#include "controller/service/hardening.h"
#include "controller/service/open_files.h"
#include "controller/service/wal_watch.h"
#include "controller/service/what_runs.h"
#include "reconcilers/registry.h"
#include "reconcilers/work/check.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <optional>
#include <thread>

namespace rowlock {

namespace {

constexpr std::int64_t kRetryMs = 1000;  // After state.db could not be written.

constexpr int kGraceMs = 2000;  // For what takes long, to take back what it has begun.
constexpr int kLookMs = 10;
constexpr int kMappedBytesMin = 256 * 1024;
constexpr int kArenasMax = 2;

// Steps on worker threads, their outcomes back on the loop.
class WorkerExecutor final : public Executor {
 public:
  explicit WorkerExecutor(Workers& workers) : workers_(workers) {}

  void submit(const Place& place, std::function<Outcome()> work,
              std::function<void(Outcome)> done) override {
    auto outcome = std::make_shared<Outcome>();
    workers_.submit(
        place, [outcome, work = std::move(work)] { *outcome = work(); },
        [outcome, done = std::move(done)] { done(std::move(*outcome)); });
  }

 private:
  Workers& workers_;
};

// The parts, in the order in which they need each other.
class Service {
 public:
  Service(const Home& home, Database state, const Schema& schema, Log& log, OpenFiles files);

  // `place`: of the home's folder, which a copy of it does not have.
  Result<> begin(const RunOptions& options, const std::string& place);
  // Returns the exit code.
  int run() {
    loop_.run();
    return exit_code_;
  }
  bool is_busy() const { return workers_.running() > 0; }
  bool has_lost_rows() const { return has_lost_rows_; }

 private:
  void schedule_pass();
  void pass();
  void after_pass(const Controller::Pass& pass);
  void schedule_checks();
  void ask_checks();
  void watch_what_there_is();
  Result<> begin_secrets(const std::string& detail = "");
  Result<> open_with(const UnsealKey& key);
  void unseal(const UnsealSource& source);
  void take_key(const Result<UnsealKey>& key);
  void failed(const Error& error);
  void stop(const char* signal);
  void give_up(const Error& error, int exit_code);

  const Home& home_;
  const Schema& schema_;
  Log& log_;
  Database state_;
  DesiredFile desired_;
  Secrets secrets_;
  Reconcilers reconcilers_;
  Loop loop_;
  RealWorld world_;
  Workers workers_;
  WorkerExecutor executor_{workers_};
  Controller controller_;
  Checks checks_;
  std::unique_ptr<EngineWatch> engines_;
  std::unique_ptr<ProxyWatch> proxy_;
  EditWatch edits_;
  WalWatch wal_{home_.state_path()};
  ApiServer api_;
  std::unique_ptr<Timer> due_ = loop_.timer();
  std::unique_ptr<Timer> probes_ = loop_.timer();
  std::vector<std::unique_ptr<Signal>> signals_;
  bool is_scheduled_ = false;
  bool is_asking_scheduled_ = false;
  std::int64_t sealed_at_ = 0;  // SealKeeper::changes() when the key was asked for.
  std::string last_error_;
  int exit_code_ = kExitOk;
  bool has_lost_rows_ = false;  // A table of state.db is gone: all of it is to be opened anew.
};

Service::Service(const Home& home, Database state, const Schema& schema, Log& log, OpenFiles files)
    : home_(home),
      schema_(schema),
      log_(log),
      state_(std::move(state)),
      desired_(home.desired_path(), schema),
      secrets_(state_, schema_),
      reconcilers_(all_reconcilers(secrets_, state_, schema_)),
      world_(loop_, home_.folder(), std::make_unique<FolderCopies>(home_.folder()),
             files.probes_max),
      workers_(loop_, files.threads_max),
      controller_({state_, schema_, desired_, reconcilers_, world_, executor_, log_,
                   [this] { schedule_pass(); }, [this] { return secrets_.rights.accepted(); }}),
      checks_(
          state_, world_, executor_,
          [this](const std::string& script, Values values) {
            controller_.note(script, std::move(values));
            schedule_pass();
          },
          [this] { schedule_checks(); }),
      edits_(loop_, home.folder(), desired_, [this] { schedule_pass(); }),
      api_(
          loop_, state_, schema_, secrets_, world_.clock(), [this] { schedule_pass(); },
          [this](std::function<void()> job, std::function<void()> done) {
            workers_.submit({"api"}, std::move(job), std::move(done));
          }) {}

// Sealed, until the key is given: that is told before anything else happens. `detail`: why it could
// not be opened.
Result<> Service::begin_secrets(const std::string& detail) {
  auto transaction = TRY(Transaction::begin(state_));
  TRY(secrets_.seal.begin(world_.clock().now_ms(), detail));
  return std::move(transaction).commit();
}

// A command may take its time to print the key, so a worker asks it.
void Service::unseal(const UnsealSource& source) {
  if (secrets_.keyring.state() != Keyring::State::sealed) {
    return;
  }
  sealed_at_ = secrets_.seal.changes();
  auto key = std::make_shared<std::optional<Result<UnsealKey>>>();
  workers_.submit(
      {"unseal"},
      [key, source, age_file = home_.unseal_age_path()] {
        key->emplace(unseal_key_of(source.with_environment(), age_file));
      },
      [this, key] { take_key(**key); });
}

void Service::take_key(const Result<UnsealKey>& key) {
  if (key.ok() && !key.value().bytes.has_value()) {
    log_.warn("the secret store is sealed", {{"hint", "rowlock secret unseal"}});
    return;
  }
  if (key.ok() && !key.value().warning.empty()) {
    log_.warn(key.value().warning);
  }
  if (secrets_.seal.changes() != sealed_at_) {
    return;  // Somebody was faster, or has sealed it since: what a person did stands.
  }
  const Result<> opened = key.ok() ? open_with(key.value()) : Result<>(key.error());
  if (opened.ok()) {
    log_.info("the secret store is open", {{"key", key.value().origin}});
  } else {
    log_.error("the secret store stays sealed",
               {{"err", opened.error().message}, {"hint", opened.error().hint}});
    if (auto told = begin_secrets(opened.error().message); !told.ok()) {
      failed(told.error());
    }
  }
  schedule_pass();
}

// All of it, or nothing: it is open once that is written down.
Result<> Service::open_with(const UnsealKey& key) {
  const Keyring::Mark keys = secrets_.keyring.mark();
  auto transaction = TRY(Transaction::begin(state_));
  auto opened = secrets_.seal.unseal(*key.bytes, key.origin, world_.clock().now_ms());
  if (opened.ok()) {
    opened = std::move(transaction).commit();
  }
  if (!opened.ok()) {
    secrets_.keyring.undo(keys);
  }
  return opened;
}

Result<> Service::begin(const RunOptions& options, const std::string& place) {
  TRY(resume_clock(world_.clock(), state_, schema_));
  TRY(begin_claims(state_, schema_, place, options.takes_over, world_.clock().now_ms()));
  TRY(begin_secrets());
  TRY(controller_.begin());
  // It has asked for the plan of every kind at once: compiled, that takes three megabytes.
  state_.forget_compiled();
  TRY(api_.begin(home_));
  unseal(options.unseal);
  const auto id = TRY(state_.scalar("SELECT id FROM home"));
  engines_ = std::make_unique<EngineWatch>(
      world_, text_of(id),
      EngineWatch::Hear{[this](const std::string&, const std::string& container) {
                          loop_.post([this, container] {
                            controller_.hint("instance", container);
                            schedule_pass();
                          });
                        },
                        [this](const std::string& node) {
                          loop_.post([this, node] {
                            controller_.hint("node", node);
                            schedule_pass();
                          });
                        }});
  proxy_ = std::make_unique<ProxyWatch>(world_, [this] {
    loop_.post([this] {
      controller_.hint("proxy", "");
      schedule_pass();
    });
  });
  if (!edits_.obstacle().empty()) {
    log_.warn("the folder cannot be watched, edits are noticed by polling",
              {{"err", edits_.obstacle()}});
  }
  signals_.push_back(loop_.on_signal(SIGTERM, [this] { stop("SIGTERM"); }));
  signals_.push_back(loop_.on_signal(SIGINT, [this] { stop("SIGINT"); }));
  schedule_pass();
  return Done{};
}

void Service::schedule_pass() {
  if (!is_scheduled_) {
    is_scheduled_ = true;
    loop_.post([this] { pass(); });
  }
}

void Service::pass() {
  is_scheduled_ = false;
  if (state_.is_moved()) {
    give_up({Fault::broken, Cause::corrupt, "state.db was moved, deleted or replaced",
             "put it back with its -wal, and start Rowlock again"},
            kExitConfiguration);
    return;
  }
  // What could not be written when it happened is written before anything is planned by it.
  if (auto told = secrets_.seal.follow(world_.clock().now_ms()); !told.ok()) {
    failed(told.error());
    return;
  }
  const auto are_changed = secrets_.rights.follow(world_.clock().now_ms());
  if (!are_changed.ok()) {
    failed(are_changed.error());
    return;
  }
  if (are_changed.value()) {
    log_.warn("rows that give rights were changed by other hands",
              {{"hint", "see `rowlock status`, and who can write to state.db"}});
    controller_.accept_anew();
  }
  const auto passed = controller_.pass();
  if (!passed.ok()) {
    failed(passed.error());
    return;
  }
  last_error_.clear();
  after_pass(passed.value());
}

void Service::after_pass(const Controller::Pass& pass) {
  if (auto refreshed = checks_.refresh(pass.names); !refreshed.ok()) {
    failed(refreshed.error());
    return;
  }
  if (auto listens = api_.follow_setting(); !listens.ok()) {
    log_.error("the interface does not listen as the row of api says",
               {{"err", listens.error().message}, {"hint", listens.error().hint}});
  }
  ask_checks();
  const std::int64_t now_ms = world_.clock().now_ms();
  if (auto seen = wal_.look(now_ms); seen.has_value()) {
    controller_.note(seen->first, std::move(seen->second));
  }
  if (pass.due_at_ms.has_value()) {
    due_->start(std::max<std::int64_t>(1, *pass.due_at_ms - now_ms), [this] { schedule_pass(); });
  }
  if (!pass.names.empty()) {
    watch_what_there_is();
    if (auto alone = check_claims(state_, schema_); !alone.ok()) {
      give_up(alone.error(), kExitBusy);
    }
  }
}

// Once for all the answers of one turn of the loop.
void Service::schedule_checks() {
  if (!is_asking_scheduled_) {
    is_asking_scheduled_ = true;
    loop_.post([this] { ask_checks(); });
  }
}

void Service::ask_checks() {
  is_asking_scheduled_ = false;
  if (const auto next = checks_.ask_due(); next.has_value()) {
    const std::int64_t now_ms = world_.clock().now_ms();
    probes_->start(std::max<std::int64_t>(1, *next - now_ms), [this] { ask_checks(); });
  }
}

void Service::watch_what_there_is() {
  auto rows = state_.query("SELECT node, driver, endpoint FROM node_state");
  std::map<std::string, EngineWatch::Node> nodes;
  for (const Row& row : rows.ok() ? rows.value() : std::vector<Row>{}) {
    nodes[row.text("node")] = {row.text("driver"), row.text("endpoint")};
  }
  engines_->set_nodes(nodes);
  auto proxy = state_.query(
      "SELECT s.socket, p.reach = 'reached' AS is_wanted FROM proxy_state AS p JOIN proxy_setting "
      "AS s");
  for (const Row& row : proxy.ok() ? proxy.value() : std::vector<Row>{}) {
    proxy_->set_proxy(row.text("socket"), row.integer("is_wanted") == 1);
  }
}

void Service::failed(const Error& error) {
  if (error.message != last_error_) {
    log_.error("the pass failed and is tried again",
               {{"err", error.message}, {"hint", error.hint}});
    last_error_ = error.message;
  }
  if (error.message.find("no such table") != std::string::npos ||
      error.message.find("no such column") != std::string::npos) {
    has_lost_rows_ = true;
    loop_.stop();
    return;
  }
  due_->start(kRetryMs, [this] { schedule_pass(); });
}

void Service::stop(const char* signal) {
  log_.info("stops; what runs goes on running",
            {{"signal", signal}, {"steps_under_way", controller_.steps_under_way()}});
  world_.end();
  loop_.stop();
}

// The home is no longer this one's: stops before the next step, and what runs goes on.
void Service::give_up(const Error& error, int exit_code) {
  log_.error("stops, and does nothing more", {{"err", error.message}, {"hint", error.hint}});
  exit_code_ = exit_code;
  world_.end();
  loop_.stop();
}

Log::Format format_of(const std::string& name) {
  return name == "json"   ? Log::Format::json
         : name == "text" ? Log::Format::text
                          : Log::format_for(stderr);
}

int refused(const Error& error, int code) {
  std::fprintf(stderr, "rowlock: %s\n", error.message.c_str());
  if (!error.hint.empty()) {
    std::fprintf(stderr, "  hint: %s\n", error.hint.c_str());
  }
  return code;
}

// Neither a terminal that is closed nor a reader that has gone ends what keeps a platform alive. A
// handler and no SIG_IGN: programs that are started from here begin with signals as they should be.
void outlive_terminals() {
  struct sigaction nothing {};
  nothing.sa_handler = [](int) {};
  nothing.sa_flags = SA_RESTART;
  sigaction(SIGPIPE, &nothing, nullptr);
  sigaction(SIGHUP, &nothing, nullptr);
}

// A start needs to write a little: in the lock, in state.db, in the log beside it.
void await_room(const Home& home, Log& log) {
  for (bool is_told = false; has_no_room(home.folder()); is_told = true) {
    if (!is_told) {
      log.error("the disk is full: waits for room, and then starts", {{"folder", home.folder()}});
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(kRetryMs));
  }
}

// One service, from its start until it is told to end. Nothing: rows were lost, begin again.
std::optional<int> serve(const Home& home, const RunOptions& options, const Schema& schema,
                         Log& log, const OpenFiles& files, const std::string& place) {
  auto state = open_state(home.state_path(), schema, SystemClock().now_ms());
  if (!state.ok()) {
    return refused(state.error(), kExitConfiguration);
  }
  auto service = std::make_unique<Service>(home, std::move(state).value(), schema, log, files);
  if (auto begun = service->begin(options, place); !begun.ok()) {
    return refused(begun.error(), begun.error().cause == Cause::exists ? kExitBusy : kExitFailed);
  }
  log.info("runs", {{"home", home.folder()}, {"version", version()}});
  const int code = service->run();
  for (int waited_ms = 0; service->is_busy() && waited_ms < kGraceMs; waited_ms += kLookMs) {
    std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
  }
  if (service->has_lost_rows()) {
    return std::nullopt;
  }
  if (service->is_busy()) {
    // A call is under way that may take minutes. It is marked in state.db, and the next controller
    // looks what came of it.
    std::fflush(stderr);
    std::_Exit(code);
  }
  return code;
}

}  // namespace

int run(const Home& home, const RunOptions& options) {
  keep_memory_private();
  outlive_terminals();
  // Each thread would keep for itself what a long step of it once needed.
  ::mallopt(M_ARENA_MAX, kArenasMax);
  // And what a transfer needs is to go back to the system when it has ended, however often.
  ::mallopt(M_MMAP_THRESHOLD, kMappedBytesMin);
  Log log(format_of(options.log_format), stderr);
  const OpenFiles files = raise_open_files();
  if (files.limit < OpenFiles::kAmple) {
    log.warn("this process may have few files open: less is done at once",
             {{"limit", static_cast<std::int64_t>(files.limit)},
              {"hint", "raise it with LimitNOFILE= in the unit of the service, or ulimit -n"}});
  }
  const Schema schema;
  if (auto safe = home.check_file_system(); !safe.ok()) {
    return refused(safe.error(), kExitConfiguration);
  }
  if (auto known = home.check_state(); !known.ok()) {
    return refused(with_what_runs(known.error(), home), kExitConfiguration);
  }
  if (auto closed = home.keep_out_others(); !closed.ok()) {
    return refused(closed.error(), kExitPermission);
  }
  await_room(home, log);
  auto lock = HomeLock::take(home, SystemClock().now_ms());
  if (!lock.ok()) {
    return refused(lock.error(),
                   lock.error().fault == Fault::rejected ? kExitBusy : kExitPermission);
  }
  for (;;) {
    if (const auto code = serve(home, options, schema, log, files, lock.value().place());
        code.has_value()) {
      return *code;
    }
    log.warn("a table of state.db is gone: what can be made again is made again");
    std::this_thread::sleep_for(std::chrono::milliseconds(kRetryMs));
  }
}

}  // namespace rowlock
