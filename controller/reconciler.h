// What a kind of resource must provide beside its SQL: hands, one for each step that touches the
// world. They are data: a list of the steps, each with its lane and the function that makes it.
// What should happen is decided in schema/FAMILY/KIND.sql; a step that changes nothing but rows is
// a script there and needs no C++ at all. A step has a hand just when the schema has a script
// KIND.STEP.done.
//
// Protocol. pack() on the loop thread, within the transaction that marks the step → lane() there →
// make() on a worker thread → its Outcome is recorded on the loop thread.
#pragma once

#include "controller/base/lanes.h"
#include "controller/base/result.h"
#include "controller/ports/world.h"
#include "controller/step_progress.h"
#include "controller/store/database.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

// What a step takes along that must stand in no row, such as a password. Each kind derives its own,
// which its hands alone know. It lives as long as the step: a secret in it is SecretBytes, wiped
// when that goes.
class Parcel {
 public:
  Parcel() = default;
  virtual ~Parcel() = default;
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;
};

using Packed = Result<std::shared_ptr<const Parcel>>;

// One step of the plan, with all that is needed to make it: the row of KIND_input for its target. A
// value: a worker shares nothing with the loop but the place where it tells how far it is.
struct Step {
  std::string kind;
  std::string name;    // What the engineer calls the thing: the job, the node.
  std::string target;  // The one row that the step is about.
  std::string step;
  std::string reason;
  int turn = 0;  // Of its lane: what heals is made before what rolls out, and both before retries.
  std::optional<Row> input;
  std::shared_ptr<const Parcel> parcel;              // What pack() made; null for most steps.
  std::shared_ptr<StepProgress> progress = nullptr;  // Null when its hand tells none.

  // What the step takes along. Requires: pack() of its hand makes such a parcel.
  template <typename ParcelOfKind>
  const ParcelOfKind& parcel_as() const {
    const auto* packed = dynamic_cast<const ParcelOfKind*>(parcel.get());
    CHECK(packed != nullptr);
    return *packed;
  }

  // Nothing when there is nobody to tell.
  TellProgress teller() const {
    if (progress == nullptr) return {};
    return [to = progress](const std::string& phase, std::int64_t bytes, std::int64_t all) {
      to->tell(phase, bytes, all);
    };
  }
};

// How a step ended. A closed set: what follows from each is a script of scripts_after(), with
// `outcome`, `detail` and `values` bound by name. What a port answered is an outcome as it is, so
// that a hand may TRY its calls and return the last one.
struct Outcome {
  enum class Kind {
    done,
    transient,  // Try again with backoff.
    rejected,   // Only the engineer can mend it.
    broken,     // Our side: try again, late.
  };
  Kind kind = Kind::done;
  std::string result = "done";  // The kind's name, or a finer one that the kind's SQL knows.
  std::string detail;  // For a person: what was attempted, on what, and what the world answered.
  Values values;
  bool is_mendable = true;  // Of a rejected one: whether it may be mended without an edit.

  Outcome() = default;  // Done, with nothing to tell.
  Outcome(Kind ended, std::string called, std::string told, Values bound)
      : kind(ended), result(std::move(called)), detail(std::move(told)), values(std::move(bound)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): reads as `return error;`
  Outcome(const Error& error) : Outcome(of(error)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): reads as `return runtime.stop(…);`
  Outcome(const Result<>& answer) : Outcome(answer.ok() ? done() : of(answer.error())) {}

  static Outcome done(Values values = {}) { return {Kind::done, "done", "", std::move(values)}; }
  static Outcome of(const Error& error);
};

// "done", "transient" …
std::string_view name_of(Outcome::Kind kind);

// What follows when a step has ended so: the first of these scripts that there is. After a failure
// KIND.STEP.failed, KIND.STEP.RESULT, KIND.RESULT, KIND.OUTCOME, KIND.failed, or else nothing but
// what schema/kernel/retry.sql does for all kinds; otherwise KIND.STEP.RESULT, KIND.RESULT,
// KIND.done.
std::vector<std::string> scripts_after(const std::string& kind, const std::string& step,
                                       const Outcome& outcome);

// How one step of a kind is made.
struct Hand {
  std::string_view step;  // As the plan names it; of static storage.

  // Which queue the step waits in: steps of one lane are made a few at a time, and a lane that
  // hangs holds up no other. Steps that only look have a lane of their own, so that long work does
  // not make Rowlock blind.
  std::function<std::string(const Step&)> lane;

  // Makes the step, which may be a repetition. May block up to the deadlines of the ports.
  std::function<Outcome(const Step&, World&)> make;

  // What the step takes along; null: nothing. What it writes is synced before the step is made.
  // After an error what it wrote is undone, and the error is the step's outcome.
  std::function<Packed(const Step&, std::int64_t now_ms)> pack = nullptr;

  // Whether making the step takes so long that it tells how far it is.
  bool tells_progress = false;
};

// The hands of each kind that has any, by its name.
using Reconcilers = std::map<std::string, std::vector<Hand>, std::less<>>;

// Null when nobody can make such a step, which is a defect of Rowlock. Valid as long as the
// reconcilers are.
const Hand* hand_of(const Reconcilers& reconcilers, const Step& step);

// Where steps are made: threads in the product, a queue with a seed in the simulator.
class Executor {
 public:
  virtual ~Executor() = default;

  // Has `work` called once, elsewhere and when it is its turn, and then `done` with what it
  // returned, on the loop thread.
  virtual void submit(const Place& place, std::function<Outcome()> work,
                      std::function<void(Outcome)> done) = 0;
};

}  // namespace rowlock
