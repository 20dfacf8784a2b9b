// The calls of the port that are about images. All that a registry is asked it is asked by the
// engine, which has its certificates, its proxies and its own mirrors; the credentials come with
// every call, since it keeps none.
#include "controller/adapters/docker/docker.h"
#include "controller/adapters/docker/docker_image.h"
#include "controller/adapters/docker/docker_json.h"
#include "controller/adapters/docker/docker_stream.h"
#include "controller/adapters/docker/registry_login.h"
#include "controller/base/percent.h"

#include <sys/statvfs.h>
#include <utility>

namespace rowlock {

namespace {

constexpr char kUnix[] = "unix://";
constexpr int kNotFound = 404;
constexpr int kConflict = 409;

std::string image_path(const ImageReference& image) { return percent_encoded(image.text(), "/:@"); }

// sha256:… alone is an id, and no name of anything.
std::string look_path(const std::string& image) {
  const bool is_id = image.rfind("sha256:", 0) == 0;
  return "/images/" + (is_id ? percent_encoded(image, ":") : image_path(image_reference(image))) +
         "/json";
}

bool is_absent(const Error& error) {
  return error.cause == Cause::not_found || error.cause == Cause::image_absent;
}

// The secret engine's for the registry itself, else what the docker command line knows.
Result<std::string> auth_of(const std::string& registry, const RegistryAccess& access) {
  if (access.password == nullptr) return registry_auth(registry);
  return auth_header(registry, access.username == nullptr ? "" : access.username->view(),
                     access.password->view());
}

DockerRequest with_auth(DockerRequest request, const std::string& auth) {
  if (!auth.empty()) request.headers.push_back("X-Registry-Auth: " + auth);
  return request;
}

}  // namespace

// ---- What a name stands for --------------------------------------------------------------------

Result<std::string> DockerRuntime::resolve_on_node(std::string_view attempt,
                                                   const ImageReference& image) {
  const Result<Json> found = look(attempt, "/images/" + image_path(image) + "/json");
  if (!found.ok()) {
    if (!is_absent(found.error())) return found.error();
    return Error{Fault::transient, Cause::image_absent,
                 std::string(attempt) + ": it is not on the node", ""};
  }
  for (const Json& digest : found.value()["RepoDigests"].items()) {
    const ImageReference known = image_reference(digest.as_string());
    if (is_same_repository(known.name, image.name)) return image.name + "@" + known.tag;
  }
  return found.value()["Id"].as_string();
}

// Its digest.
Result<std::string> DockerRuntime::resolve_in_registry(std::string_view attempt,
                                                       const ImageReference& image,
                                                       const RegistryAccess& access) {
  DockerRequest ask;
  ask.path = "/distribution/" + image_path(image) + "/json";
  ask.deadline_ms = deadlines_.resolve_ms;
  ask = with_auth(std::move(ask), TRY(auth_of(image.registry, access)));
  const Result<DockerAnswer> answer = engine_.call(attempt, std::move(ask), {kNotFound});
  if (!answer.ok()) return answer.error();
  if (answer.value().status == kNotFound) {
    const std::string words = engine_words(answer.value());
    Error refusal = engine_error(attempt, kNotFound, words);
    // Engines that have no such call, such as Podman, have to fetch it to know.
    if (refusal.fault == Fault::rejected) return refusal;
    TRY(pull_from(image, access));
    return image_reference(TRY(resolve_on_node(attempt, image))).tag;
  }
  const Json json = TRY(answer_json(attempt, answer.value()));
  const std::string digest = json["Descriptor"]["digest"].as_string();
  if (digest.empty()) {
    return Error{Fault::transient, Cause::other,
                 std::string(attempt) + ": the engine's answer names no digest", ""};
  }
  return digest;
}

Result<std::string> DockerRuntime::resolve(const std::string& image, ImageSource source,
                                           const RegistryAccess& access) {
  const std::string attempt = "resolve " + image;
  const ImageReference reference = image_reference(image);
  if (source == ImageSource::node) return resolve_on_node(attempt, reference);
  if (!access.mirror.empty()) {
    const auto there = resolve_in_registry(attempt, mirrored(reference, access.mirror), {});
    if (there.ok()) return reference.name + "@" + there.value();
  }
  return reference.name + "@" + TRY(resolve_in_registry(attempt, reference, access));
}

// ---- Fetched and removed -----------------------------------------------------------------------

Result<> DockerRuntime::pull_from(const ImageReference& image, const RegistryAccess& access) {
  const std::string attempt = "pull " + image.text();
  DockerRequest ask;
  ask.method = "POST";
  ask.path = "/images/create?fromImage=" + percent_encoded(image.name) +
             "&tag=" + percent_encoded(image.tag);
  ask.deadline_ms = deadlines_.pull_ms;
  ask.silence_ms = deadlines_.pull_silence_ms;
  ask = with_auth(std::move(ask), TRY(auth_of(image.registry, access)));

  // The engine answers 200 before it has asked the registry: what went wrong is a line of the
  // stream.
  std::string complaint;
  LineSplitter lines([&](std::string_view line) {
    const Result<Json> json = Json::parse(line);
    if (json.ok() && json.value()["error"].is_string())
      complaint = json.value()["error"].as_string();
  });
  ask.on_bytes = [&](std::string_view bytes) { lines.feed(bytes); };

  const Result<DockerAnswer> answer = engine_.call(attempt, std::move(ask));
  lines.feed("\n");
  if (!answer.ok()) {
    Error error = answer.error();
    if (is_absent(error)) {  // 404 before the stream began: no such repository.
      error.fault = Fault::rejected;
      error.hint = "correct job.image";
    }
    return error;
  }
  if (!complaint.empty()) return engine_error(attempt, 500, complaint);
  return Done{};
}

Result<> DockerRuntime::pull(const std::string& image, const RegistryAccess& access) {
  const ImageReference reference = image_reference(image);
  if (!access.mirror.empty() && pull_from(mirrored(reference, access.mirror), {}).ok()) {
    return Done{};
  }
  return pull_from(reference, access);
}

Result<> DockerRuntime::remove_name(std::string_view attempt, const ImageReference& image) {
  DockerRequest ask;
  ask.method = "DELETE";
  ask.path = "/images/" + image_path(image);
  ask.deadline_ms = deadlines_.change_ms;
  const Result<DockerAnswer> answer = engine_.call(attempt, std::move(ask), {kNotFound, kConflict});
  if (!answer.ok()) return answer.error();
  if (answer.value().status != kConflict) return Done{};
  return Error{Fault::transient, Cause::exists,
               std::string(attempt) + ": " + engine_words(answer.value()), ""};
}

Result<> DockerRuntime::remove_image(const std::string& image, const std::string& mirror) {
  const std::string attempt = "remove the image " + image;
  const ImageReference reference = image_reference(image);
  if (!mirror.empty()) TRY(remove_name(attempt, mirrored(reference, mirror)));
  return remove_name(attempt, reference);
}

// ---- What a container is made from -------------------------------------------------------------

// What the engine says of the spec's image, which is called there as it is called in the mirror
// that it came from: then the spec says so afterwards.
Result<Json> DockerRuntime::image_of(std::string_view attempt, ContainerSpec& spec) {
  Result<Json> image = look(attempt, look_path(spec.image));
  if (image.ok() || !is_absent(image.error())) return image;
  if (!spec.mirror.empty()) {
    const std::string there = mirrored(image_reference(spec.image), spec.mirror).text();
    image = look(attempt, look_path(there));
    if (image.ok()) spec.image = there;
    if (image.ok() || !is_absent(image.error())) return image;
  }
  return Error{Fault::transient, Cause::image_absent,
               std::string(attempt) + ": the image " + spec.image + " is not on the node yet", ""};
}

Result<Json> DockerRuntime::fitting_image(std::string_view attempt, ContainerSpec& spec) {
  Result<Json> image = image_of(attempt, spec);
  if (!image.ok()) return image;
  const std::string arch = image.value()["Architecture"].as_string();
  if (spec.arch.empty() || arch.empty() || image_arch(arch) == image_arch(spec.arch)) return image;
  return Error{Fault::rejected, Cause::other,
               std::string(attempt) + ": the image " + spec.image + " is built for " + arch +
                   ", the node is " + spec.arch,
               "build the image for linux/" + spec.arch + ", or constrain the job to another node"};
}

// ---- Where they are kept -----------------------------------------------------------------------

// The folder is one of the engine's machine: that of this one is told by its socket.
Result<std::optional<DiskUse>> DockerRuntime::disk() {
  if (endpoint_.rfind(kUnix, 0) != 0) return std::optional<DiskUse>();
  const Json engine = TRY(look("ask where the engine keeps its images", "/info"));
  const std::string folder = engine["DockerRootDir"].as_string();
  struct statvfs found {};
  if (folder.empty() || ::statvfs(folder.c_str(), &found) != 0) return std::optional<DiskUse>();
  const auto block = static_cast<std::int64_t>(found.f_frsize);
  return std::optional<DiskUse>(DiskUse{static_cast<std::int64_t>(found.f_blocks) * block,
                                        static_cast<std::int64_t>(found.f_bavail) * block});
}

}  // namespace rowlock
