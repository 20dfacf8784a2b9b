// One function for each verb, which declares its command line (verbs.h), in the file that has the
// verb; and the one list of them.
#pragma once

#include "controller/cli/verbs.h"

namespace rowlock {

// In the order in which help shows them.
void add_all_verbs(Verbs verbs);

// In look/.
void add_status(Verbs& verbs);
void add_plan(Verbs& verbs);
void add_why(Verbs& verbs);
void add_retry(Verbs& verbs);
void add_schema(Verbs& verbs);
void add_events(Verbs& verbs);
void add_history(Verbs& verbs);
void add_wait(Verbs& verbs);
void add_doctor(Verbs& verbs);
void add_version(Verbs& verbs);
void add_export(Verbs& verbs);

// In edit/, and run.cpp.
void add_init(Verbs& verbs);
void add_upgrade(Verbs& verbs);
void add_run(Verbs& verbs);
void add_sql(Verbs& verbs);
void add_apply(Verbs& verbs);
void add_revert(Verbs& verbs);

// In backups/.
void add_backup(Verbs& verbs);
void add_restore(Verbs& verbs);
void add_recover(Verbs& verbs);
void add_recovery_kit(Verbs& verbs);

// In secrets/: `rowlock secret …`,
void add_secret_init(Verbs& secret);
void add_secret_status(Verbs& secret);
void add_secret_unseal(Verbs& secret);
void add_secret_seal(Verbs& secret);
void add_secret_rekey(Verbs& secret);
void add_secret_rotate(Verbs& secret);
void add_secret_put(Verbs& secret);
void add_secret_patch(Verbs& secret);
void add_secret_get(Verbs& secret);
void add_secret_list(Verbs& secret);
void add_secret_versions(Verbs& secret);
void add_secret_delete(Verbs& secret);
void add_secret_undelete(Verbs& secret);
void add_secret_destroy(Verbs& secret);
void add_secret_remove(Verbs& secret);
void add_secret_metadata(Verbs& secret);

// `rowlock secret import …`,
void add_secret_import_dotenv(Verbs& import);
void add_secret_import_vault(Verbs& import);

// `rowlock token …`,
void add_token_create(Verbs& token);
void add_token_list(Verbs& token);
void add_token_revoke(Verbs& token);

// and `rowlock audit` with `rowlock audit verify`.
void add_audit(Verbs& verbs);

}  // namespace rowlock
