// What a kind of resource must provide beside its SQL: hands. What should happen is decided in
// schema/KIND.sql; a step that changes nothing but rows is a script there and needs no C++ at all.
#pragma once

#include "controller/base/result.h"
#include "controller/ports/secret_folders.h"
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

// What a step takes along that must stand in no row: secrets on their way to an instance.
struct Parcel {
  std::vector<SecretFile> files;
  Values values;  // For the script that follows once the step is done.
};

// One step of the plan, with all that is needed to make it: the row of KIND_input for its target. A
// value: a worker shares nothing with the loop but the place where it tells how far it is.
struct Step {
  std::string kind;
  std::string name;    // What the engineer calls the thing: the job, the node.
  std::string target;  // The one row that the step is about.
  std::string step;
  std::string reason;
  std::optional<Row> input;
  std::shared_ptr<const Parcel> parcel;              // What pack() made; null for most steps.
  std::shared_ptr<StepProgress> progress = nullptr;  // Null when tells_progress() denies it.

  // Nothing when there is nobody to tell.
  TellProgress teller() const {
    if (progress == nullptr) return {};
    return [to = progress](const std::string& phase, std::int64_t bytes, std::int64_t all) {
      to->tell(phase, bytes, all);
    };
  }
};

// How a step ended. A closed set: what follows from each is a script of scripts_after(), with
// `outcome`, `detail` and `values` bound by name.
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

  static Outcome done(Values values = {}) {
    return {Kind::done, "done", "", std::move(values), true};
  }
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

class Reconciler {
 public:
  virtual ~Reconciler() = default;

  virtual std::string_view kind() const = 0;

  // Which queue the step waits in: steps of one lane are made a few at a time, and a lane that
  // hangs holds up no other. Steps that only look have a lane of their own, so that long work does
  // not make Rowlock blind.
  virtual std::string lane(const Step& step) const = 0;

  // Whether making the step takes so long that it tells how far it is.
  virtual bool tells_progress(const Step& /*step*/) const { return false; }

  // What the step takes along. Called on the loop thread, within the transaction that marks the
  // step: what it writes is synced before the step is made. After an error what it wrote is undone,
  // and the error is the step's outcome.
  virtual Result<std::shared_ptr<const Parcel>> pack(const Step& /*step*/,
                                                     std::int64_t /*now_ms*/) const {
    return std::shared_ptr<const Parcel>();
  }

  // Makes one step, which may be a repetition. Called on a worker thread, may block up to the
  // deadlines of the ports.
  virtual Outcome apply(const Step& step, World& world) const = 0;
};

using Reconcilers = std::map<std::string, std::unique_ptr<Reconciler>, std::less<>>;

// Where steps are made: threads in the product, a queue with a seed in the simulator.
class Executor {
 public:
  virtual ~Executor() = default;

  // Has `work` called once, elsewhere, and then `done` with what it returned, on the loop thread.
  virtual void submit(const std::string& lane, std::function<Outcome()> work,
                      std::function<void(Outcome)> done) = 0;
};

}  // namespace rowlock
