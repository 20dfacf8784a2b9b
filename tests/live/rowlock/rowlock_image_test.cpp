// An image that is built anew under the same tag, on a real engine: what runs stays what it is, and
// what replaces it, until somebody asks for the new one.
#include "controller/adapters/docker/docker_engine.h"
#include "tests/live/rowlock/rowlock_home.h"

#include <criterion/criterion.h>

#include <set>
#include <string>
#include <unistd.h>

using namespace rowlock;
using namespace rowlock_live;

namespace {

constexpr std::int64_t kDeadlineMs = 30'000;

// An image of one more layer than the one before, by the same name; removed when this goes.
class BuiltImage {
 public:
  BuiltImage() : repository_("rowlock-live-built-" + std::to_string(getpid())) {}
  ~BuiltImage() { (void)ask("DELETE", "/images/" + name() + "?force=1"); }
  BuiltImage(const BuiltImage&) = delete;
  BuiltImage& operator=(const BuiltImage&) = delete;

  std::string name() const { return repository_ + ":1"; }

  void build() {
    DockerRuntime runtime(engine_endpoint());
    ContainerSpec spec;
    spec.name = repository_ + "-base";
    spec.home = "live-home";
    spec.image = kImage;
    spec.command = {{"sleep", "1000"}};
    require(runtime.create(spec).ok(), "create the container to build from");
    const auto made = ask("POST", "/commit?container=" + spec.name + "&repo=" + repository_ +
                                      "&tag=1&comment=" + std::to_string(++built_));
    require(runtime.remove(spec.name).ok() && made.ok(), "build the image");
  }

 private:
  static Result<DockerAnswer> ask(const std::string& method, const std::string& path) {
    DockerEngine engine(engine_endpoint(), kDeadlineMs);
    DockerRequest request;
    request.method = method;
    request.path = path;
    request.deadline_ms = kDeadlineMs;
    return engine.call(method + " " + path, request);
  }

  std::string repository_;
  int built_ = 0;
};

// The ids of the images of what runs, each once.
std::string running_images(LiveHome& home) {
  std::set<std::string> images;
  for (const Container& container : home.containers("web")) {
    if (container.state != ContainerState::running) continue;
    images.insert(home.inspect(container.name)["Image"].as_string());
  }
  std::string all;
  for (const std::string& image : images) all += image + " ";
  return all;
}

}  // namespace

Test(live_rowlock_image, a_replacement_is_of_the_bytes_that_the_others_run, .timeout = 180) {
  BuiltImage image;
  image.build();
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job(
      "web", {{"image", "'" + image.name() + "'"}, {"count", "2"}, {"tag_look_ms", "10000"}}));
  home.await_converged("web");
  const std::string first = running_images(home);

  image.build();
  require(home.runtime().stop(home.containers("web").front().name, "SIGKILL", 1000).ok(), "stop");
  home.await("SELECT count(*) FROM instance WHERE verdict = 'failed'", "1");
  home.await_converged("web");
  require(running_images(home) == first, "a mixture: " + running_images(home));
  home.await_why("web", "was moved: it stands for sha256:");

  home.accept("UPDATE job SET on_tag_moved = 'deploy'");
  home.await("SELECT count(*) FROM deployment WHERE cause = 'tag' AND state = 'succeeded'", "1");
  const std::string second = running_images(home);
  require(second != first && second.size() == first.size(), "not the new one alone: " + second);
}
