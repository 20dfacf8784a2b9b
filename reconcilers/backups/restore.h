// The hands of schema/backups/restore.sql: a backup becomes a database under a name of its own, and
// takes the name that was asked for once it is equal to what was dumped.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

class Restores final : public Reconciler {
 public:
  // Requires: it outlives this.
  explicit Restores(Secrets& secrets) : secrets_(secrets) {}

  std::string_view kind() const override { return "restore"; }
  std::string lane(const Step& step) const override { return "restore/" + step.target; }
  bool tells_progress(const Step& step) const override { return step.step == "restore"; }
  Result<std::shared_ptr<const Parcel>> pack(const Step& step, std::int64_t now_ms) const override;
  Outcome apply(const Step& step, World& world) const override;

 private:
  Secrets& secrets_;
};

}  // namespace rowlock
