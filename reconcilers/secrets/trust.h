// The public keys of issuers that are trusted: the hands of schema/secrets/trust.sql.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

class Trusts final : public Reconciler {
 public:
  std::string_view kind() const override { return "trust"; }
  std::string lane(const Step& step) const override;
  Outcome apply(const Step& step, World& world) const override;
};

}  // namespace rowlock
