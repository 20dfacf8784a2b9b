// A master's socket wants "@1" before each command and a worker's own does not know that word.
// Which of the two it is, is found by trying; the answer "Unknown command" means the other one.
#include "controller/adapters/haproxy/haproxy_control.h"

namespace rowlock {

namespace {

constexpr std::int64_t kTellDeadlineMs = 5000;
constexpr char kNotUnderstood[] = "Unknown command";

// The prefix holds for one command only, so each has it.
std::string joined(const std::string& prefix, const std::vector<std::string>& commands) {
  std::string line;
  for (const std::string& command : commands) {
    if (!line.empty()) line += ';';
    line += prefix + command;
  }
  return line;
}

}  // namespace

// Neither kind of socket understands what is meant for the other one, so a wrong guess changes
// nothing and the other form can follow.
Result<Told> HaproxyControl::tell(const std::vector<std::string>& commands) {
  const Kind first = kind_.load() == Kind::worker ? Kind::worker : Kind::master;
  Result<Told> told = tell_as(first, commands);
  if (!told.ok() || told.value().answer.rfind(kNotUnderstood, 0) != 0) return told;
  return tell_as(first == Kind::worker ? Kind::master : Kind::worker, commands);
}

Result<Told> HaproxyControl::tell_as(Kind kind, const std::vector<std::string>& commands) {
  const bool is_master = kind == Kind::master;
  const std::string line =
      is_master ? "show proc;" + joined("@1 ", commands) : joined("", commands);
  Result<std::string> answer = exchange(socket_, line, kTellDeadlineMs);
  if (!answer.ok()) return answer.error();
  Told told;
  told.answer = std::move(answer).value();
  if (told.answer.rfind(kNotUnderstood, 0) == 0) return told;
  kind_ = kind;
  told.is_master = is_master;
  if (!is_master) return told;
  const std::size_t end = told.answer.find("\n\n");
  const auto processes = parse_processes(told.answer.substr(0, end));
  if (!processes.has_value() || end == std::string::npos) {
    return Error{Fault::transient, Cause::other,
                 "the proxy at " + socket_ + " broke off in the middle of its answer", ""};
  }
  told.processes = *processes;
  told.answer.erase(0, end + 2);
  return told;
}

Result<std::string> HaproxyControl::tell_old(std::int64_t worker,
                                             const std::vector<std::string>& commands) {
  return exchange(socket_, joined("@!" + std::to_string(worker) + " ", commands), kTellDeadlineMs);
}

Result<std::string> HaproxyControl::tell_with_text(const std::string& command,
                                                   const std::string& text) {
  const std::string prefix = kind_.load() == Kind::worker ? "" : "@1 ";
  return exchange(socket_, prefix + command + " <<\n" + text + "\n", kTellDeadlineMs);
}

Result<> HaproxyControl::tell_to_reload() {
  const Result<std::string> told = exchange(socket_, "reload", kTellDeadlineMs);
  // Whether it broke off is no sign of anything: the caller sees what came of it.
  if (!told.ok() && told.error().cause == Cause::unreachable) return told.error();
  return Done{};
}

}  // namespace rowlock
