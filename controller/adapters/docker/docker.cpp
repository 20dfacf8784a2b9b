// The port of containers, call by call. Each is a request or two; the work is in telling a refusal
// that means "already so" from a real one. Where the answer leaves that open, the container is
// looked at.
#include "controller/adapters/docker/docker.h"

#include "controller/adapters/docker/docker_json.h"
#include "controller/adapters/docker/docker_stream.h"
#include "controller/base/percent.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

namespace rowlock {

namespace {

constexpr std::size_t kOutputBytesMax = 4096;
constexpr int kLogLinesMax = 1000;
// A process that was not let run looks again only so much later than it meant to.
constexpr std::int64_t kLateMs = 250;
constexpr auto kExecPoll = std::chrono::milliseconds(10);

std::int64_t steady_now_ms() {
  using std::chrono::duration_cast;
  return duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

DockerRequest request(std::string method, std::string path, std::string body,
                      std::int64_t deadline_ms) {
  DockerRequest result;
  result.method = std::move(method);
  result.path = std::move(path);
  result.body = std::move(body);
  result.deadline_ms = std::max<std::int64_t>(deadline_ms, 1);  // 0 would mean none.
  return result;
}

std::string container_path(const std::string& name) {
  return "/containers/" + percent_encoded(name);
}

Error failed(Fault fault, Cause cause, std::string_view attempt, const std::string& what,
             std::string hint = "") {
  return Error{fault, cause, std::string(attempt) + ": " + what, std::move(hint)};
}

bool is_absent(const Error& error) { return error.cause == Cause::not_found; }

// The engine takes the start of an id for a name, so a name of nothing but hexadecimal digits could
// hit a stranger.
bool may_be_an_id(const std::string& name) {
  return name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool has_ended(const std::optional<Container>& container) {
  return !container || container->state == ContainerState::exited ||
         container->state == ContainerState::created;
}

// A refusal that names what Rowlock itself mounts is no fault of a row: it is put there again.
Error unless_ours_is_lost(Error refusal, const std::vector<std::string>& ours) {
  const auto is_named = [&](const std::string& path) {
    return !path.empty() && refusal.message.find(path) != std::string::npos;
  };
  if (std::any_of(ours.begin(), ours.end(), is_named)) {
    refusal.fault = Fault::transient;
    refusal.hint.clear();
  }
  return refusal;
}

}  // namespace

std::string default_docker_endpoint() {
  const char* const host = std::getenv("DOCKER_HOST");
  return host != nullptr && *host != '\0' ? host : "unix:///var/run/docker.sock";
}

DockerRuntime::DockerRuntime(std::string endpoint, DockerDeadlines deadlines)
    : endpoint_(endpoint), engine_(std::move(endpoint), deadlines.look_ms), deadlines_(deadlines) {}

// ---- Looking -----------------------------------------------------------------------------------

Result<Json> DockerRuntime::look(std::string_view attempt, const std::string& path) {
  const Result<DockerAnswer> answer =
      engine_.call(attempt, request("GET", path, "", deadlines_.look_ms));
  if (!answer.ok()) return answer.error();
  return answer_json(attempt, answer.value());
}

Result<EngineFacts> DockerRuntime::facts() {
  const Result<Json> info = look("ask the engine what it has", "/info");
  if (!info.ok()) return info.error();
  return engine_facts(info.value());
}

Result<std::vector<Container>> DockerRuntime::list() {
  const Result<Json> answer = look("list containers", "/containers/json?all=1");
  if (!answer.ok()) return answer.error();
  if (!answer.value().is_array()) {
    // An empty list would mean that everything is gone, and have it all made anew.
    return failed(Fault::transient, Cause::other, "list containers",
                  "the engine answered something else");
  }
  const std::vector<Json> items = answer.value().items();
  std::vector<Container> containers;
  containers.reserve(items.size());
  for (const Json& item : items) containers.push_back(listed_container(item));
  return containers;
}

Result<std::optional<Container>> DockerRuntime::find(std::string_view attempt,
                                                     const std::string& name) {
  if (name.empty()) return std::optional<Container>();
  const Result<Json> answer = look(attempt, container_path(name) + "/json");
  if (!answer.ok()) {
    if (is_absent(answer.error())) return std::optional<Container>();
    return answer.error();
  }
  if (!answer.value()["State"].is_object()) {
    return failed(Fault::transient, Cause::other, attempt, "the engine answered something else");
  }
  Container container = inspected_container(answer.value());
  if (container.name != name) return std::optional<Container>();  // Its id begins with that name.
  return std::optional<Container>(std::move(container));
}

Result<std::optional<Container>> DockerRuntime::inspect(const std::string& name) {
  return find("inspect " + name, name);
}

Result<std::string> DockerRuntime::log_tail(const std::string& name, int lines) {
  OutputTail output(kOutputBytesMax);
  DockerRequest ask = request("GET",
                              container_path(name) + "/logs?stdout=1&stderr=1&tail=" +
                                  std::to_string(std::clamp(lines, 1, kLogLinesMax)),
                              "", deadlines_.look_ms);
  ask.on_bytes = [&](std::string_view bytes) { output.feed(bytes); };
  const Result<DockerAnswer> answer = change("read the log of " + name, name, std::move(ask));
  if (!answer.ok() && !is_absent(answer.error())) return answer.error();
  return output.text();
}

// ---- Changing ----------------------------------------------------------------------------------

// A call on one container by its name, and on no other.
Result<DockerAnswer> DockerRuntime::change(std::string_view attempt, const std::string& name,
                                           DockerRequest ask, std::initializer_list<int> expected) {
  if (may_be_an_id(name)) {
    const Result<std::optional<Container>> container = find(attempt, name);
    if (!container.ok()) return container.error();
    if (!container.value())
      return failed(Fault::transient, Cause::not_found, attempt, "there is no such container");
  }
  return engine_.call(attempt, std::move(ask), expected);
}

Result<> DockerRuntime::check_made_from(std::string_view attempt, const ContainerSpec& spec) {
  const Result<std::optional<Container>> there = find(attempt, spec.name);
  if (!there.ok()) return there.error();
  if (!there.value()) {
    return failed(Fault::transient, Cause::other, attempt,
                  "a container of that name has just been removed");
  }
  const Container& found = *there.value();
  if (found.home == spec.home && found.nonce == spec.nonce &&
      found.made_from == fingerprint_of(spec)) {
    return Done{};
  }
  return failed(Fault::rejected, Cause::exists, attempt,
                found.home.empty() ? "a container of that name exists that Rowlock did not make"
                : found.home != spec.home
                    ? "a container of that name belongs to another Rowlock, home " + found.home
                    : "a container of that name was made for another instance",
                "remove or rename that container");
}

Result<std::vector<Mount>> DockerRuntime::create(const ContainerSpec& spec) {
  const std::string attempt = "create " + spec.name;
  ContainerSpec made = spec;
  const Result<Json> image = fitting_image(attempt, made);
  if (!image.ok()) return image.error();
  const Json config = image.value()["Config"];
  if (!spec.launcher.empty() && has_nothing_to_run(spec, config)) {
    return failed(Fault::rejected, Cause::other, attempt, "no command specified",
                  "set job.command: the image has none of its own");
  }

  std::string subnet;
  if (lives_on_bridge(spec)) subnet = TRY(home_subnet(attempt, spec.home));
  const Result<DockerAnswer> answer =
      engine_.call(attempt,
                   request("POST", "/containers/create?name=" + percent_encoded(spec.name),
                           container_body(made, config, subnet).text(), deadlines_.change_ms),
                   {409});
  if (!answer.ok()) {
    return unless_ours_is_lost(answer.error(), {spec.secrets_folder, spec.launcher});
  }
  if (answer.value().status == 409) TRY(check_made_from(attempt, made));
  return kept_volumes(made, declared_volumes(config));
}

Result<> DockerRuntime::start(const std::string& name) {
  const std::string attempt = "start " + name;
  const Result<DockerAnswer> answer = change(
      attempt, name, request("POST", container_path(name) + "/start", "", deadlines_.change_ms));
  if (answer.ok()) return Done{};
  if (answer.error().fault != Fault::rejected) return answer.error();
  const Result<Json> container = look(attempt, container_path(name) + "/json");
  if (!container.ok()) return answer.error();
  if (!TRY(stands_on_its_network(attempt, container.value()))) {
    TRY(remove(name));
    return failed(Fault::transient, Cause::other, attempt,
                  "the network of its home was removed: it is made again");
  }
  return unless_ours_is_lost(answer.error(), sources_of_ours(container.value()));
}

Result<> DockerRuntime::signal(const std::string& name, const std::string& signal) {
  const std::string attempt = "signal " + name;
  const Result<DockerAnswer> answer =
      change(attempt, name,
             request("POST", container_path(name) + "/kill?signal=" + percent_encoded(signal), "",
                     deadlines_.change_ms),
             {409});
  if (!answer.ok()) {
    Error error = answer.error();
    if (error.fault == Fault::rejected) error.hint = "name a signal, such as SIGHUP";
    return error;
  }
  if (answer.value().status == 409) {
    return failed(Fault::transient, Cause::not_found, attempt, engine_words(answer.value()));
  }
  return Done{};
}

Result<> DockerRuntime::resume(const std::string& name) {
  const std::string attempt = "resume " + name;
  const Result<DockerAnswer> answer = change(
      attempt, name, request("POST", container_path(name) + "/unpause", "", deadlines_.change_ms),
      {409, 500});
  if (!answer.ok()) return answer.error();
  if (answer.value().status / 100 == 2) return Done{};
  // Engines disagree on the status of "is not paused", so look whether that is what it means.
  const Result<std::optional<Container>> container = find(attempt, name);
  if (!container.ok()) return container.error();
  if (container.value() && container.value()->state != ContainerState::paused) return Done{};
  return engine_error(attempt, answer.value().status, engine_words(answer.value()));
}

Result<> DockerRuntime::remove(const std::string& name) {
  const Result<DockerAnswer> answer =
      change("remove " + name, name,
             request("DELETE", container_path(name) + "?force=1&v=1", "", deadlines_.change_ms));
  if (!answer.ok() && !is_absent(answer.error())) return answer.error();
  return Done{};
}

// ---- Stopping ----------------------------------------------------------------------------------
// The engine's own stop knows whole seconds, and takes a signal only from API 1.42 on: so signal,
// wait, kill.

// One that has ended in the meantime has got what the signal was for.
Result<> DockerRuntime::send_signal(std::string_view attempt, const std::string& name,
                                    const std::string& signal) {
  const Result<DockerAnswer> answer =
      engine_.call(attempt,
                   request("POST", container_path(name) + "/kill?signal=" + percent_encoded(signal),
                           "", deadlines_.stop_margin_ms),
                   {409});
  if (!answer.ok() && !is_absent(answer.error())) return answer.error();
  return Done{};
}

// Cause::deadline when it has not ended after timeout_ms.
Result<> DockerRuntime::await_end(std::string_view attempt, const std::string& name,
                                  std::int64_t timeout_ms) {
  const Result<DockerAnswer> answer = engine_.call(
      attempt,
      request("POST", container_path(name) + "/wait?condition=not-running", "", timeout_ms));
  if (!answer.ok() && !is_absent(answer.error())) return answer.error();
  return Done{};
}

Result<> DockerRuntime::stop(const std::string& name, const std::string& signal_name,
                             std::int64_t timeout_ms) {
  const std::string attempt = "stop " + name;
  const Result<std::optional<Container>> container = find(attempt, name);
  if (!container.ok()) return container.error();
  if (has_ended(container.value())) return Done{};
  if (container.value()->state == ContainerState::paused) {
    const Result<> resumed = resume(name);  // A frozen process cannot heed a signal.
    if (!resumed.ok() && !is_absent(resumed.error())) return resumed.error();
  }

  const Result<> asked = send_signal(attempt, name, signal_name.empty() ? "SIGTERM" : signal_name);
  if (!asked.ok()) return asked.error();
  const Result<> ended = await_end(attempt, name, timeout_ms);
  if (ended.ok() || ended.error().cause != Cause::deadline) return ended;

  const Result<> killed = send_signal(attempt, name, "SIGKILL");
  if (!killed.ok()) return killed.error();
  return await_end(attempt, name, deadlines_.stop_margin_ms);
}

// ---- Running commands inside -------------------------------------------------------------------

Result<ExecResult> DockerRuntime::exec(const std::string& name,
                                       const std::vector<std::string>& command,
                                       std::int64_t timeout_ms) {
  const std::string attempt =
      "run " + (command.empty() ? "nothing" : command.front()) + " in " + name;
  const std::int64_t ends_at_ms = steady_now_ms() + timeout_ms;
  std::vector<Json> words;
  for (const std::string& word : command) words.push_back(Json::string(word));
  const Json body = Json::object({{"AttachStdout", Json::boolean(true)},
                                  {"AttachStderr", Json::boolean(true)},
                                  {"Cmd", Json::array(std::move(words))}});
  const Result<DockerAnswer> made = change(
      attempt, name, request("POST", container_path(name) + "/exec", body.text(), timeout_ms));
  if (!made.ok()) {
    Error error = made.error();
    // The command has not begun: it is the engine that hangs.
    if (error.cause == Cause::deadline) error.cause = Cause::unreachable;
    return error;
  }
  const Result<Json> made_json = answer_json(attempt, made.value());
  if (!made_json.ok()) return made_json.error();
  const std::string id = made_json.value()["Id"].as_string();

  OutputTail output(kOutputBytesMax);
  DockerRequest run = request("POST", "/exec/" + percent_encoded(id) + "/start",
                              R"({"Detach":false,"Tty":false})", ends_at_ms - steady_now_ms());
  run.on_bytes = [&](std::string_view bytes) { output.feed(bytes); };
  const Result<DockerAnswer> ran = engine_.call(attempt, std::move(run), {400});
  if (!ran.ok()) {
    if (ran.error().cause != Cause::deadline) return ran.error();
    if (steady_now_ms() > ends_at_ms + kLateMs) {
      return failed(Fault::transient, Cause::other, attempt,
                    "its time passed while this machine did not let Rowlock look");
    }
    return failed(Fault::transient, Cause::deadline, attempt,
                  "no end within " + std::to_string(timeout_ms) + " ms");
  }
  // Newer engines say with a status that there is no such program, older ones with an exit code, as
  // a shell does.
  constexpr int kNoSuchProgram = 127;
  if (ran.value().status == 400) return ExecResult{kNoSuchProgram, engine_words(ran.value())};

  const Result<int> exit_code = exec_exit_code(attempt, id, ends_at_ms);
  if (!exit_code.ok()) return exit_code.error();
  return ExecResult{exit_code.value(), output.text()};
}

// The output may end a moment before the engine knows that the command has.
Result<int> DockerRuntime::exec_exit_code(std::string_view attempt, const std::string& exec_id,
                                          std::int64_t ends_at_ms) {
  while (true) {
    const Result<Json> state = look(attempt, "/exec/" + percent_encoded(exec_id) + "/json");
    if (!state.ok()) {
      Error error = state.error();
      if (error.cause == Cause::deadline) error.cause = Cause::unreachable;  // The engine's.
      return error;
    }
    const Json exit_code = state.value()["ExitCode"];
    if (!state.value()["Running"].as_boolean() && !exit_code.is_null())
      return static_cast<int>(exit_code.as_integer());
    if (steady_now_ms() >= ends_at_ms) {
      return failed(Fault::transient, Cause::deadline, attempt,
                    "it closed its output and went on running");
    }
    std::this_thread::sleep_for(kExecPoll);
  }
}

// ---- Watching ----------------------------------------------------------------------------------

Result<> DockerRuntime::watch(const std::string& home, const std::atomic<bool>& stop,
                              const std::function<void(const std::string& container)>& hint) {
  LineSplitter lines([&](std::string_view line) {
    const Result<Json> event = Json::parse(line);
    if (!event.ok()) return;  // A hint that cannot be read is a hint that was lost.
    const std::string name = event.value()["Actor"]["Attributes"]["name"].as_string();
    if (!name.empty()) hint(name);
  });
  DockerRequest ask;
  ask.path = "/events?filters=" + percent_encoded(event_filters(home));
  ask.stop = &stop;
  ask.on_bytes = [&](std::string_view bytes) { lines.feed(bytes); };
  const Result<DockerAnswer> answer = engine_.call("watch the engine's events", std::move(ask));
  if (!answer.ok()) return answer.error();
  if (stop.load()) return Done{};
  return failed(Fault::transient, Cause::other, "watch the engine's events",
                "the engine ended the stream");
}

}  // namespace rowlock
