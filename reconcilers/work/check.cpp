// An appointment is one question for one instance, with a number that grows: an answer to an older
// question, from before a restart say, is thrown away.
#include "reconcilers/work/check.h"

#include "controller/base/json.h"
#include "controller/ports/clock.h"
#include "controller/ports/container_runtime.h"
#include "controller/ports/prober.h"

#include <algorithm>

namespace rowlock {

namespace {

// An engine that is away, hangs or is in trouble says nothing about the program: neither a pass nor
// a failure. Only an exit code, or no end in time, is an answer.
constexpr const char* kUnknown = "unknown";

// What was not heard is asked again soon, later each time it happens again, and then told.
constexpr std::int64_t kAgainMs = 100;
constexpr int kUnheardTold = 3;
constexpr int kDoublingsMax = 10;

// A result as an outcome's values, since an executor carries nothing else.
Outcome ask_inside(World& world, const Row& target) {
  const auto parsed = Json::parse(target.text("command"));
  std::vector<std::string> command;
  for (const Json& word : parsed.ok() ? parsed.value().items() : std::vector<Json>{}) {
    command.push_back(word.as_string());
  }
  ContainerRuntime& runtime = world.runtime(target.text("driver"), target.text("endpoint"));
  const auto ended = runtime.exec(target.text("container"), command, target.integer("timeout_ms"));
  if (!ended.ok()) {
    Outcome failed = Outcome::of(ended.error());
    if (ended.error().cause != Cause::deadline) {
      failed.result = kUnknown;
    }
    return failed;
  }
  if (ended.value().exit_code != 0) {
    Outcome failed = Outcome::of({Fault::transient, Cause::other, "", ""});
    const std::string& output = ended.value().output;
    failed.detail = "exit code " + std::to_string(ended.value().exit_code) +
                    (output.empty() ? "" : ": " + output);
    return failed;
  }
  return Outcome::done();
}

Probe probe_of(const Row& target) {
  Probe probe;
  probe.type = target.text("type") == "http" ? Probe::Type::http : Probe::Type::tcp;
  probe.address = target.text("address");
  probe.port = static_cast<int>(target.integer("port"));
  probe.path = target.text("path");
  probe.timeout_ms = target.integer("timeout_ms");
  return probe;
}

}  // namespace

Checks::Checks(Database& state, World& world, Executor& executor, Note note, Moved moved)
    : state_(state),
      world_(world),
      executor_(executor),
      note_(std::move(note)),
      moved_(std::move(moved)),
      alive_(std::make_shared<bool>(true)) {}

Checks::~Checks() { *alive_ = false; }

Result<> Checks::refresh(const std::set<std::string>& jobs) {
  for (const std::string& job : jobs) {
    const auto rows =
        TRY(state_.query("SELECT * FROM check_target WHERE job = :job", {{"job", job}}));
    std::set<Key> wanted;
    for (const Row& row : rows) {
      const Key key{row.integer("instance"), row.text("name")};
      wanted.insert(key);
      const auto known = appointments_.find(key);
      if (known == appointments_.end() || known->second.target.text("asks") != row.text("asks")) {
        appointments_.insert_or_assign(key, Appointment{row, world_.clock().now_ms(), ++numbered_});
        continue;
      }
      Appointment& appointment = known->second;
      if (appointment.target.integer("passes") != row.integer("passes")) {
        appointment.passes_in_row = 0;  // The rows count anew as well.
      }
      appointment.target = row;
    }
    std::erase_if(appointments_, [&](const auto& entry) {
      return entry.second.target.text("job") == job && !wanted.contains(entry.first);
    });
  }
  return Done{};
}

std::optional<std::int64_t> Checks::ask_due() {
  const std::int64_t now_ms = world_.clock().now_ms();
  std::optional<std::int64_t> next;
  for (auto& [key, appointment] : appointments_) {
    if (!appointment.under_way && appointment.due_at_ms <= now_ms) {
      ask(key, appointment, now_ms);
    }
    if (!appointment.under_way) {
      next = next ? std::min(*next, appointment.due_at_ms) : appointment.due_at_ms;
    }
  }
  return next;
}

void Checks::ask(const Key& key, Appointment& appointment, std::int64_t now_ms) {
  appointment.under_way = true;
  appointment.due_at_ms = now_ms;
  const auto take = [this, key, number = appointment.number,
                     alive = alive_](const ProbeResult& result) {
    if (*alive) {
      answered(key, number, result);
    }
  };
  const Row& target = appointment.target;
  if (target.text("type") != "exec") {
    world_.prober().probe(probe_of(target), take);
    return;
  }
  World& world = world_;
  executor_.submit(
      {target.text("container") + "/exec"}, [&world, target] { return ask_inside(world, target); },
      [take](const Outcome& outcome) {
        take({outcome.kind == Outcome::Kind::done, outcome.detail, outcome.result != kUnknown});
      });
}

void Checks::answered(const Key& key, std::int64_t number, const ProbeResult& result) {
  const auto found = appointments_.find(key);
  if (found == appointments_.end() || found->second.number != number) {
    return;  // No longer asked for.
  }
  found->second.under_way = false;
  if (result.is_answer) {
    heard(key, found->second, result);
  } else {
    unheard(key, found->second, result.detail);
  }
  moved_();
}

void Checks::unheard(const Key& key, Appointment& appointment, const std::string& why) {
  const std::int64_t again_ms = kAgainMs << std::min(appointment.unheard_in_row, kDoublingsMax);
  appointment.due_at_ms =
      world_.clock().now_ms() + std::min(again_ms, appointment.target.integer("interval_ms"));
  ++appointment.unheard_in_row;
  if (appointment.unheard_in_row >= kUnheardTold) {
    note_("check.unasked", {{"instance", key.first}, {"name", key.second}, {"detail", why}});
  }
}

void Checks::heard(const Key& key, Appointment& appointment, const ProbeResult& answer) {
  appointment.due_at_ms += appointment.target.integer("interval_ms");
  appointment.passes_in_row = answer.passed ? appointment.passes_in_row + 1 : 0;
  const bool was_told = std::exchange(appointment.unheard_in_row, 0) >= kUnheardTold;
  // Once it has passed often enough, another pass is no news, and nothing is written.
  if (!answer.passed || was_told ||
      appointment.passes_in_row <= appointment.target.integer("passes")) {
    note_(answer.passed ? "check.passed" : "check.failed",
          {{"instance", key.first}, {"name", key.second}, {"detail", answer.detail}});
  }
}

}  // namespace rowlock
