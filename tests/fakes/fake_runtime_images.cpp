// Images of the fake engine. Bytes have a pin that no other bytes have, and the name that they were
// made by, to which a test ties how they behave: whoever runs them by their pin gets the same.
#include "tests/fakes/fake_runtime.h"

#include <utility>

namespace rowlock {

namespace {

bool is_pin(const std::string& image) { return image.find("sha256:") != std::string::npos; }

Error refusal(Fault fault, Cause cause, const std::string& message, std::string hint) {
  return Error{fault, cause, message, std::move(hint)};
}

}  // namespace

// ---- What a test says and looks at -------------------------------------------------------------

FakeRuntime::Image FakeRuntime::made_image(const std::string& image, const std::string& arch,
                                           bool by_registry) {
  const std::string digest = "sha256:" + std::to_string(names_.size());
  Image made{image, arch, by_registry ? image.substr(0, image.rfind(':')) + "@" + digest : digest};
  names_[made.pin] = image;
  return made;
}

void FakeRuntime::add_image(const std::string& image, const std::string& arch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Image made = made_image(image, arch, false);
  images_[image] = made;
  images_[made.pin] = made;
}

void FakeRuntime::add_registry_image(const std::string& image, const std::string& arch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Image made = made_image(image, arch, true);
  registry_images_[image] = made;
  registry_images_[made.pin] = made;
}

void FakeRuntime::lose_image(const std::string& image) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(images_, [&](const auto& there) { return there.second.name == image; });
}

void FakeRuntime::declare_volumes(const std::string& image, std::vector<std::string> paths) {
  const std::lock_guard<std::mutex> lock(mutex_);
  declared_volumes_[image] = std::move(paths);
}

void FakeRuntime::set_disk(DiskUse disk) {
  const std::lock_guard<std::mutex> lock(mutex_);
  disk_ = disk;
}

std::string FakeRuntime::named_locked(const std::string& image) const {
  const auto found = names_.find(image);
  return found == names_.end() ? image : found->second;
}

std::string FakeRuntime::named(const std::string& image) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return named_locked(image);
}

std::string FakeRuntime::bytes(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(name);
  return found == entries_.end() ? "" : found->second.bytes;
}

// ---- The port ----------------------------------------------------------------------------------

Result<std::string> FakeRuntime::resolve(const std::string& image, ImageSource source,
                                         const RegistryAccess&) {
  const std::string what = "resolve " + image;
  return attempt("resolve", image, [&]() -> Result<std::string> {
    const bool on_node = source == ImageSource::node;
    const std::map<std::string, Image>& images = on_node ? images_ : registry_images_;
    const auto found = images.find(image);
    if (found != images.end()) return found->second.pin;
    return on_node ? refusal(Fault::transient, Cause::image_absent,
                             what + ": it is not on the node", "")
                   : refusal(Fault::rejected, Cause::other,
                             what + ": the registry has no such image", "correct job.image");
  });
}

Result<> FakeRuntime::pull(const std::string& image, const RegistryAccess&) {
  return attempt("pull", image, [&]() -> Result<> {
    const auto found = registry_images_.find(image);
    if (found == registry_images_.end()) {
      return refusal(Fault::rejected, Cause::other,
                     "pull " + image + ": the registry has no such image", "correct job.image");
    }
    const Image& pulled = found->second;
    if (pulled.arch != facts_.arch) {
      return refusal(
          Fault::rejected, Cause::other,
          "pull " + image + ": the image is not built for linux/" + facts_.arch,
          "build the image for linux/" + facts_.arch + ", or constrain the job to another node");
    }
    const auto [place, is_new] = images_.emplace(image, pulled);
    if (!is_new && place->second.pin == pulled.pin) return Done{};
    images_[image] = pulled;
    if (!is_pin(image)) images_[pulled.pin] = pulled;
    ++changes_;
    return Done{};
  });
}

Result<> FakeRuntime::remove_image(const std::string& image, const std::string&) {
  return attempt("remove_image", image, [&]() -> Result<> {
    for (const auto& [name, made] : entries_) {
      if (made.spec.image != image) continue;
      return refusal(Fault::transient, Cause::exists,
                     "remove the image " + image + ": container " + name + " is made from it", "");
    }
    if (images_.erase(image) != 0) ++changes_;
    return Done{};
  });
}

Result<std::optional<DiskUse>> FakeRuntime::disk() {
  return attempt("disk", "", [&]() -> Result<std::optional<DiskUse>> { return disk_; });
}

}  // namespace rowlock
