// `rowlock wait [NAME]`: until what was written is so, or cannot become so.
#include "controller/cli/look/wait.h"

#include "controller/base/text.h"
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"
#include "controller/cli/terminal/interrupts.h"
#include "controller/store/shell.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

constexpr std::int64_t kLookEveryMs = 100;
constexpr std::int64_t kLookForControllerEveryMs = 1000;
constexpr std::int64_t kAbsenceMaxMs = 10'000;  // A controller that is restarted is waited for.
// An old refusal stands until the controller has looked at the edit, which takes milliseconds. When
// it finds the same reasons again it writes nothing, so that some time must do.
constexpr std::int64_t kRefusalSettlesMs = 2000;
constexpr std::int64_t kClockMarginMs = 20;

Result<std::vector<std::string>> texts(const Call& call, std::string_view script) {
  const auto rows = TRY(call.state().query(call.script(script)));
  std::vector<std::string> found;
  for (const Row& row : rows) {
    found.push_back(text_of(row.cells().front()));
  }
  return found;
}

// Whether there is or ever was anything of that name: what was deleted can be waited for, too.
Result<> check_name(const Call& call, const std::string& name) {
  // Asked first: an edit that is accepted in between is then among the names.
  auto pending = edit_is_pending(call.home, call.schema);
  const auto known = TRY(texts(call, "cli.wait_names"));
  const bool may_come = !pending.ok() || pending.value();  // In an edit not accepted yet.
  if (name.empty() || may_come || std::find(known.begin(), known.end(), name) != known.end()) {
    return Done{};
  }
  const auto near = nearest(name, known);
  return Error{Fault::rejected, Cause::not_found, fmt::format("nothing here is called '{}'", name),
               near ? fmt::format("did you mean `rowlock wait {}`?", *near)
                    : "see `rowlock status` for the names there are"};
}

std::string document_of(const Judgement& judgement, const Glance& glance, std::int64_t took_ms) {
  const char* const words[] = {"detached", "converged", "failed"};
  return fmt::format(
      "{{\"verdict\":\"{}\",\"reason\":{},\"revision\":{},\"duration_ms\":{},\"resources\":{}}}",
      words[static_cast<int>(judgement.verdict)], json_text(Value(judgement.reason)),
      glance.revision, took_ms, json_text(Table{{}, glance.status}));
}

// What keeps a glance from being converged, in short.
std::string rest_of(const Glance& glance) {
  if (glance.is_pending) {
    return "the controller has not accepted the edit";
  }
  std::string rest;
  for (const Row& row : glance.status) {
    if (row.text("state") != "converged" && rest.size() < 200) {
      rest += fmt::format("{}{} is {} ({})", rest.empty() ? "" : ", ", row.text("name"),
                          row.text("state"), printable(row.text("detail")));
    }
  }
  return rest;
}

class Wait {
 public:
  Wait(const Call& call, const WaitOptions& options)
      : call_(call), options_(options), progress_(call.terminal, began_at_ms_) {}

  Result<WaitResult> until_verdict();

 private:
  Result<> check_controller(std::int64_t now_ms);
  WaitResult end(const Judgement& judgement, const Glance& glance, int code);
  WaitResult interrupted(const Glance& glance);

  const Call& call_;
  const WaitOptions& options_;
  std::int64_t began_at_ms_ = system_now_ms();
  std::int64_t sought_at_ms_ = 0;  // When the controller was last looked for,
  std::int64_t met_at_ms_ = 0;     // and last found.
  Progress progress_;
};

Result<> Wait::check_controller(std::int64_t now_ms) {
  if (now_ms - sought_at_ms_ < kLookForControllerEveryMs) {
    return Done{};
  }
  sought_at_ms_ = now_ms;
  const auto sight = TRY(sight_of_controller(call_, call_.state()));
  if (!sight.is_old()) {
    met_at_ms_ = now_ms;
  } else if (now_ms - met_at_ms_ > kAbsenceMaxMs) {
    return Error{Fault::transient, Cause::unreachable, sight.warning(now_ms),
                 fmt::format("start it with `rowlock run --home {}`", call_.home.folder())};
  }
  return Done{};
}

WaitResult Wait::end(const Judgement& judgement, const Glance& glance, int code) {
  const std::int64_t took_ms = system_now_ms() - began_at_ms_;
  progress_.clear();
  if (!call_.terminal.is_json()) {
    call_.terminal.print(code == kExitOk ? fmt::format("OK converged revision {} in {}\n",
                                                       glance.revision, human_duration(took_ms))
                                         : fmt::format("FAILED {}\n", printable(judgement.reason)));
  }
  return {code, document_of(judgement, glance, took_ms)};
}

WaitResult Wait::interrupted(const Glance& glance) {
  progress_.clear();
  call_.terminal.note("detached: the controller goes on; `rowlock wait` watches again");
  const std::int64_t took_ms = system_now_ms() - began_at_ms_;
  return {kExitInterrupted, document_of({Verdict::going, "interrupted"}, glance, took_ms)};
}

Result<WaitResult> Wait::until_verdict() {
  const Interrupts interrupts;
  while (true) {
    const std::int64_t now_ms = system_now_ms();
    if (auto met = check_controller(now_ms); !met.ok()) {
      progress_.clear();
      return met.error();
    }
    auto looked = glance_at(call_, options_.name);
    if (!looked.ok()) {
      progress_.clear();
      return looked.error();
    }
    const Glance& glance = looked.value();
    const bool refusal_counts = glance.clock_ms > began_at_ms_ + kClockMarginMs ||
                                now_ms - began_at_ms_ > kRefusalSettlesMs;
    const Judgement judgement = judge(glance, refusal_counts);
    if (judgement.verdict != Verdict::going) {
      const bool is_good = judgement.verdict == Verdict::converged;
      return end(judgement, glance, is_good ? kExitOk : kExitFailed);
    }
    if (now_ms - began_at_ms_ >= options_.timeout_ms) {
      return end(
          {Verdict::failed, fmt::format("not converged within {}: {}",
                                        human_duration(options_.timeout_ms), rest_of(glance))},
          glance, kExitFailed);
    }
    progress_.show(glance, now_ms);
    if (interrupts.sleep(kLookEveryMs)) {
      return interrupted(glance);
    }
  }
}

}  // namespace

Result<Glance> glance_at(const Call& call, const std::string& name) {
  // Before the status is read: what is no longer pending then is in the status.
  auto pending = edit_is_pending(call.home, call.schema);
  auto refusals = texts(call, "cli.refusals");
  auto deploying = texts(call, "cli.wait_deploying");
  auto status = call.state().query(call.script("cli.wait_status"), {{"name", name}});
  auto moment = call.state().query(call.script("cli.wait_moment"));
  auto telling = texts(call, "cli.wait_telling");
  for (const auto* read : {&refusals, &deploying, &telling}) {
    if (!read->ok()) {
      return read->error();
    }
  }
  for (const auto* read : {&status, &moment}) {
    if (!read->ok()) {
      return read->error();
    }
  }
  Glance glance;
  glance.is_pending = !pending.ok() || pending.value();
  glance.refusals = refusals.value();
  glance.status = status.value();
  glance.telling = telling.value();
  glance.deploying = deploying.value();
  if (!moment.value().empty()) {
    glance.revision = moment.value().front().integer("revision");
    glance.clock_ms = moment.value().front().integer("wall_ms");
  }
  return glance;
}

Judgement judge(const Glance& glance, bool refusal_counts) {
  if (glance.is_pending) {
    const bool is_refused = refusal_counts && !glance.refusals.empty();
    return is_refused ? Judgement{Verdict::failed,
                                  "desired.db: the edit was refused: " + glance.refusals.front()}
                      : Judgement{};
  }
  bool is_converged = true;
  for (const Row& row : glance.status) {
    const std::string state = row.text("state");
    const std::string name = row.text("name");
    is_converged = is_converged && state == "converged";
    const bool is_past =
        std::find(glance.deploying.begin(), glance.deploying.end(), name) != glance.deploying.end();
    if (state == "failed" && !is_past) {
      return {Verdict::failed, fmt::format("{}: {}", name, row.text("detail"))};
    }
  }
  return {is_converged ? Verdict::converged : Verdict::going, ""};
}

Result<WaitResult> await_convergence(const Call& call, const WaitOptions& options) {
  TRY(check_name(call, options.name));
  return Wait(call, options).until_verdict();
}

namespace {

Result<int> wait(const Call& call, const WaitOptions& options) {
  const auto waited = TRY(await_convergence(call, options));
  if (call.terminal.is_json()) {
    call.terminal.print(waited.document + "\n");
  } else if (waited.exit_code == kExitFailed) {
    call.terminal.note("  hint: rowlock why " + (options.name.empty() ? "NAME" : options.name));
  }
  return waited.exit_code;
}

}  // namespace

void add_wait(Verbs& verbs) {
  const auto [verb, said] = verbs.add("wait", "Until what was written is so",
                                      "rowlock wait web --timeout 2m", Needs::state, wait);
  verb.option("NAME", said.name, "a job or a node; all when left out");
  verb.duration("--timeout", said.timeout_ms, "give up after this (default 5m)");
}

}  // namespace rowlock
