// Waiting for the world to match what was written: what is looked at, what that means, and how it
// is told. `rowlock wait` and `apply --wait` share it.
#pragma once

#include "controller/cli/call.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rowlock {

// All that the verdict rests on, read at one moment.
struct Glance {
  bool is_pending = false;            // desired.db holds rows that are not in force.
  std::vector<std::string> refusals;  // Why they were refused, if they were.
  std::vector<Row> status;            // Of what is waited for: kind, name, state, detail.
  std::vector<std::string> telling;   // KIND/NAME of what tells each second how far it is.
  std::vector<std::string>
      deploying;  // Jobs whose failure is of the past: a new deployment is due.
  std::int64_t revision = 0;
  std::int64_t clock_ms = 0;  // When the controller last wrote.
};

// `name` empty: everything. Requires: the verb needs the state, here and to wait.
Result<Glance> glance_at(const Call& call, const std::string& name);

enum class Verdict { going, converged, failed };

struct Judgement {
  Verdict verdict = Verdict::going;
  std::string reason;  // "web: 0/2 healthy: …" when it failed.
};

// `refusal_counts`: the controller has looked at desired.db since the wait began, so that what was
// refused is the edit at hand and not one before it.
Judgement judge(const Glance& glance, bool refusal_counts);

struct WaitOptions {
  std::string name;  // Empty: everything.
  std::int64_t timeout_ms = 5 * 60'000;
};

struct WaitResult {
  int exit_code = kExitOk;
  std::string document;  // As JSON.
};

// Blocks until there is a verdict, the time is over or Ctrl-C; tells the progress meanwhile and the
// verdict at the end. An error when no controller runs.
Result<WaitResult> await_convergence(const Call& call, const WaitOptions& options);

// The progress of a wait on stderr: lines that are rewritten on a terminal, a line for each change
// elsewhere.
class Progress {
 public:
  Progress(const Terminal& terminal, std::int64_t began_at_ms)
      : terminal_(terminal), began_at_ms_(began_at_ms) {}

  void show(const Glance& glance, std::int64_t now_ms);
  void clear();

 private:
  void redraw(const Glance& glance, std::int64_t now_ms);
  void tell_changes(const Glance& glance, std::int64_t now_ms);

  const Terminal& terminal_;
  std::int64_t began_at_ms_;
  std::size_t lines_ = 0;  // On the terminal now.
  struct Said {
    std::string line;
    std::int64_t at_ms = 0;
  };
  std::map<std::string, Said> said_;  // The last for each resource.
};

}  // namespace rowlock
