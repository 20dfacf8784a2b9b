// THE IDEA. Desired state is rows that people write, observed state is rows that Rowlock writes,
// and the difference is a query: SELECT * FROM plan. This class takes turns at it, and does nothing
// else:
//
//   wake → accept → observe → plan → apply → record → (again until the plan is empty or waits)
//
// It knows no kind of resource. A wake-up carries only a name; what is to be done about it is asked
// of the plan. A lost wake-up costs time, never correctness: every name is planned again in its
// turn, and nodes are looked at every few seconds.
#pragma once

#include "controller/base/log.h"
#include "controller/ports/clock.h"
#include "controller/reconciler.h"
#include "controller/store/accept.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rowlock {

// Has the clock go on where the last controller of this home left it. Before anything asks it.
Result<> resume_clock(Clock& clock, Database& state, const Schema& schema);

class Controller {
 public:
  // What the controller works with; all of it outlives the controller.
  struct Parts {
    Database& state;  // Opened by open_state().
    const Schema& schema;
    DesiredFile& desired;
    const Reconcilers& reconcilers;
    World& world;
    Executor& executor;
    Log& log;
    // Called on the loop thread when something is ready to be recorded: have pass() called soon.
    std::function<void()> wake;
    // Called in the transaction after which the rows in force are those of desired.db.
    std::function<Result<>()> taken = {};
  };

  explicit Controller(Parts parts);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // Once, before the first pass: steps that were under way when the last controller ended are
  // closed as lost, and every node is looked at before anything is decided about it.
  Result<> begin();

  // Something happened to the thing that KIND.hint knows by this target; look at it in the next
  // pass.
  void hint(const std::string& kind, const std::string& target);

  // Has a script of the schema run in the next pass, with :now_ms and these values: for eyes that
  // see more often than the plan looks, such as health probes.
  void note(const std::string& script, Values values);

  // The next pass compares every row in force with desired.db, whether that was edited or not.
  void accept_anew() { is_to_accept_ = true; }

  struct Pass {
    std::set<std::string> names;  // What was planned.
    std::optional<std::int64_t>
        due_at_ms;  // When the next one is due at the latest, by the plan's own word.
  };

  // One turn of the loop. Requires: it is called at least every kLookEveryMs, whatever it said
  // last: a time without it is one in which nobody looked, and deadlines move by it. An error means
  // that state.db could not be written: nothing of this turn has happened, outcomes are kept, and
  // the next pass tries again.
  Result<Pass> pass();

  // How many steps are being made now.
  std::size_t steps_under_way() const { return under_way_; }

 private:
  struct Finished {
    Step step;
    Outcome outcome;
    std::int64_t started_at_ms;
    bool is_revoked = false;  // It was not begun: by its turn it was not wanted any more.
  };
  // Whose a step in a lane is: a worker's once it has begun it, or the loop's that took it back.
  enum class Claim { waiting, begun, revoked };
  // A step of this turn, to be made after it.
  struct Marked {
    Step step;
    std::shared_ptr<std::atomic<Claim>> claim;
  };
  struct Waiting {
    Step step;
    std::string answer;  // What the plan says of its target if nothing is under way.
    std::shared_ptr<std::atomic<Claim>> claim;
    std::int64_t started_at_ms;
  };
  struct Note {
    std::string script;
    Values values;
  };
  // A step under way that tells how far it is.
  struct Telling {
    std::string kind;
    std::string target;
    std::shared_ptr<StepProgress> progress;
    std::int64_t ask_at_ms;
  };

  Result<> accept();
  Result<> turn(const Moment& now, std::vector<Marked>& to_make);
  Result<> write_clock(const Moment& now);
  Result<> tell_held(const std::string& why, std::int64_t now_ms);
  Result<std::string> answer_to(const Step& step, std::int64_t now_ms);
  Result<> reconsider(const std::string& name, std::int64_t now_ms);
  Result<> record_all(std::int64_t now_ms);
  Result<> record(const Finished& finished, std::int64_t now_ms);
  Result<> plan_names(std::int64_t now_ms, std::vector<Marked>& to_make);
  Result<> plan_name(const std::string& name, std::int64_t now_ms, std::vector<Marked>& to_make);
  void wait_for(const std::string& name, const Row& row, std::int64_t now_ms);
  Result<> take_step(Step step, std::int64_t now_ms, std::vector<Marked>& to_make);
  Result<bool> pack(Step& step, std::int64_t now_ms);
  Result<> take_dirty();
  void write_progress(std::int64_t now_ms);
  void make(Marked marked, std::int64_t now_ms);
  void log_outcome(const Finished& finished, std::int64_t now_ms);
  bool has_something_to_do(const Moment& now) const;

  Parts parts_;
  Acceptor acceptor_;
  std::map<std::string, std::string> plan_of_kind_;  // What asks a kind for the plan of a name.
  std::int64_t started_at_ms_ = 0;
  Moment looked_;                                  // The last pass that went well.
  std::set<std::string> names_;                    // To be planned in this or the next pass.
  std::set<std::string> planned_;                  // What this pass has planned.
  std::map<std::string, std::int64_t> due_at_ms_;  // When a name is to be planned again.
  std::deque<Finished> unpacked_;                  // Steps of this turn that ended unmade.
  std::deque<Finished> finished_;                  // Steps that ended and are not recorded yet.
  std::deque<Finished> revoked_;                   // Steps that were taken back in this turn.
  std::vector<Waiting> waiting_;                   // Steps that no worker has begun yet.
  std::deque<Note> notes_;
  std::vector<Telling> telling_;
  std::string walked_to_;  // Where the slow walk over all names stands.
  std::int64_t walk_at_ms_ = 0;
  std::int64_t prune_at_ms_ = 0;
  std::int64_t trim_at_ms_ = 0;
  std::size_t under_way_ = 0;
  std::int64_t held_since_ms_ = 0;  // Since when desired.db cannot be read; 0: it can.
  bool is_held_told_ = false;
  bool is_to_accept_ = false;
  std::shared_ptr<bool> alive_;  // False once this is destroyed: a late outcome is dropped.
};

}  // namespace rowlock
