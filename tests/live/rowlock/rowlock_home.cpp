// Edits go in by the engineer's own way, another connection on desired.db, and answers come from
// state.db and from the engine itself: the product is only ever seen from outside.
#include "tests/live/rowlock/rowlock_home.h"

#include "controller/adapters/docker/docker_engine.h"
#include "controller/store/database.h"
#include "tests/live/docker/declaring_image.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <thread>
#include <unistd.h>

using namespace rowlock;

namespace rowlock_live {

namespace {

constexpr auto kLook = std::chrono::milliseconds(20);
constexpr std::int64_t kEngineDeadlineMs = 30'000;
constexpr std::size_t kLogBytesShown = 3000;

std::string binary() {
  const char* const value = std::getenv("ROWLOCK_TEST_BINARY");
  if (value == nullptr) cr_skip_test("ROWLOCK_TEST_BINARY names no rowlock");
  return value;
}

std::string new_folder() {
  char name[] = "/tmp/rowlock-live-XXXXXX";
  require(::mkdtemp(name) != nullptr, "no folder in /tmp");
  return name;
}

std::string said(const Error& error) {
  return error.hint.empty() ? error.message : error.message + " (" + error.hint + ")";
}

DockerRequest engine_request(const std::string& method, const std::string& path) {
  DockerRequest request;
  request.method = method;
  request.path = path;
  request.deadline_ms = kEngineDeadlineMs;
  return request;
}

}  // namespace

std::string engine_endpoint() {
  const char* const value = std::getenv("ROWLOCK_TEST_DOCKER");
  if (value == nullptr) cr_skip_test("ROWLOCK_TEST_DOCKER names no engine");
  return value;
}

void require(bool is_so, const std::string& message) {
  if (!is_so) throw std::runtime_error(message);
}

void await_answer(const std::string& wish, const std::function<std::string()>& ask,
                  const std::string& expected, const std::function<std::string()>& more,
                  int patience_s) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(patience_s);
  while (true) {
    const std::string answer = ask();
    if (answer == expected) return;
    require(std::chrono::steady_clock::now() < until,
            wish + "\n  expected: " + expected + "\n  but after " + std::to_string(patience_s) +
                " s it is: " + answer + "\n" + more());
    std::this_thread::sleep_for(kLook);
  }
}

std::string insert_row(const std::string& table, const std::map<std::string, std::string>& row) {
  std::string names;
  std::string values;
  for (const auto& [column, value] : row) {
    names += (names.empty() ? "" : ", ") + column;
    values += (values.empty() ? "" : ", ") + value;
  }
  return "INSERT INTO " + table + " (" + names + ") VALUES (" + values + ");";
}

std::string insert_job(const std::string& name, const std::map<std::string, std::string>& columns) {
  std::map<std::string, std::string> all = {
      {"name", "'" + name + "'"},  {"image", std::string("'") + kImage + "'"},
      {"network", "'host'"},       {"command", R"('["sleep","100000"]')"},
      {"min_healthy_ms", "200"},   {"restart_delay_ms", "100"},
      {"stop_timeout_ms", "2000"}, {"stop_signal", "'SIGKILL'"}};
  for (const auto& [column, value] : columns) all[column] = value;
  return insert_row("job", all);
}

std::string web_command(const std::string& word, int port) {
  // Process 1 heeds a signal only when it has a handler for it.
  return R"('["sh","-c","trap \"exit 0\" TERM; mkdir /tmp/www; echo )" + word +
         R"( > /tmp/www/index.html; httpd -f -h /tmp/www -p )" + std::to_string(port) +
         R"( & wait"]')";
}

LiveHome::LiveHome(const std::string& folder)
    : is_own_folder_(folder.empty()),
      home_(folder.empty() ? new_folder() : folder),
      runtime_(engine_endpoint()) {
  ::setenv("DOCKER_HOST", engine_endpoint().c_str(), 1);
  int code = 0;
  const std::string answer = verb({"init"}, &code);
  require(code == 0, "rowlock init: " + answer);
  id_ = state("SELECT id FROM home");
}

LiveHome::~LiveHome() {
  controller_.reset();
  // The proxy goes on without its controller, as it should.
  const std::string proxy = file_text(folder() + "/proxy/pid");
  if (!proxy.empty()) ::kill(static_cast<pid_t>(std::atoi(proxy.c_str())), SIGKILL);
  for (int round = 0; round < 2; ++round) {  // A call that was under way may make one more.
    for (const Container& container : containers()) (void)runtime_.remove(container.name).ok();
  }
  forget_claim();
  (void)remove_volumes_of(engine_endpoint(), id_);
  (void)DockerEngine(engine_endpoint(), kEngineDeadlineMs)
      .call("forget its network", engine_request("DELETE", "/networks/rowlock-" + id_), {404})
      .ok();
  std::error_code ignored;
  if (is_own_folder_) std::filesystem::remove_all(folder(), ignored);
}

// ---- The controller ----------------------------------------------------------------------------

void LiveHome::start() {
  controller_ = std::make_unique<Child>(
      std::vector<std::string>{binary(), "run", "--home", folder(), "--log-format", "text"},
      folder() + "/run.log");
}

void LiveHome::start_and_reach() {
  start();
  await("SELECT reach FROM node_state", "reached");
}

int LiveHome::stop() {
  controller_->signal(SIGTERM);
  return await_end();
}

void LiveHome::kill() {
  controller_->signal(SIGKILL);
  await_end();
}

int LiveHome::await_end() { return controller_->await_end(kPatienceS); }

std::string LiveHome::log() const { return file_text(folder() + "/run.log"); }

// ---- The engineer ------------------------------------------------------------------------------

void LiveHome::edit(const std::string& sql) {
  auto opened = Database::open(desired_path(), Database::Mode::read_write);
  require(opened.ok(), opened.ok() ? "" : said(opened.error()));
  Database desired = std::move(opened).value();
  const Result<> ran = desired.run(sql);
  require(ran.ok(), sql + ": " + (ran.ok() ? "" : said(ran.error())));
}

void LiveHome::accept(const std::string& sql) {
  const std::string before = state("SELECT max(id) FROM revision");
  edit(sql);
  await("SELECT max(id) > " + (before.empty() ? "0" : before) +
            " AND NOT EXISTS (SELECT 1 FROM refusal) FROM revision",
        "1");
}

void LiveHome::accept_deletion(const std::string& sql, const std::string& table, int rows) {
  accept("BEGIN; INSERT OR REPLACE INTO approval (revision, table_name, deletes) VALUES (" +
         state("SELECT max(id) FROM revision") + ", '" + table + "', " + std::to_string(rows) +
         "); " + sql + "; COMMIT;");
}

std::string LiveHome::verb(const std::vector<std::string>& arguments, int* code) const {
  const std::string output = folder() + "/verb.out";
  std::filesystem::remove(output);
  std::vector<std::string> command = {binary()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.insert(command.end(), {"--home", folder()});
  Child child(command, output);
  child.end_input();
  const int ended = child.await_end(kPatienceS);
  if (code != nullptr) *code = ended;
  return file_text(output);
}

// ---- What the controller says ------------------------------------------------------------------

std::string LiveHome::state(const std::string& query) const {
  auto opened = Database::open(home_.state_path(), Database::Mode::read_only);
  require(opened.ok(), opened.ok() ? "" : said(opened.error()));
  Database state = std::move(opened).value();
  const auto rows = state.query(query);
  require(rows.ok(), query + ": " + (rows.ok() ? "" : said(rows.error())));
  std::string all;
  for (const Row& row : rows.value()) {
    for (const Value& cell : row.cells())
      all += (&cell == row.cells().data() ? (all.empty() ? "" : "\n") : "|") + text_of(cell);
  }
  return all;
}

void LiveHome::await(const std::string& query, const std::string& expected, int patience_s) {
  await_answer(
      query, [&] { return state(query); }, expected, [&] { return story(); }, patience_s);
}

void LiveHome::await_converged(const std::string& job) {
  await("SELECT state FROM status WHERE kind = 'job' AND name = '" + job + "'", "converged");
}

void LiveHome::await_why(const std::string& name, const std::string& part) {
  std::string quoted;
  for (const char c : part) quoted += c == '\'' ? "''" : std::string(1, c);
  await("SELECT count(*) > 0 FROM why WHERE name = '" + name + "' AND instr(reason, '" + quoted +
            "') > 0",
        "1");
}

std::string LiveHome::story() const {
  const std::string whole = log();
  return "status:\n" + verb({"status", "--plain"}) + "why:\n" +
         state("SELECT name, reason FROM why") + "\ninstances:\n" +
         state("SELECT name, run, container, verdict, reason FROM instance") +
         state("SELECT kind, target, step, tries, detail FROM retry") + "\nevents:\n" +
         state("SELECT what, target, detail FROM event ORDER BY id DESC LIMIT 20") + "\nlog:\n" +
         whole.substr(whole.size() - std::min(whole.size(), kLogBytesShown));
}

// ---- What the engine says ----------------------------------------------------------------------

Json LiveHome::inspect(const std::string& container) const {
  DockerEngine engine(engine_endpoint(), kEngineDeadlineMs);
  const auto answer =
      engine.call("inspect", engine_request("GET", "/containers/" + container + "/json"), {404});
  require(answer.ok(), answer.ok() ? "" : said(answer.error()));
  return Json::parse(answer.value().body).value();
}

std::vector<Container> LiveHome::containers(const std::string& job) {
  const auto listed = runtime_.list();
  require(listed.ok(), listed.ok() ? "" : said(listed.error()));
  std::vector<Container> own;
  for (const Container& container : listed.value()) {
    if (!id_.empty() && container.home == id_ && (job.empty() || container.job == job))
      own.push_back(container);
  }
  return own;
}

std::vector<Container> LiveHome::running(const std::string& job) {
  std::vector<Container> all = containers(job);
  std::erase_if(all, [](const Container& each) { return each.state != ContainerState::running; });
  return all;
}

std::string LiveHome::identity(const std::string& job) {
  std::set<std::string> all;
  for (const Container& container : running(job))
    all.insert(container.id + " " + inspect(container.name)["State"]["StartedAt"].as_string());
  std::string text;
  for (const std::string& each : all) text += each + "\n";
  return text;
}

void LiveHome::await_exactly(const std::string& job, int count) {
  const auto compared = [&] {
    std::set<std::string> names;
    for (const Container& container : containers(job))
      names.insert(container.name + "|" + std::string(name_of(container.state)));
    std::string engine;
    for (const std::string& name : names) engine += (engine.empty() ? "" : "\n") + name;
    const std::string rows =
        state("SELECT name, container FROM instance WHERE job = '" + job +
              "' AND (run = 1 OR "
              "(verdict = 'failed' AND container = 'exited')) ORDER BY name || '|'");
    const bool agree = engine == rows && static_cast<int>(running(job).size()) == count;
    return agree ? "the rows" : "engine:\n" + engine + "\nrows:\n" + rows;
  };
  await_answer("job " + job + " has exactly " + std::to_string(count) + " containers", compared,
               "the rows", [&] { return story(); });
  const std::string live = state(
      "SELECT count(*), count(DISTINCT slot) FROM instance "
      "WHERE run = 1 AND job = '" +
      job + "'");
  const std::string wanted = std::to_string(count);
  require(live == wanted + "|" + wanted, "live instances and slots: " + live + "\n" + story());
}

void LiveHome::forget_claim() {
  const auto claim = runtime_.claim_on(id_);
  if (!claim.ok() || !claim.value()) return;
  ask_engine("DELETE", fmt::format("/volumes/rowlock-{}-claim-{}", id_, claim.value()->epoch));
}

Json LiveHome::ask_engine(const std::string& method, const std::string& path) const {
  DockerEngine engine(engine_endpoint(), kEngineDeadlineMs);
  const auto answer = engine.call(method + " " + path, engine_request(method, path));
  require(answer.ok(), answer.ok() ? "" : said(answer.error()));
  const auto body = Json::parse(answer.value().body);
  return body.ok() ? body.value() : Json();
}

}  // namespace rowlock_live
