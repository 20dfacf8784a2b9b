// `rowlock restore --from URL --identity FILE` and `rowlock recover --from URL --identity FILE`:
// all that is needed is the store and the identity.
#include "controller/adapters/postgres_dump.h"
#include "controller/backup/restore_backup.h"
#include "controller/backup/unpack_home.h"
#include "controller/base/time.h"
#include "controller/cli/bare_store.h"
#include "controller/cli/interrupts.h"
#include "controller/cli/progress_line.h"
#include "controller/cli/restore_target.h"

#include <fmt/format.h>

#include <csignal>
#include <filesystem>

namespace rowlock {

namespace {

// Ctrl-C gives up in good order: what was restored half-way is dropped again.
std::atomic<bool> ending = false;

void end_on_signals() {
  for (const int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, [](int) { ending = true; });
  }
}

Result<int> list(const Call& call, const BareStore& bare) {
  auto found = backups_in(bare);
  if (!found.ok()) {
    return found.error();
  }
  std::vector<std::vector<Value>> rows;
  for (const FoundBackup& each : found.value()) {
    rows.push_back({each.name, each.policy, each.stamp, each.size_bytes, each.key});
  }
  call.terminal.show(table_from({"name", "policy", "taken", "size_bytes", "key"}, std::move(rows)));
  return kExitOk;
}

Result<RestoreOrder> order_of(const RestoreOptions& options, const std::string& backup) {
  RestoreOrder order;
  order.server.url = options.into;
  if (!options.password_file.empty()) {
    auto password = identities_in(options.password_file);
    if (!password.ok()) {
      return password.error();
    }
    std::string text(password.value().view());
    text.erase(text.find_last_not_of("\r\n") + 1);
    order.server.password = std::make_shared<const SecretBytes>(std::string_view(text));
    wipe(text);
  }
  order.server = with_database(order.server, "postgres");
  order.database = fmt::format("rowlock_restore_{}", std::hash<std::string>()(backup) % 1'000'000);
  order.has_roles = options.has_roles;
  order.keeps_owners = options.has_roles;
  return order;
}

Result<> restore_into(const Call& call, const RestoreOptions& options, BareStore& bare,
                      const FoundBackup& chosen, const std::string& database) {
  auto order = order_of(options, chosen.name);
  if (!order.ok()) {
    return order.error();
  }
  PostgresDumps dumps;
  if (options.replaces.empty()) {
    if (auto absent = expect_no_database(dumps, order.value().server, database); !absent.ok()) {
      return absent.error();
    }
  }
  ProgressLine line(call.terminal);
  const TellProgress progress = line.teller();
  const BackupObject object{chosen.key, chosen.name, "", ""};
  auto checked = check_backup(*bare.store, object, bare.identities, ending, progress);
  if (!checked.ok()) {
    return checked.error();
  }
  if (checked.value().manifest.header.kind != "postgres") {
    return Error{Fault::rejected, Cause::other, chosen.name + " is a backup of a home",
                 "make a home of it with `rowlock recover`"};
  }
  if (auto dropped = dumps.drop(order.value().server, order.value().database); !dropped.ok()) {
    return dropped.error();
  }
  auto restored = restore_backup(*bare.store, object, checked.value(), bare.identities, dumps,
                                 order.value(), ending, progress);
  if (!restored.ok()) {
    return restored.error();
  }
  const std::string aside =
      options.replaces.empty() ? "" : fmt::format("{}_before_{}", database, system_now_ms() / 1000);
  auto renamed = dumps.rename(order.value().server, order.value().database, database, aside);
  if (!renamed.ok()) {
    (void)dumps.drop(order.value().server, order.value().database).ok();
    return renamed.error();
  }
  line.end();
  call.terminal.note(fmt::format("{} is restored as {}, equal to what was dumped, in {}",
                                 chosen.name, database, human_duration(restored.value().took_ms)));
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
  end_on_signals();
  auto bare = open_bare_store(options.bare, ending);
  if (!bare.ok()) {
    return bare.error();
  }
  BareStore store = std::move(bare).value();
  if (options.lists) {
    return list(call, store);
  }
  const auto database = target_of(options);
  if (!database.ok()) {
    return database.error();
  }
  auto identities = identities_in(options.bare.identity);
  if (!identities.ok()) {
    return identities.error();
  }
  store.identities = std::move(identities).value();
  auto found = backups_in(store);
  if (!found.ok()) {
    return found.error();
  }
  auto chosen = chosen_of(found.value(), options.policy, options.backup);
  if (!chosen.ok()) {
    return chosen.error();
  }
  if (auto done = restore_into(call, options, store, chosen.value(), database.value());
      !done.ok()) {
    return done.error();
  }
  return kExitOk;
}

Result<int> recover(const Call& call, const RecoverOptions& options) {
  end_on_signals();
  auto bare = open_bare_store(options.bare, ending);
  if (!bare.ok()) {
    return bare.error();
  }
  BareStore store = std::move(bare).value();
  auto identities = identities_in(options.bare.identity);
  if (!identities.ok()) {
    return identities.error();
  }
  auto found = backups_in(store);
  if (!found.ok()) {
    return found.error();
  }
  auto chosen = chosen_of(found.value(), options.policy, options.backup);
  if (!chosen.ok()) {
    return chosen.error();
  }
  const BackupObject object{chosen.value().key, chosen.value().name, "", ""};
  ProgressLine line(call.terminal);
  auto checked = check_backup(*store.store, object, identities.value(), ending, line.teller());
  if (!checked.ok()) {
    return checked.error();
  }
  auto file =
      BackupFileReader::open(identities.value(), object_source(*store.store, object.key, ending));
  if (!file.ok()) {
    return file.error();
  }
  if (auto made = unpack_home(*file.value(), call.home.folder()); !made.ok()) {
    return made.error();
  }
  line.end();
  call.terminal.print(fmt::format("made {0} from {1}\n\nnext:\n  rowlock run --home {0}\n",
                                  call.home.folder(), chosen.value().name));
  return kExitOk;
}

}  // namespace rowlock
