// A restore goes to a database of another name first and is compared; only then is it renamed. A
// try that was cut off leaves that other name behind, and the next one drops it.
#include "reconcilers/backups/restore.h"

#include "controller/backup/restore_backup.h"
#include "controller/secrets/secret_value.h"
#include "reconcilers/backups/store_address.h"

namespace rowlock {

namespace {

struct RestoreParcel final : Parcel {
  std::shared_ptr<const SecretBytes> server;    // The password of the server; null: none is needed.
  StoreKeys store;                              // Of the step `restore` alone,
  std::shared_ptr<const SecretBytes> identity;  // and so is this. Null: it is in a file.
};

// What renaming and discarding take along.
Packed pack_server(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  auto parcel = std::make_shared<RestoreParcel>();
  parcel->server = TRY(secret_of(secrets, *step.input, "server", now_ms));
  return {std::move(parcel)};
}

Packed pack_all(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  auto parcel = std::make_shared<RestoreParcel>();
  parcel->server = TRY(secret_of(secrets, *step.input, "server", now_ms));
  parcel->store = TRY(store_keys(secrets, *step.input, now_ms));
  parcel->identity = TRY(secret_of(secrets, *step.input, "identity", now_ms));
  return {std::move(parcel)};
}

std::string lane(const Step& step) { return "restore/" + step.target; }

// A server is reached by a database that is there: the one that is asked for may not be.
PostgresAddress server_of(const Step& step) {
  return with_database({step.input->text("server_url"), step.parcel_as<RestoreParcel>().server},
                       "postgres");
}

Outcome restore(const Step& step, World& world) {
  const Row& input = *step.input;
  const auto& parcel = step.parcel_as<RestoreParcel>();
  const auto identities = TRY(identities_of(input, parcel.identity));
  if (input.text("into") == "new") {
    TRY(expect_no_database(world.dumps(), server_of(step), input.text("database")));
  }
  const auto store = store_of(input, parcel.store, world);
  const BackupObject object{input.text("object"), input.text("backup"), input.text("home"),
                            input.text("sha256")};
  const auto checked = TRY(check_backup(*store, object, identities, world.ending(), step.teller()));
  RestoreOrder order;
  order.server = server_of(step);
  order.database = input.text("scratch");
  order.has_roles = input.integer("roles") != 0;
  order.keeps_owners = order.has_roles;
  order.sections = names_in(input.text("sections"));
  order.search_path = input.text("search_path");
  order.only = names_in(input.text("only"));
  order.without = names_in(input.text("without"));
  order.is_single_transaction = input.integer("single_transaction") != 0;
  order.keeps_going = input.integer("keep_going") != 0;
  // What a try left that was cut off.
  TRY(world.dumps().drop(order.server, order.database));
  const auto restored = TRY(restore_backup(*store, object, checked, identities, world.dumps(),
                                           order, world.ending(), step.teller()));
  return Outcome::done(
      {{"restore_ms", restored.took_ms}, {"left_out", json_of(restored.left_out)}});
}

Outcome rename(const Step& step, World& world) {
  const Row& input = *step.input;
  return world.dumps().rename(server_of(step), input.text("scratch"), input.text("database"),
                              input.text("into") == "existing" ? input.text("aside") : "");
}

Outcome discard(const Step& step, World& world) {
  return world.dumps().drop(server_of(step), step.input->text("scratch"));
}

}  // namespace

std::vector<Hand> restore_hands(Secrets& secrets) {
  const auto server = std::bind_front(pack_server, std::ref(secrets));
  const auto all = std::bind_front(pack_all, std::ref(secrets));
  return {
      {.step = "restore", .lane = lane, .make = restore, .pack = all, .tells_progress = true},
      {.step = "rename", .lane = lane, .make = rename, .pack = server},
      {.step = "discard", .lane = lane, .make = discard, .pack = server},
  };
}

}  // namespace rowlock
