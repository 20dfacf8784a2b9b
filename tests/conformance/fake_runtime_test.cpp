// The fake engine against the suite that the real ones pass, and the faults that only a fake can
// have.
#include "tests/fakes/fake_runtime.h"

#include "tests/conformance/container_runtime_suite.h"

#include <criterion/criterion.h>

#include <set>

using namespace rowlock;

namespace {

ContainerSpec web(const std::string& image = "web:1") {
  ContainerSpec spec;
  spec.name = "web-1";
  spec.home = "home";
  spec.image = image;
  spec.network = "host";
  return spec;
}

}  // namespace

Test(conformance_fake_runtime, volumes_of_two_paths_have_two_names) {
  ContainerSpec spec = web();
  spec.volume_prefix = "web-1";
  const std::string deep = "/" + std::string(300, 'x');

  const auto kept = kept_volumes(
      spec, {"/a/b", "/a-b", "/a b", "a/b", "/a//b/", "/", "/x/../c.d", deep, deep + "y"});

  std::set<std::string> names;
  for (const Mount& mount : kept) {
    names.insert(mount.source);
    cr_expect(mount.source.size() < 120 &&
                  mount.source.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") ==
                      std::string::npos,
              "%s", mount.source.c_str());
  }
  cr_expect_eq(kept.size(), 6);
  cr_expect_eq(names.size(), kept.size());
  cr_expect(names.contains("web-1-a-b") && names.contains("web-1-c.d"));
}

Test(conformance_fake_runtime, behaves_like_every_runtime) {
  FakeRuntime runtime;
  RuntimeFixture fixture;
  fixture.prefix = "conformance-";
  fixture.image = "web:1";
  fixture.arch = "amd64";
  fixture.other_arch_image = "web-arm:1";
  fixture.absent_image = "absent:1";
  fixture.declaring_image = "data:1";
  fixture.missing_program = "/no/such/program";
  fixture.missing_folder = "/no/such/folder";
  fixture.run_on = {"sleep", "1000"};
  fixture.fail = {"fail"};
  fixture.succeed = {"succeed"};
  fixture.listen = {"listen"};
  fixture.secrets_folder = "/fake/secrets/conformance";
  fixture.have_secrets_folder = [&](bool is_there) {
    if (is_there) runtime.have_folder(fixture.secrets_folder);
    if (!is_there) runtime.lack_folder(fixture.secrets_folder);
  };
  fixture.launcher = "/fake/launch";
  fixture.taken_port = 8080;
  fixture.free_port = 8081;
  fixture.pause = [&](const std::string& name) { runtime.pause(name); };
  fixture.erase_claims = [&] { runtime.erase_claims(fixture.home); };
  runtime.add_image(fixture.image);
  runtime.add_image(fixture.other_arch_image, "arm64");
  runtime.add_image(fixture.declaring_image);
  runtime.declare_volumes(fixture.declaring_image, {"/kept/"});
  runtime.lack_program(fixture.missing_program);
  runtime.lack_folder(fixture.missing_folder);
  runtime.script_command(fixture.run_on, {});
  runtime.script_command(fixture.fail, {3, "hello\n", {}});
  runtime.script_command(fixture.succeed, {0, "hello\n", {}});
  runtime.script_command(fixture.listen, {std::nullopt, "", {{"SIGHUP", "hup\n"}}});
  runtime.take_port(fixture.taken_port);

  check_container_runtime(runtime, fixture);
  check_kept_volumes(runtime, fixture);

  cr_expect(runtime.containers().empty());
}

Test(conformance_fake_runtime, an_image_is_pulled_if_the_registry_has_it_for_this_node) {
  FakeRuntime runtime;
  runtime.add_registry_image("web:1");
  runtime.add_registry_image("arm:1", "arm64");

  cr_expect(runtime.create(web()).error().cause == Cause::image_absent);
  for (int round = 0; round < 2; ++round) {
    cr_expect(runtime.pull("web:1", {}).ok());
    cr_expect(runtime.create(web()).ok());
  }
  cr_expect_eq(runtime.changes(), 2);
  cr_expect(runtime.pull("absent:1", {}).error().fault == Fault::rejected);
  cr_expect(runtime.pull("arm:1", {}).error().fault == Fault::rejected);
}

Test(conformance_fake_runtime, faults_lose_the_change_or_only_the_answer) {
  FakeRuntime runtime;
  runtime.add_image("web:1");
  FaultPlan plan = FaultPlan::none;
  runtime.set_faults([&](const std::string& call, const std::string&) {
    return call == "create" ? plan : FaultPlan::none;
  });

  plan = FaultPlan::fail_before;
  cr_expect(runtime.create(web()).error().cause == Cause::other);
  cr_expect(runtime.containers().empty());
  plan = FaultPlan::unreachable;
  cr_expect(runtime.create(web()).error().cause == Cause::unreachable);
  cr_expect(runtime.containers().empty());
  plan = FaultPlan::lose_answer;
  cr_expect(runtime.create(web()).error().cause == Cause::deadline);
  cr_expect_eq(runtime.containers().size(), 1u);
}

Test(conformance_fake_runtime, what_happens_behind_the_back_is_seen_and_told) {
  FakeRuntime runtime;
  runtime.add_image("web:1");
  std::vector<std::string> told;
  runtime.on_event([&](const std::string&, const std::string& name) { told.push_back(name); });
  cr_expect(runtime.create(web()).ok());
  cr_expect(runtime.start("web-1").ok());

  runtime.pause("web-1");
  cr_expect(runtime.inspect("web-1").value()->state == ContainerState::paused);
  runtime.kill("web-1", 9);
  cr_expect(runtime.inspect("web-1").value()->exit_code == 9);
  runtime.erase("web-1");
  cr_expect(!runtime.inspect("web-1").value().has_value());
  cr_expect_eq(told.size(), 4u);
  cr_expect_eq(runtime.changes(), 2);
}

Test(conformance_fake_runtime, signals_are_remembered_in_their_order) {
  FakeRuntime runtime;
  runtime.add_image("web:1");
  cr_expect(runtime.create(web()).ok());
  cr_expect(runtime.start("web-1").ok());

  cr_expect(runtime.signal("web-1", "SIGHUP").ok());
  cr_expect(runtime.signal("web-1", "SIGKILL").ok());
  cr_expect(runtime.signal("web-1", "SIGUSR1").error().cause == Cause::not_found);

  const std::vector<std::string> both = {"SIGHUP", "SIGKILL"};
  cr_expect(runtime.signals("web-1") == both);
  cr_expect(runtime.inspect("web-1").value()->exit_code == 137);
  cr_expect(runtime.signals("web-2").empty());
  cr_expect_eq(runtime.changes(), 4);
}

Test(conformance_fake_runtime, an_image_may_exit_at_once_and_answer_commands_as_told) {
  FakeRuntime runtime;
  runtime.add_image("web:1");
  runtime.exit_at_once("web:1", 7);
  cr_expect(runtime.create(web()).ok());

  cr_expect(runtime.start("web-1").ok());
  cr_expect(runtime.inspect("web-1").value()->exit_code == 7);

  runtime.run_on("web:1");
  runtime.set_image_exec("web:1", {1, "sick"});
  cr_expect(runtime.start("web-1").ok());
  cr_expect(runtime.exec("web-1", {"check"}, 100).value().output == "sick");
  runtime.set_container_exec("web-1", {0, "well"});
  cr_expect(runtime.exec("web-1", {"check"}, 100).value().exit_code == 0);
}
