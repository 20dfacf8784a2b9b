// `rowlock recover --from URL --identity FILE`: a home from its backup; all that is needed is the
// store and the identity.
#include "controller/backup/restore_backup.h"
#include "controller/backup/unpack_home.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/backups/bare_store.h"
#include "controller/cli/look/progress_line.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

struct Options {
  std::string policy = "home";  // The one of kind home.
  std::string backup = "latest";
  BareStoreOptions bare;
};

Result<int> recover(const Call& call, const Options& options) {
  const std::atomic<bool>& ending = ended_by_signals();
  BareStore store = TRY(open_bare_store(options.bare, ending));
  const auto identities = TRY(identities_in(options.bare.identity));
  const auto found = TRY(backups_in(store));
  const auto chosen = TRY(chosen_of(found, options.policy, options.backup));
  const BackupObject object{chosen.key, chosen.name, "", ""};
  ProgressLine line(call.terminal);
  TRY(check_backup(*store.store, object, identities, ending, line.teller()));
  const auto file =
      TRY(BackupFileReader::open(identities, object_source(*store.store, object.key, ending)));
  TRY(unpack_home(*file, call.home.folder()));
  line.end();
  call.terminal.print(fmt::format("made {0} from {1}\n\nnext:\n  rowlock run --home {0}\n",
                                  call.home.folder(), chosen.name));
  return kExitOk;
}

}  // namespace

void add_recover(Verbs& verbs) {
  const auto [verb, said] =
      verbs.add("recover", "A home from its backup, on a machine that has none",
                "rowlock recover --from s3://bucket --identity key.txt --home /var/lib/rowlock",
                Needs::nothing, recover);
  verb.option("--policy", said.policy, "the policy that backs the home up (default home)");
  verb.option("--backup", said.backup, "latest (default), or a name");
  add_bare_store(verb, said.bare);
}

}  // namespace rowlock
