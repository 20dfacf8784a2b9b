// Volumes that an image declares, on a real engine: what is in them, whose they are, and that they
// outlive the container.
#include "controller/adapters/docker/docker.h"
#include "controller/adapters/docker/docker_json.h"
#include "controller/base/percent.h"
#include "tests/conformance/container_runtime_suite.h"
#include "tests/live/docker/declaring_image.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <string>
#include <unistd.h>

using namespace rowlock;

namespace {

constexpr std::int64_t kExecMs = 10'000;

std::string endpoint() {
  const char* const value = std::getenv("ROWLOCK_TEST_DOCKER");
  if (value == nullptr) cr_skip_test("ROWLOCK_TEST_DOCKER names no engine");
  return value;
}

std::string own_prefix() { return "rowlock-live-" + std::to_string(getpid()) + "-volume-"; }

std::string inside(DockerRuntime& runtime, const std::string& name, const std::string& script) {
  const auto ran = runtime.exec(name, {"sh", "-c", script}, kExecMs);
  cr_assert(ran.ok(), "%s", ran.ok() ? "" : ran.error().message.c_str());
  return ran.value().output;
}

}  // namespace

Test(live_docker_volumes, behaves_like_every_runtime, .timeout = 60) {
  DockerRuntime runtime(endpoint());
  const DeclaringImage image(endpoint(), "/kept");
  RuntimeFixture fixture;
  fixture.prefix = own_prefix();
  fixture.home = fixture.prefix + "home";
  fixture.image = "rowlock-test:1";
  fixture.declaring_image = image.name();
  fixture.arch = runtime.facts().value().arch;
  fixture.run_on = {"sleep", "1000"};

  check_kept_volumes(runtime, fixture);

  cr_expect(remove_volumes_of(endpoint(), fixture.home) == fixture.prefix + "first-kept\n");
}

Test(live_docker_volumes, what_was_written_is_there_still, .timeout = 60) {
  DockerRuntime runtime(endpoint());
  const DeclaringImage image(endpoint(), "/var/spool/cron");
  ContainerSpec spec;
  spec.home = own_prefix() + "home";
  spec.job = "db";
  spec.image = image.name();
  spec.command = {{"sleep", "1000"}};
  spec.network = "none";
  spec.volume_prefix = own_prefix() + "1";

  for (const char* suffix : {"1", "2"}) {
    spec.name = own_prefix() + suffix;
    cr_assert(runtime.create(spec).ok());
    cr_assert(runtime.start(spec.name).ok());
    (void)inside(runtime, spec.name, std::string("echo ") + suffix + " >> /var/spool/cron/log");
    if (*suffix == '2') {
      const std::string log = inside(runtime, spec.name, "cat /var/spool/cron/log");
      cr_expect(log == "1\n2\n", "%s", log.c_str());
    }
    cr_assert(runtime.remove(spec.name).ok());
  }

  cr_expect(remove_volumes_of(endpoint(), spec.home) == own_prefix() + "1-var-spool-cron\n");
}
