// A loop that asks state.db a few times a second. It also looks now and then for a controller:
// without one, what was asked for would be waited for in vain.
#include "controller/cli/look/follow.h"

#include "controller/base/time.h"
#include "controller/cli/answers.h"
#include "controller/cli/look/progress_line.h"
#include "controller/cli/terminal/interrupts.h"

namespace rowlock {

namespace {

constexpr std::int64_t kLookEveryMs = 200;
constexpr std::int64_t kSeekEveryMs = 2000;

// What was asked for stays written for the next one.
Result<> expect_controller(const Call& call, std::int64_t& sought_at_ms) {
  const std::int64_t now_ms = system_now_ms();
  if (now_ms - sought_at_ms < kSeekEveryMs) {
    return Done{};
  }
  sought_at_ms = now_ms;
  const auto sight = TRY(sight_of_controller(call, call.state()));
  if (sight.presence == Presence::absent) {
    return Error{Fault::transient, Cause::unreachable,
                 "it is asked for, but no controller runs that would do it",
                 "start it with `rowlock run --home " + call.home.folder() + "`"};
  }
  return Done{};
}

}  // namespace

Result<std::string> asked_for(const Call& call) {
  const auto why = TRY(call.state().scalar(call.script("cli.standing_refusal")));
  const std::string message = text_of(why);
  if (message.empty()) return std::string("asked for");
  return "asked for, and not heard as long as desired.db stands refused: " + message;
}

Result<int> follow(const Call& call, std::int64_t timeout_ms,
                   const std::function<Result<Followed>()>& look) {
  const Interrupts interrupts;
  const std::int64_t until_ms = system_now_ms() + timeout_ms;
  std::int64_t sought_at_ms = 0;
  std::string said;
  ProgressLine progress(call.terminal);
  while (true) {
    const auto looked = TRY(look());
    const Followed& followed = looked;
    if (!followed.line.empty() && followed.line != said) {
      said = followed.line;
      progress.end();
      call.terminal.note(said);
    }
    if (!followed.phase.empty()) {
      progress.show(followed.phase, followed.progress, system_now_ms());
    }
    if (followed.is_settled) {
      return followed.is_good ? kExitOk : kExitFailed;
    }
    TRY(expect_controller(call, sought_at_ms));
    if (interrupts.sleep(kLookEveryMs)) {
      progress.end();
      call.terminal.note("stopped watching; it goes on, see `rowlock status`");
      return kExitInterrupted;
    }
    if (system_now_ms() > until_ms) {
      return Error{Fault::transient, Cause::deadline, "it has not ended in this time",
                   "it goes on: see `rowlock status` and `rowlock why NAME`"};
    }
  }
}

}  // namespace rowlock
