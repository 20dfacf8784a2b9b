// Nothing is ever written over in a store: what is new has a key of its own, which comes after the
// older ones, and these are removed once it is there. A store that keeps all it was given, by an
// object lock, keeps those too, and they are passed over.
#include "reconcilers/backups/home_pointer.h"

#include "controller/ports/clock.h"
#include "reconcilers/backups/store_address.h"

#include <fmt/format.h>

#include <limits>

namespace rowlock {

namespace {

constexpr std::int64_t kTextMax = 1 << 20;

struct PointerParcel final : Parcel {
  StoreKeys keys;
};

Packed pack(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  auto parcel = std::make_shared<PointerParcel>();
  parcel->keys = TRY(store_keys(secrets, *step.input, now_ms));
  return {std::move(parcel)};
}

std::string lane(const Step& step) { return "store/" + step.target + "/pointer"; }

Result<> write(ObjectStore& store, const std::string& key, const std::string& text) {
  const auto upload = TRY(store.upload(key));
  TRY(upload->write(text));
  return upload->finish();
}

// A repetition finds what the first try has written.
Outcome tell(const Step& step, World& world) {
  const Row& input = *step.input;
  const std::string text = input.text("text");
  const auto store = store_of(input, step.parcel_as<PointerParcel>().keys, world);
  // What a try left that was cut off, whenever it was: nobody else writes there.
  TRY(store->abort_uploads(input.text("prefix"), std::numeric_limits<std::int64_t>::max()));
  const auto listed = TRY(store->list(input.text("prefix")));
  std::string told;
  if (!listed.empty()) {
    const auto last = TRY(store->read(listed.back().key, 0, kTextMax));
    if (last == text) told = listed.back().key;
  }
  if (told.empty()) {
    told = fmt::format("{}{:014}.json", input.text("prefix"), world.clock().wall_ms());
    TRY(write(*store, told, text));
  }
  for (const StoredObject& each : listed) {
    if (each.key == told) continue;
    const auto removed = store->remove(each.key);
    if (!removed.ok() && removed.error().fault == Fault::transient) return removed.error();
  }
  return Outcome::done({{"news", input.text("news")}});
}

}  // namespace

std::vector<Hand> home_pointer_hands(Secrets& secrets) {
  return {{.step = "tell",
           .lane = lane,
           .make = tell,
           .pack = std::bind_front(pack, std::ref(secrets))}};
}

}  // namespace rowlock
