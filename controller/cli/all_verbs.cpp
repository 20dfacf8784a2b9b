// The one list of verbs. What each needs and how it is said stands beside the verb.
#include "controller/cli/all_verbs.h"

namespace rowlock {
namespace {

void add_secret(Verbs& verbs) {
  Verbs secret = verbs.group("secret", "Secrets, and the key that opens them",
                             "rowlock secret put db/prod password=@password.txt");
  add_secret_init(secret);
  add_secret_status(secret);
  add_secret_unseal(secret);
  add_secret_seal(secret);
  add_secret_rekey(secret);
  add_secret_rotate(secret);
  add_secret_put(secret);
  add_secret_patch(secret);
  add_secret_get(secret);
  add_secret_list(secret);
  add_secret_versions(secret);
  add_secret_delete(secret);
  add_secret_undelete(secret);
  add_secret_destroy(secret);
  add_secret_remove(secret);
  add_secret_metadata(secret);
  Verbs import = secret.group("import", "Take secrets over from elsewhere",
                              "rowlock secret import dotenv .env web/prod --dry-run");
  add_secret_import_dotenv(import);
  add_secret_import_vault(import);
}

void add_token(Verbs& verbs) {
  Verbs token = verbs.group("token", "Tokens for people and programs that are not the owner",
                            "rowlock token create --policy deploy --ttl 1h");
  add_token_create(token);
  add_token_list(token);
  add_token_revoke(token);
}

}  // namespace

void add_all_verbs(Verbs verbs) {
  add_status(verbs);
  add_plan(verbs);
  add_why(verbs);
  add_retry(verbs);
  add_schema(verbs);
  add_events(verbs);
  add_history(verbs);
  add_wait(verbs);
  add_doctor(verbs);
  add_version(verbs);
  add_export(verbs);
  add_init(verbs);
  add_upgrade(verbs);
  add_run(verbs);
  add_sql(verbs);
  add_apply(verbs);
  add_revert(verbs);
  add_backup(verbs);
  add_restore(verbs);
  add_recover(verbs);
  add_recovery_kit(verbs);
  add_secret(verbs);
  add_token(verbs);
  add_audit(verbs);
}

}  // namespace rowlock
