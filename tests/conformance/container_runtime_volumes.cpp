// What an image declares as data outlives the container. That the bytes are there still is a matter
// of the real engine alone: tests/live/docker/docker_volumes_test.cpp.
#include "tests/conformance/container_runtime_case.h"

namespace rowlock {

namespace {

std::string kept_by(const RuntimeCase& c, const ContainerSpec& spec) {
  const auto created = c.runtime.create(spec);
  c.succeeds(created, "create");
  return created.ok() ? text_of(created.value()) : "";
}

ContainerSpec declaring(const RuntimeCase& c) {
  ContainerSpec spec = c.spec();
  spec.image = c.fixture.declaring_image;
  spec.volume_prefix = c.name("first");
  return spec;
}

std::string volume(const RuntimeCase& c) {
  return R"([{"path":"/kept","source":")" + c.name("first") + R"(-kept"}])";
}

void declared_data_is_kept(const RuntimeCase& c) {
  for (int round = 0; round < 2; ++round) {
    for (int again = 0; again < 2; ++again) {
      const std::string kept = kept_by(c, declaring(c));
      c.expect(kept == volume(c), "its volume to be named, and not: " + kept);
    }
    c.succeeds(c.runtime.start(c.name()), "start");
    c.succeeds(c.runtime.remove(c.name()), "remove");
  }
}

void a_mount_at_the_path_is_no_data(const RuntimeCase& c) {
  for (const char* path : {"/kept", "/kept/"}) {
    ContainerSpec spec = declaring(c);
    spec.mounts = {Mount{"tmpfs", "", path, false}};
    c.expect(kept_by(c, spec) == "[]", "nothing to be kept below a tmpfs");
    c.succeeds(c.runtime.start(spec.name), "start");
    c.succeeds(c.runtime.remove(spec.name), "remove");
  }
  ContainerSpec inside = declaring(c);
  inside.mounts = {Mount{"tmpfs", "", "/kept/inside", false}};
  c.expect(kept_by(c, inside) == volume(c), "what is mounted inside to change nothing");
}

void without_a_prefix_nothing_is_kept(const RuntimeCase& c) {
  ContainerSpec spec = declaring(c);
  spec.volume_prefix.clear();
  c.expect(kept_by(c, spec) == "[]", "nothing to be kept");
}

void another_prefix_is_another_container(const RuntimeCase& c) {
  (void)kept_by(c, declaring(c));
  ContainerSpec other = declaring(c);
  other.volume_prefix = c.name("second");
  c.fails(c.runtime.create(other), Fault::rejected, Cause::exists, c.name());
}

void what_declares_nothing_keeps_nothing(const RuntimeCase& c) {
  ContainerSpec spec = c.spec();
  spec.volume_prefix = c.name("first");
  c.expect(kept_by(c, spec) == "[]", "nothing to be kept");
}

constexpr std::pair<const char*, void (*)(const RuntimeCase&)> kCases[] = {
    {"declared data is kept", declared_data_is_kept},
    {"a mount at the path is no data", a_mount_at_the_path_is_no_data},
    {"without a prefix nothing is kept", without_a_prefix_nothing_is_kept},
    {"another prefix is another container", another_prefix_is_another_container},
    {"what declares nothing keeps nothing", what_declares_nothing_keeps_nothing},
};

}  // namespace

void check_kept_volumes(ContainerRuntime& runtime, const RuntimeFixture& fixture) {
  for (const auto& [title, run] : kCases) run(RuntimeCase(title, runtime, fixture));
}

}  // namespace rowlock
