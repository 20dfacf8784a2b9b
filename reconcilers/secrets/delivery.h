// What an instance is given to keep to itself: the hands of schema/secrets/delivery.sql. Values are
// put together on the loop thread, where the keys are, and written to the instance's folder by a
// worker.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

class Deliveries final : public Reconciler {
 public:
  // Requires: all of them outlive this.
  Deliveries(Secrets& secrets, Database& state, const Schema& schema)
      : secrets_(secrets), state_(state), schema_(schema) {}

  std::string_view kind() const override { return "delivery"; }
  std::string lane(const Step& step) const override;
  Result<std::shared_ptr<const Parcel>> pack(const Step& step, std::int64_t now_ms) const override;
  Outcome apply(const Step& step, World& world) const override;

 private:
  Secrets& secrets_;
  Database& state_;
  const Schema& schema_;
};

}  // namespace rowlock
