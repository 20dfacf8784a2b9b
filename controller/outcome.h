// How a step that has ended is written down: by the scripts of its kind, and by what the loop does
// for every kind when a step fails (schema/kernel/retry.sql).
#pragma once

#include "controller/reconciler.h"
#include "controller/store/schema.h"

namespace rowlock {

// What the world answered, as values that state.db may keep: bytes that are no text become U+FFFD.
Values as_text(Values values);

// Within the transaction that is open: what failed is noted, to be tried again; the kind's own
// script runs, with the step, the outcome and its values bound by name; what succeeded is not held
// up any more; and the attempt is finished. Requires: a step that can succeed has a script for
// that.
Result<> record_outcome(Database& state, const Schema& schema, const Step& step,
                        const Outcome& outcome, std::int64_t started_at_ms, std::int64_t now_ms);

// A step that was taken back before it was begun: what the script KIND.STEP wrote for it is undone
// by KIND.STEP.revoked, where there is one, and its attempt is finished.
Result<> record_revoked(Database& state, const Schema& schema, const Step& step,
                        std::int64_t now_ms);

}  // namespace rowlock
