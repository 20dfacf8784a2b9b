// Nodes are looked at, never changed: these are Rowlock's eyes. Strays, containers of this home
// that have no row, are found by the same look, and removed when schema/nodes/node.sql says so.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

class Nodes final : public Reconciler {
 public:
  std::string_view kind() const override { return "node"; }
  std::string lane(const Step& step) const override;
  Outcome apply(const Step& step, World& world) const override;
};

class Strays final : public Reconciler {
 public:
  std::string_view kind() const override { return "stray"; }
  std::string lane(const Step& step) const override;
  Outcome apply(const Step& step, World& world) const override;
};

}  // namespace rowlock
