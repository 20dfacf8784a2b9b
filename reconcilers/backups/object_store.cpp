// One step of three calls on the port: try all that a backup does, take back uploads that nobody
// will finish, and list what there is.
#include "reconcilers/backups/object_store.h"

#include "controller/backup/store_address.h"

namespace rowlock {

Result<std::shared_ptr<const Parcel>> ObjectStores::pack(const Step& step,
                                                         std::int64_t now_ms) const {
  auto parcel = std::make_shared<Parcel>();
  TRY(pack_store(secrets_, *step.input, now_ms, *parcel));
  return std::shared_ptr<const Parcel>(std::move(parcel));
}

Outcome ObjectStores::apply(const Step& step, World& world) const {
  CHECK(step.step == "look");
  const auto store = store_of(step, world);
  const auto facts = store->probe();
  if (!facts.ok()) {
    return Outcome::of(facts.error());
  }
  const auto aborted =
      store->abort_uploads(step.input->text("prefix"), step.input->integer("stale_before_ms"));
  if (!aborted.ok()) {
    return Outcome::of(aborted.error());
  }
  const auto listed = store->list(step.input->text("prefix"));
  if (!listed.ok()) {
    return Outcome::of(listed.error());
  }
  std::vector<Json> found;
  for (const StoredObject& object : listed.value()) {
    found.push_back(Json::object(
        {{"key", Json::string(object.key)}, {"size_bytes", Json::integer(object.size_bytes)}}));
  }
  return Outcome::done({{"found", Json::array(std::move(found)).text()},
                        {"is_versioned", std::int64_t{facts.value().is_versioned}},
                        {"has_conditions", std::int64_t{facts.value().has_conditions}},
                        {"clock_ahead_ms", facts.value().clock_ahead_ms},
                        {"aborted", std::int64_t{aborted.value()}}});
}

}  // namespace rowlock
