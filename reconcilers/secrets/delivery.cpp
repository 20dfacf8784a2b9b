// pack() reads the secrets on the loop thread, and the audit log and the ledger are written with
// it; apply() writes the files from what was packed.
#include "reconcilers/secrets/delivery.h"

#include "controller/base/json.h"
#include "controller/ports/container_runtime.h"
#include "reconcilers/secrets/delivery_files.h"

#include <algorithm>

namespace rowlock {

namespace {

constexpr const char* kIdentityFile = "rowlock.jwt";

struct DeliveryParcel final : Parcel {
  std::vector<SecretFile> files;
  Values values;  // For the script that follows once they are written: no secrets.
};

// ---- Packed

Result<> add_identity(Secrets& secrets, const Step& step, std::int64_t now_ms,
                      DeliveryParcel& parcel) {
  const auto identity = TRY(secrets.identities.sign(step.input->integer("instance"), now_ms));
  const std::int64_t until_ms = identity.expires_at_ms;
  parcel.files.push_back({kIdentityFile, SecretBytes(identity.jwt), 0444, 0, 0});
  parcel.values.emplace_back("identity_until_ms", until_ms);
  parcel.values.emplace_back("identity_at_ms", now_ms + (until_ms - now_ms) / 2);
  return Done{};
}

Packed pack_renewal(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  if (!secrets.keyring.is_open()) {
    return secrets.keyring.closed_error();  // It was sealed since the row was read.
  }
  auto parcel = std::make_shared<DeliveryParcel>();
  TRY(add_identity(secrets, step, now_ms, *parcel));
  return {std::move(parcel)};
}

Packed pack_delivery(Secrets& secrets, Database& state, const Schema& schema, const Step& step,
                     std::int64_t now_ms) {
  const Row& input = *step.input;
  const auto needs =
      TRY(state.query(*schema.script("delivery.needs"), {{"instance", input.integer("instance")}}));
  DeliveryFiles files(secrets, state, schema, input, needs, now_ms);
  auto parcel = std::make_shared<DeliveryParcel>();
  parcel->files = TRY(files.make());
  parcel->values = {{"uses", files.uses()}, {"services", input.text("services")}};
  // A folder without an identity is better than none: while the store is sealed, what needs no
  // secret goes on.
  if (secrets.keyring.is_open()) {
    TRY(add_identity(secrets, step, now_ms, *parcel));
  }
  parcel->values.emplace_back("files", static_cast<std::int64_t>(parcel->files.size()));
  return {std::move(parcel)};
}

// ---- Made

// Folders are in memory: nothing here can hang but a signal, which asks the engine.
std::string lane(const Step&) { return "deliveries"; }
std::string lane_of_signals(const Step& step) { return step.input->text("endpoint") + "/signal"; }

Outcome deliver(const Step& step, World& world) {
  const auto& parcel = step.parcel_as<DeliveryParcel>();
  TRY(world.secret_folders().write(step.input->text("folder"), parcel.files));
  return Outcome::done(parcel.values);
}

Outcome renew(const Step& step, World& world) {
  const auto& parcel = step.parcel_as<DeliveryParcel>();
  TRY(world.secret_folders().put(step.input->text("folder"), parcel.files.front()));
  return Outcome::done(parcel.values);
}

Outcome signal(const Step& step, World& world) {
  const Row& input = *step.input;
  ContainerRuntime& runtime = world.runtime(input.text("driver"), input.text("endpoint"));
  const auto signals = Json::parse(input.text("signals"));
  for (const Json& name : signals.ok() ? signals.value().items() : std::vector<Json>{}) {
    const auto sent = runtime.signal(input.text("folder"), name.as_string());
    // One that has ended reads its files anew when it is made anew.
    if (!sent.ok() && sent.error().cause != Cause::not_found) {
      return sent;
    }
  }
  return Outcome::done({{"signals", input.text("signals")}});
}

Outcome look(const Step& step, World& world) {
  const auto folders = TRY(world.secret_folders().list());
  const bool is_there =
      std::find(folders.begin(), folders.end(), step.input->text("folder")) != folders.end();
  return Outcome::done({{"state", is_there ? "there" : "lost"}});
}

Outcome remove(const Step& step, World& world) {
  return world.secret_folders().remove(step.input->text("folder"));
}

}  // namespace

std::vector<Hand> delivery_hands(Secrets& secrets, Database& state, const Schema& schema) {
  return {
      {.step = "deliver",
       .lane = lane,
       .make = deliver,
       .pack =
           std::bind_front(pack_delivery, std::ref(secrets), std::ref(state), std::ref(schema))},
      {.step = "renew",
       .lane = lane,
       .make = renew,
       .pack = std::bind_front(pack_renewal, std::ref(secrets))},
      {.step = "signal", .lane = lane_of_signals, .make = signal},
      {.step = "look", .lane = lane, .make = look},
      {.step = "remove", .lane = lane, .make = remove},
  };
}

}  // namespace rowlock
