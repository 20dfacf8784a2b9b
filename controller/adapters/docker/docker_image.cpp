// Which part of a name is the registry, and what a name says that does not say it.
#include "controller/adapters/docker/docker_image.h"

namespace rowlock {

namespace {

constexpr char kHub[] = "docker.io";

// What stands before the first slash, if it is a host: "team/web" is on docker.io.
std::string host_of(const std::string& name) {
  const std::size_t slash = name.find('/');
  const std::string first = name.substr(0, slash);
  const bool is_host = slash != std::string::npos &&
                       (first.find_first_of(".:") != std::string::npos || first == "localhost");
  return is_host ? first : "";
}

// As the registry itself calls it.
std::string path_of(const std::string& name) {
  const std::string host = host_of(name);
  std::string path = host.empty() ? name : name.substr(host.size() + 1);
  const bool is_on_hub = host.empty() || host == kHub || host == "index.docker.io";
  if (is_on_hub && path.find('/') == std::string::npos) path.insert(0, "library/");
  return path;
}

std::string registry_of(const std::string& name) {
  const std::string host = host_of(name);
  return host.empty() || host == "index.docker.io" ? kHub : host;
}

}  // namespace

ImageReference image_reference(const std::string& image) {
  ImageReference reference{image, "latest", kHub};
  const std::size_t at = reference.name.find('@');
  std::string digest;
  if (at != std::string::npos) {
    digest = reference.name.substr(at + 1);
    reference.name.erase(at);
  }
  const std::size_t colon = reference.name.rfind(':');
  const std::size_t slash = reference.name.rfind('/');
  if (colon != std::string::npos && (slash == std::string::npos || colon > slash)) {
    reference.tag = reference.name.substr(colon + 1);
    reference.name.erase(colon);
  }
  if (!digest.empty()) reference.tag = digest;
  reference.registry = registry_of(reference.name);
  return reference;
}

ImageReference mirrored(const ImageReference& image, const std::string& mirror) {
  return image_reference(ImageReference{mirror + "/" + path_of(image.name), image.tag, ""}.text());
}

bool is_same_repository(const std::string& left, const std::string& right) {
  return registry_of(left) == registry_of(right) && path_of(left) == path_of(right);
}

}  // namespace rowlock
