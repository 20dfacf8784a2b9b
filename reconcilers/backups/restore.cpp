// A restore goes to a database of another name first and is compared; only then is it renamed. A
// try that was cut off leaves that other name behind, and the next one drops it.
#include "reconcilers/backups/restore.h"

#include "controller/backup/restore_backup.h"
#include "controller/backup/store_address.h"

namespace rowlock {

namespace {

// A server is reached by a database that is there: the one that is asked for may not be.
PostgresAddress server_of(const Step& step) {
  return with_database({step.input->text("server_url"), packed(step.parcel, "server")}, "postgres");
}

Result<std::int64_t> restore(const Step& step, World& world) {
  const Row& input = *step.input;
  const auto identities = TRY(identities_of(step));
  if (input.text("into") == "new") {
    TRY(expect_no_database(world.dumps(), server_of(step), input.text("database")));
  }
  const auto store = store_of(step, world);
  const BackupObject object{input.text("object"), input.text("backup"), input.text("home"),
                            input.text("sha256")};
  const auto checked = TRY(check_backup(*store, object, identities, world.ending(), step.teller()));
  RestoreOrder order;
  order.server = server_of(step);
  order.database = input.text("scratch");
  order.has_roles = input.integer("roles") != 0;
  order.keeps_owners = order.has_roles;
  // What a try left that was cut off.
  TRY(world.dumps().drop(order.server, order.database));
  const auto restored = TRY(restore_backup(*store, object, checked, identities, world.dumps(),
                                           order, world.ending(), step.teller()));
  return restored.took_ms;
}

}  // namespace

Result<std::shared_ptr<const Parcel>> Restores::pack(const Step& step, std::int64_t now_ms) const {
  const Row& input = *step.input;
  auto parcel = std::make_shared<Parcel>();
  Result<> packed = pack_secret(secrets_, input.text("server_secret"), input.text("server_key"),
                                "server", now_ms, *parcel);
  if (packed.ok() && step.step == "restore") {
    packed = pack_store(secrets_, input, now_ms, *parcel);
    if (packed.ok()) {
      packed = pack_secret(secrets_, input.text("identity_secret"), input.text("identity_key"),
                           "identity", now_ms, *parcel);
    }
  }
  if (!packed.ok()) {
    return packed.error();
  }
  return std::shared_ptr<const Parcel>(std::move(parcel));
}

Outcome Restores::apply(const Step& step, World& world) const {
  if (step.step == "restore") {
    const auto took_ms = restore(step, world);
    return took_ms.ok() ? Outcome::done({{"restore_ms", took_ms.value()}})
                        : Outcome::of(took_ms.error());
  }
  const Row& input = *step.input;
  if (step.step == "discard") {
    const auto dropped = world.dumps().drop(server_of(step), input.text("scratch"));
    return dropped.ok() ? Outcome::done() : Outcome::of(dropped.error());
  }
  CHECK(step.step == "rename");
  const auto renamed =
      world.dumps().rename(server_of(step), input.text("scratch"), input.text("database"),
                           input.text("into") == "existing" ? input.text("aside") : "");
  return renamed.ok() ? Outcome::done() : Outcome::of(renamed.error());
}

}  // namespace rowlock
