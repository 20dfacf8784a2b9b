// Routes and the instances that stand in them: the hands that switch a route's mode, and make a
// slot of the proxy ready or down. When, is decided in schema/routes/route.sql and
// schema/routes/route_target.sql.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

class Routes final : public Reconciler {
 public:
  std::string_view kind() const override { return "route"; }
  std::string lane(const Step& step) const override;
  Outcome apply(const Step& step, World& world) const override;
};

class RouteTargets final : public Reconciler {
 public:
  std::string_view kind() const override { return "route_target"; }
  std::string lane(const Step& step) const override;
  Outcome apply(const Step& step, World& world) const override;
};

}  // namespace rowlock
