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

Outcome outcome_of(const Result<>& result, const Values& values) {
  return result.ok() ? Outcome::done(values) : Outcome::of(result.error());
}

Outcome signal(const Row& input, World& world) {
  ContainerRuntime& runtime = world.runtime(input.text("driver"), input.text("endpoint"));
  const auto signals = Json::parse(input.text("signals"));
  for (const Json& name : signals.ok() ? signals.value().items() : std::vector<Json>{}) {
    const auto sent = runtime.signal(input.text("folder"), name.as_string());
    // One that has ended reads its files anew when it is made anew.
    if (!sent.ok() && sent.error().cause != Cause::not_found) {
      return Outcome::of(sent.error());
    }
  }
  return Outcome::done({{"signals", input.text("signals")}});
}

Outcome look(const Row& input, World& world) {
  const auto folders = world.secret_folders().list();
  if (!folders.ok()) {
    return Outcome::of(folders.error());
  }
  const bool is_there = std::find(folders.value().begin(), folders.value().end(),
                                  input.text("folder")) != folders.value().end();
  return Outcome::done({{"state", is_there ? "there" : "lost"}});
}

}  // namespace

// Folders are in memory: nothing here can hang but a signal, which asks the engine.
std::string Deliveries::lane(const Step& step) const {
  return step.step == "signal" ? step.input->text("endpoint") + "/signal" : "deliveries";
}

Result<std::shared_ptr<const Parcel>> Deliveries::pack(const Step& step,
                                                       std::int64_t now_ms) const {
  std::shared_ptr<const Parcel> nothing;
  if (step.step != "deliver" && step.step != "renew") {
    return nothing;
  }
  const Row& input = *step.input;
  const std::int64_t instance = input.integer("instance");
  auto parcel = std::make_shared<Parcel>();
  if (step.step != "renew") {
    const auto needs =
        TRY(state_.query(*schema_.script("delivery.needs"), {{"instance", instance}}));
    DeliveryFiles files(secrets_, state_, schema_, input, needs, now_ms);
    auto made = TRY(files.make());
    parcel->files = std::move(made);
    parcel->values = {{"uses", files.uses()}, {"services", input.text("services")}};
  }
  if (step.step == "renew" && !secrets_.keyring.is_open()) {
    return secrets_.keyring.closed_error();  // It was sealed since the row was read.
  }
  // A folder without an identity is better than none: while the store is sealed, what needs no
  // secret goes on.
  if (secrets_.keyring.is_open()) {
    const auto identity = TRY(secrets_.identities.sign(instance, now_ms));
    const std::int64_t until_ms = identity.expires_at_ms;
    parcel->files.push_back({kIdentityFile, SecretBytes(identity.jwt), 0444, 0, 0});
    parcel->values.insert(
        parcel->values.end(),
        {{"identity_until_ms", until_ms}, {"identity_at_ms", now_ms + (until_ms - now_ms) / 2}});
  }
  parcel->values.emplace_back("files", static_cast<std::int64_t>(parcel->files.size()));
  return std::shared_ptr<const Parcel>(std::move(parcel));
}

Outcome Deliveries::apply(const Step& step, World& world) const {
  const std::string folder = step.input->text("folder");
  if (step.step == "signal") return signal(*step.input, world);
  if (step.step == "look") return look(*step.input, world);
  if (step.step == "remove") return outcome_of(world.secret_folders().remove(folder), {});
  CHECK(step.parcel != nullptr);
  if (step.step == "renew") {
    return outcome_of(world.secret_folders().put(folder, step.parcel->files.front()),
                      step.parcel->values);
  }
  CHECK(step.step == "deliver");
  return outcome_of(world.secret_folders().write(folder, step.parcel->files), step.parcel->values);
}

}  // namespace rowlock
