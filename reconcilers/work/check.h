// Health checks are eyes that look more often than the plan does. What is to be asked, how often
// and where is the view check_target; how often in a row it was answered well is counted in
// schema/work/check.sql; this class keeps the appointments.
#pragma once

#include "controller/ports/prober.h"
#include "controller/reconciler.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace rowlock {

class Checks {
 public:
  // Takes the answers: a script of the schema and its values. On the loop thread.
  using Note = std::function<void(const std::string& script, Values values)>;
  // Told after every answer: another question has a moment of its own now, so ask_due() is to be
  // called, later.
  using Moved = std::function<void()>;

  // All parts outlive this. To be used on the loop thread.
  Checks(Database& state, World& world, Executor& executor, Note note, Moved moved);
  ~Checks();
  Checks(const Checks&) = delete;
  Checks& operator=(const Checks&) = delete;

  // Reads anew what is to be asked of these jobs' instances; after each pass, with the names it
  // planned.
  Result<> refresh(const std::set<std::string>& jobs);

  // Asks whatever is due, and returns when the next question is, or nothing when there is none.
  std::optional<std::int64_t> ask_due();

 private:
  using Key = std::pair<std::int64_t, std::string>;  // Instance and check.
  struct Appointment {
    Row target;
    std::int64_t due_at_ms;
    std::int64_t number;  // An answer to an earlier one, from before a pause, says nothing.
    bool under_way = false;
    std::int64_t passes_in_row = 0;
    int unheard_in_row = 0;  // Questions that this machine could not ask, or did not hear out.
  };

  void ask(const Key& key, Appointment& appointment, std::int64_t now_ms);
  void answered(const Key& key, std::int64_t number, const ProbeResult& result);
  void unheard(const Key& key, Appointment& appointment, const std::string& why);
  void heard(const Key& key, Appointment& appointment, const ProbeResult& answer);

  Database& state_;
  World& world_;
  Executor& executor_;
  Note note_;
  Moved moved_;
  std::map<Key, Appointment> appointments_;
  std::int64_t numbered_ = 0;
  std::shared_ptr<bool> alive_;  // False once this is destroyed: a late answer is dropped.
};

}  // namespace rowlock
