// The hands of schema/backups/object_store.sql: whether a store can be used, and what was left in
// it half uploaded.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

class ObjectStores final : public Reconciler {
 public:
  // Requires: it outlives this.
  explicit ObjectStores(Secrets& secrets) : secrets_(secrets) {}

  std::string_view kind() const override { return "object_store"; }
  std::string lane(const Step& step) const override { return "store/" + step.target; }
  Result<std::shared_ptr<const Parcel>> pack(const Step& step, std::int64_t now_ms) const override;
  Outcome apply(const Step& step, World& world) const override;

 private:
  Secrets& secrets_;
};

}  // namespace rowlock
