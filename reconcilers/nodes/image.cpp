// One call on the runtime for each step.
#include "reconcilers/nodes/image.h"

#include "controller/ports/container_runtime.h"

namespace rowlock {

namespace {

ContainerRuntime& runtime_of(const Step& step, World& world) {
  return world.runtime(step.input->text("driver"), step.input->text("endpoint"));
}

// A big image takes the engine long, and holds up no instance.
std::string lane(const Step& step) { return step.input->text("node") + "/image"; }

Outcome remove(const Step& step, World& world) {
  const auto removed =
      runtime_of(step, world).remove_image(step.input->text("image"), step.input->text("mirror"));
  if (!removed.ok() && removed.error().cause == Cause::exists) {
    return {Outcome::Kind::done, "used", removed.error().message, {}};
  }
  return removed;
}

Outcome measure(const Step& step, World& world) {
  const auto disk = TRY(runtime_of(step, world).disk()).value_or(DiskUse());
  return Outcome::done({{"total_bytes", disk.total_bytes}, {"free_bytes", disk.free_bytes}});
}

}  // namespace

std::vector<Hand> image_hands() {
  return {{.step = "remove", .lane = lane, .make = remove},
          {.step = "measure", .lane = lane, .make = measure}};
}

}  // namespace rowlock
