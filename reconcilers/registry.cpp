// A kind whose steps change nothing but rows (job, deployment) is not listed: its SQL is all there
// is.
#include "reconcilers/registry.h"

#include "reconcilers/backups/backup.h"
#include "reconcilers/backups/home_pointer.h"
#include "reconcilers/backups/object_store.h"
#include "reconcilers/backups/restore.h"
#include "reconcilers/backups/scratch_database.h"
#include "reconcilers/history/history.h"
#include "reconcilers/nodes/image.h"
#include "reconcilers/nodes/node.h"
#include "reconcilers/routes/proxy.h"
#include "reconcilers/routes/route.h"
#include "reconcilers/secrets/audit_segment.h"
#include "reconcilers/secrets/database_login.h"
#include "reconcilers/secrets/delivery.h"
#include "reconcilers/secrets/trust.h"
#include "reconcilers/work/image.h"
#include "reconcilers/work/instance.h"

namespace rowlock {

namespace {

std::vector<Hand> both(std::vector<Hand> hands, const std::vector<Hand>& more) {
  hands.insert(hands.end(), more.begin(), more.end());
  return hands;
}

}  // namespace

Reconcilers all_reconcilers(Secrets& secrets, Database& state, const Schema& schema) {
  return {
      {"instance", both(instance_hands(), instance_image_hands(secrets))},
      {"object_store", object_store_hands(secrets)},
      {"home_pointer", home_pointer_hands(secrets)},
      {"backup", backup_hands(secrets)},
      {"backup_schedule", backup_schedule_hands()},
      {"backup_ping", backup_ping_hands()},
      {"restore", restore_hands(secrets)},
      {"scratch_database", scratch_database_hands(secrets)},
      {"database", database_hands(secrets)},
      {"database_login", database_login_hands(secrets, state, schema)},
      {"delivery", delivery_hands(secrets, state, schema)},
      {"image", image_hands()},
      {"node", node_hands()},
      {"stray", stray_hands()},
      {"proxy", proxy_hands()},
      {"certificate", certificate_hands()},
      {"route", route_hands()},
      {"route_target", route_target_hands()},
      {"tag", tag_hands(secrets)},
      {"trust", trust_hands()},
      {"audit_segment", audit_segment_hands(secrets, state.path(), schema)},
      {"history", history_hands(state.path(), schema)},
  };
}

}  // namespace rowlock
