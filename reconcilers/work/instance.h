// A job's instances are containers; this is their hands. What should happen is decided in
// schema/work/instance.sql: here every step is one call on the runtime, and any of them may be
// repeated.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

class Instances final : public Reconciler {
 public:
  std::string_view kind() const override { return "instance"; }
  std::string lane(const Step& step) const override;
  Outcome apply(const Step& step, World& world) const override;
};

}  // namespace rowlock
