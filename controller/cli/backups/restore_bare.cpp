// `rowlock restore --from URL --identity FILE`: all that is needed is the store and the identity.
#include "controller/adapters/postgres/postgres_dump.h"
#include "controller/backup/restore_backup.h"
#include "controller/base/time.h"
#include "controller/cli/backups/bare_store.h"
#include "controller/cli/backups/restore_options.h"
#include "controller/cli/backups/restore_target.h"
#include "controller/cli/look/progress_line.h"
#include "controller/secrets/private_file.h"

#include <fmt/format.h>

#include <functional>

namespace rowlock {

namespace {

Result<int> list(const Call& call, const BareStore& bare) {
  const auto found = TRY(backups_in(bare));
  std::vector<std::vector<Value>> rows;
  for (const FoundBackup& each : found) {
    rows.push_back({each.name, each.policy, each.stamp, each.size_bytes, each.key});
  }
  call.terminal.show(table_from({"name", "policy", "taken", "size_bytes", "key"}, std::move(rows)));
  return kExitOk;
}

Result<RestoreOrder> order_of(const RestoreOptions& options, const std::string& backup) {
  RestoreOrder order;
  order.server.url = options.into;
  if (!options.password_file.empty()) {
    const auto password = TRY(read_private_file(options.password_file));
    std::string text(password.bytes.view());
    text.erase(text.find_last_not_of("\r\n") + 1);
    order.server.password = std::make_shared<const SecretBytes>(std::string_view(text));
    wipe(text);
  }
  order.server = with_database(order.server, "postgres");
  order.database = fmt::format("rowlock_restore_{}", std::hash<std::string>()(backup) % 1'000'000);
  order.has_roles = options.has_roles;
  order.keeps_owners = options.has_roles;
  order.sections = sections_of(options);
  order.search_path = options.search_path;
  order.without = options.without;
  order.only = options.only;
  order.is_single_transaction = options.is_single_transaction;
  order.keeps_going = options.keeps_going;
  return order;
}

bool is_all(const RestoreOrder& order) {
  return order.sections.empty() && order.only.empty() && order.without.empty() &&
         !order.keeps_going;
}

Result<> restore_into(const Call& call, const RestoreOptions& options, BareStore& bare,
                      const FoundBackup& chosen, const std::string& database,
                      const std::atomic<bool>& ending) {
  const auto order = TRY(order_of(options, chosen.name));
  PostgresDumps dumps;
  if (options.replaces.empty()) {
    TRY(expect_no_database(dumps, order.server, database));
  }
  ProgressLine line(call.terminal);
  const TellProgress progress = line.teller();
  const BackupObject object{chosen.key, chosen.name, "", ""};
  const auto checked = TRY(check_backup(*bare.store, object, bare.identities, ending, progress));
  if (checked.manifest.header.kind != "postgres") {
    return Error{Fault::rejected, Cause::other, chosen.name + " is a backup of a home",
                 "make a home of it with `rowlock recover`"};
  }
  TRY(dumps.drop(order.server, order.database));
  const auto restored = TRY(restore_backup(*bare.store, object, checked, bare.identities, dumps,
                                           order, ending, progress));
  const std::string aside =
      options.replaces.empty() ? "" : name_aside(database, system_now_ms() / 1000);
  auto renamed = dumps.rename(order.server, order.database, database, aside);
  if (!renamed.ok()) {
    (void)dumps.drop(order.server, order.database).ok();
    return renamed.error();
  }
  line.end();
  call.terminal.note(fmt::format("{} is restored as {}, equal to what was dumped{}, in {}",
                                 chosen.name, database, is_all(order) ? "" : " as far as asked for",
                                 human_duration(restored.took_ms)));
  for (const LeftOut& each : restored.left_out) {
    call.terminal.note(fmt::format("left out: {}: {}", each.object(), each.reason));
  }
  if (!options.has_roles) {
    call.terminal.note("owners and grants were left out: --roles keeps them");
  }
  if (!aside.empty()) {
    call.terminal.note("what was there before is now called " + aside);
  }
  return Done{};
}

}  // namespace

Result<int> restore_bare(const Call& call, const RestoreOptions& options) {
  const std::atomic<bool>& ending = ended_by_signals();
  BareStore store = TRY(open_bare_store(options.bare, ending));
  if (options.lists) {
    return list(call, store);
  }
  const auto database = TRY(target_of(options));
  auto identities = identities_in(options.bare.identity);
  if (!identities.ok()) {
    return identities.error();
  }
  store.identities = std::move(identities).value();
  const auto found = TRY(backups_in(store));
  const auto chosen = TRY(chosen_of(found, options.policy, options.backup));
  TRY(restore_into(call, options, store, chosen, database, ending));
  return kExitOk;
}

}  // namespace rowlock
