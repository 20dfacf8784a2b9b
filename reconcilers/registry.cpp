// A kind whose steps change nothing but rows (job, deployment) is not listed: its SQL is all there
// is.
#include "reconcilers/registry.h"

#include "reconcilers/backups/backup.h"
#include "reconcilers/backups/object_store.h"
#include "reconcilers/backups/restore.h"
#include "reconcilers/nodes/node.h"
#include "reconcilers/routes/proxy.h"
#include "reconcilers/routes/route.h"
#include "reconcilers/secrets/database_login.h"
#include "reconcilers/secrets/delivery.h"
#include "reconcilers/secrets/trust.h"
#include "reconcilers/work/instance.h"

namespace rowlock {

Reconcilers all_reconcilers(Secrets& secrets, Database& state, const Schema& schema) {
  Reconcilers all;
  const auto add = [&all](std::unique_ptr<Reconciler> reconciler) {
    const std::string kind(reconciler->kind());
    all.emplace(kind, std::move(reconciler));
  };
  add(std::make_unique<Instances>());
  add(std::make_unique<ObjectStores>(secrets));
  add(std::make_unique<Backups>(secrets));
  add(std::make_unique<BackupSchedules>());
  add(std::make_unique<BackupPings>());
  add(std::make_unique<Restores>(secrets));
  add(std::make_unique<Databases>(secrets));
  add(std::make_unique<DatabaseLogins>(secrets, state, schema));
  add(std::make_unique<Deliveries>(secrets, state, schema));
  add(std::make_unique<Nodes>());
  add(std::make_unique<Strays>());
  add(std::make_unique<Proxies>());
  add(std::make_unique<Certificates>());
  add(std::make_unique<Routes>());
  add(std::make_unique<RouteTargets>());
  add(std::make_unique<Trusts>());
  return all;
}

}  // namespace rowlock
