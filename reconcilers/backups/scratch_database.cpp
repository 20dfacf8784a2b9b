// Looked for before it is dropped: an event says only what was so.
#include "reconcilers/backups/scratch_database.h"

#include "controller/ports/database_dumps.h"
#include "controller/secrets/secret_value.h"

#include <algorithm>

namespace rowlock {

namespace {

struct ScratchParcel final : Parcel {
  std::shared_ptr<const SecretBytes> server;  // Its password; null: none is needed.
};

Packed pack(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  auto parcel = std::make_shared<ScratchParcel>();
  parcel->server = TRY(secret_of(secrets, *step.input, "server", now_ms));
  return {std::move(parcel)};
}

std::string lane(const Step& step) { return step.input->text("server_url") + "/scratch"; }

Outcome drop(const Step& step, World& world) {
  const PostgresAddress server = {step.input->text("server_url"),
                                  step.parcel_as<ScratchParcel>().server};
  const std::string name = step.input->text("name");
  const auto listed = TRY(world.dumps().list(server));
  const bool was_there = std::any_of(listed.begin(), listed.end(),
                                     [&](const ServerDatabase& each) { return each.name == name; });
  if (was_there) TRY(world.dumps().drop(server, name));
  return Outcome::done({{"was_there", std::int64_t{was_there}}});
}

}  // namespace

std::vector<Hand> scratch_database_hands(Secrets& secrets) {
  return {{.step = "drop",
           .lane = lane,
           .make = drop,
           .pack = std::bind_front(pack, std::ref(secrets))}};
}

}  // namespace rowlock
