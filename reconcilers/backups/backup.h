// The hands of schema/backups/backup.sql: a backup is made, looked for after Rowlock was killed,
// restored and compared, and deleted; and whoever watches from elsewhere is told.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

class Backups final : public Reconciler {
 public:
  // Requires: it outlives this.
  explicit Backups(Secrets& secrets) : secrets_(secrets) {}

  std::string_view kind() const override { return "backup"; }
  std::string lane(const Step& step) const override;
  bool tells_progress(const Step& step) const override {
    return step.step == "run" || step.step == "verify";
  }
  Result<std::shared_ptr<const Parcel>> pack(const Step& step, std::int64_t now_ms) const override;
  Outcome apply(const Step& step, World& world) const override;

 private:
  Secrets& secrets_;
};

// When the next one is due: cron in a time zone, which SQL cannot work out.
class BackupSchedules final : public Reconciler {
 public:
  std::string_view kind() const override { return "backup_schedule"; }
  std::string lane(const Step&) const override { return "backup_schedule"; }
  Outcome apply(const Step& step, World& world) const override;
};

class BackupPings final : public Reconciler {
 public:
  std::string_view kind() const override { return "backup_ping"; }
  std::string lane(const Step&) const override { return "backup_ping"; }
  Outcome apply(const Step& step, World& world) const override;
};

}  // namespace rowlock
