// What the secret store knows of a registry goes along with each call, and is wiped with it.
#include "reconcilers/work/image.h"

#include "controller/ports/container_runtime.h"
#include "controller/secrets/secret_value.h"

namespace rowlock {

namespace {

struct RegistryParcel final : Parcel {
  RegistryAccess access;
};

Packed pack(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  auto parcel = std::make_shared<RegistryParcel>();
  parcel->access.mirror = step.input->text("mirror");
  const std::string path = step.input->text("registry_secret");
  parcel->access.username = TRY(secret_value(secrets, path, "username", now_ms));
  parcel->access.password = TRY(secret_value(secrets, path, "password", now_ms));
  return {std::move(parcel)};
}

const RegistryAccess& access_of(const Step& step) {
  return step.parcel_as<RegistryParcel>().access;
}

ContainerRuntime& runtime_of(const Step& step, World& world) {
  return world.runtime(step.input->text("driver"), step.input->text("endpoint"));
}

// A registry that hangs holds up no step that needs none.
std::string lane(const Step& step) { return step.input->text("node") + "/pull"; }
std::string lane_of_looks(const Step& step) { return step.input->text("node") + "/tag"; }

// An id is of one node's own: no registry has it.
bool came_from_a_registry(const std::string& image) { return image.find('@') != std::string::npos; }

Outcome resolved(const std::string& image, const std::string& note = "") {
  return Outcome::done({{"image", image}, {"note", note}});
}

Error not_there(const std::string& image, const std::string& why, const std::string& hint) {
  return Error{Fault::rejected, Cause::other, "the image " + image + " is not on the node" + why,
               hint};
}

Outcome resolve(const Step& step, World& world) {
  const std::string reference = step.input->text("reference");
  const std::string policy = step.input->text("pull");
  ContainerRuntime& runtime = runtime_of(step, world);
  if (policy == "always") {
    return resolved(TRY(runtime.resolve(reference, ImageSource::registry, access_of(step))));
  }
  const auto here = runtime.resolve(reference, ImageSource::node, access_of(step));
  if (!here.ok() && here.error().cause != Cause::image_absent) return here.error();
  if (policy == "never") {
    if (here.ok()) return resolved(here.value());
    return not_there(reference, ", and job.pull is 'never'",
                     "bring it there (docker load), or set job.pull to 'missing'");
  }
  if (here.ok() && !came_from_a_registry(here.value())) return resolved(here.value());
  const auto there = runtime.resolve(reference, ImageSource::registry, access_of(step));
  if (there.ok()) return resolved(there.value());
  if (!here.ok()) return there.error();
  return resolved(here.value(), ", as the node has it: " + there.error().message);
}

Outcome pull(const Step& step, World& world) {
  const std::string image = step.input->text("image");
  const std::string reference = step.input->text("reference");
  if (!came_from_a_registry(image)) {
    return not_there(image, ", and no registry has it: " + reference + " was built on a node",
                     "bring it there (docker save, docker load) or push it to a registry; to run "
                     "what " +
                         reference + " is now, raise job.restart by one");
  }
  if (step.input->text("pull") == "never") {
    return not_there(image, ", and job.pull is 'never'",
                     "bring it there, or set job.pull to 'missing'");
  }
  TRY(runtime_of(step, world).pull(image, access_of(step)));
  return Outcome::done({{"image", image}});
}

Outcome look(const Step& step, World& world) {
  const std::string reference = step.input->text("reference");
  const bool on_node = step.input->text("source") == "node";
  const auto found =
      runtime_of(step, world)
          .resolve(reference, on_node ? ImageSource::node : ImageSource::registry, access_of(step));
  const bool is_absent = !found.ok() && found.error().cause == Cause::image_absent;
  if (!found.ok() && !is_absent) return found.error();
  return Outcome::done({{"reference", reference}, {"image", is_absent ? "" : found.value()}});
}

}  // namespace

std::vector<Hand> instance_image_hands(Secrets& secrets) {
  return {{.step = "resolve",
           .lane = lane,
           .make = resolve,
           .pack = std::bind_front(pack, std::ref(secrets))},
          {.step = "pull",
           .lane = lane,
           .make = pull,
           .pack = std::bind_front(pack, std::ref(secrets))}};
}

std::vector<Hand> tag_hands(Secrets& secrets) {
  return {{.step = "look",
           .lane = lane_of_looks,
           .make = look,
           .pack = std::bind_front(pack, std::ref(secrets))}};
}

}  // namespace rowlock
