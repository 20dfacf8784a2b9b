// One step of three calls on the port: try all that a backup does, take back uploads that nobody
// will finish, and list what there is.
#include "reconcilers/backups/object_store.h"

#include "reconcilers/backups/store_address.h"

namespace rowlock {

namespace {

struct ObjectStoreParcel final : Parcel {
  StoreKeys keys;
};

Packed pack(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  auto parcel = std::make_shared<ObjectStoreParcel>();
  parcel->keys = TRY(store_keys(secrets, *step.input, now_ms));
  return {std::move(parcel)};
}

std::string lane(const Step& step) { return "store/" + step.target; }

Outcome look(const Step& step, World& world) {
  const Row& input = *step.input;
  const auto store = store_of(input, step.parcel_as<ObjectStoreParcel>().keys, world);
  const auto facts = TRY(store->probe());
  const auto aborted =
      TRY(store->abort_uploads(input.text("prefix"), input.integer("stale_before_ms")));
  const auto listed = TRY(store->list(input.text("prefix")));
  std::vector<Json> found;
  for (const StoredObject& object : listed) {
    found.push_back(Json::object(
        {{"key", Json::string(object.key)}, {"size_bytes", Json::integer(object.size_bytes)}}));
  }
  return Outcome::done({{"found", Json::array(std::move(found)).text()},
                        {"is_versioned", std::int64_t{facts.is_versioned}},
                        {"has_conditions", std::int64_t{facts.has_conditions}},
                        {"clock_ahead_ms", facts.clock_ahead_ms},
                        {"aborted", std::int64_t{aborted}}});
}

}  // namespace

std::vector<Hand> object_store_hands(Secrets& secrets) {
  return {{.step = "look",
           .lane = lane,
           .make = look,
           .pack = std::bind_front(pack, std::ref(secrets))}};
}

}  // namespace rowlock
