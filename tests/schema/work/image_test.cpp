// What instances are made from: a tag that is looked up once for each spec, moves, and is rolled
// out or not; and the images that nobody needs any more.
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <set>

using rowlock::FaultPlan;
using rowlock::PlanWorld;

namespace {

constexpr const char* kDeployments =
    "SELECT d.cause, d.state, s.image FROM deployment AS d JOIN spec AS s ON s.id = d.spec "
    "ORDER BY d.id";

void converge(PlanWorld& world, const std::string& image, const std::string& columns = "",
              const std::string& values = "") {
  world.sql(fmt::format("INSERT INTO job (name, image, count{}) VALUES ('web', '{}', 2{})", columns,
                        image, values));
  world.settle();
  world.pass_time(25000);
  cr_assert(world.text("SELECT state FROM status WHERE name = 'web'") == "converged", "%s",
            world.text("SELECT state, detail FROM status WHERE name = 'web'").c_str());
}

// What runs, without repetition.
std::string runs(PlanWorld& world) {
  std::set<std::string> bytes;
  for (const auto& container : world.engine().containers()) {
    if (container.state == rowlock::ContainerState::running) {
      bytes.insert(world.engine().bytes(container.name));
    }
  }
  return fmt::format("{}", fmt::join(bytes, " "));
}

std::string pin(PlanWorld& world, const std::string& image,
                rowlock::ImageSource source = rowlock::ImageSource::registry) {
  return world.engine().resolve(image, source, {}).value();
}

std::string detail(PlanWorld& world) {
  return world.text("SELECT state, detail FROM status WHERE kind = 'job'");
}

}  // namespace

Test(image_plan, a_replacement_is_of_the_bytes_that_the_others_run_although_the_tag_moved) {
  PlanWorld world;
  world.engine().add_registry_image("app:1");
  converge(world, "app:1");
  const std::string first = pin(world, "app:1");

  world.engine().add_registry_image("app:1");
  world.engine().kill(world.text("SELECT min(name) FROM instance"), 1);
  world.look_at_nodes();
  world.pass_time(30000);

  cr_assert(pin(world, "app:1") != first);
  cr_expect(runs(world) == first, "%s", runs(world).c_str());
  cr_expect(world.text("SELECT count(DISTINCT image) FROM spec") == "1");
}

Test(image_plan, an_image_that_was_built_on_the_node_is_pinned_by_its_id) {
  PlanWorld world;
  converge(world, "good:1");
  const std::string first = pin(world, "good:1", rowlock::ImageSource::node);

  world.engine().add_image("good:1");  // Built again.
  world.engine().kill(world.text("SELECT min(name) FROM instance"), 1);
  world.look_at_nodes();
  world.pass_time(30000);
  const std::string healed = runs(world);
  world.sql("UPDATE job SET restart = 1");
  world.settle();
  world.pass_time(60000);

  cr_expect(healed == first, "%s", healed.c_str());
  cr_expect(runs(world) == pin(world, "good:1", rowlock::ImageSource::node), "%s",
            runs(world).c_str());
}

Test(image_plan, a_moved_tag_is_said_and_left_alone) {
  PlanWorld world;
  world.engine().add_registry_image("app:1");
  converge(world, "app:1", ", tag_look_ms", ", 60000");
  const std::string first = pin(world, "app:1");
  const std::string before = detail(world);

  world.engine().add_registry_image("app:1");
  world.pass_time(130000);

  cr_expect(before == "converged|2/2 healthy", "%s", before.c_str());
  cr_expect(detail(world) == "converged|2/2 healthy; app:1 stands for another image by now", "%s",
            detail(world).c_str());
  const std::string why = world.text("SELECT reason FROM why WHERE kind = 'tag'");
  cr_expect(why.find(pin(world, "app:1")) != std::string::npos &&
                why.find("restart = restart + 1") != std::string::npos,
            "%s", why.c_str());
  cr_expect(runs(world) == first);
  cr_expect(world.number("SELECT count(*) FROM event WHERE what = 'tag moved'") == 1);

  world.sql("UPDATE job SET restart = restart + 1");
  world.settle();
  world.pass_time(60000);

  cr_expect(runs(world) == pin(world, "app:1"), "what the hint says helps");
  cr_expect(detail(world) == "converged|2/2 healthy", "%s", detail(world).c_str());
}

Test(image_plan, a_moved_tag_is_rolled_out_where_that_is_asked_for) {
  PlanWorld world;
  world.engine().add_registry_image("app:1");
  converge(world, "app:1", ", tag_look_ms, on_tag_moved", ", 60000, 'deploy'");
  const std::string first = pin(world, "app:1");

  world.engine().add_registry_image("app:1");
  world.pass_time(200000);

  const std::string second = pin(world, "app:1");
  cr_expect(runs(world) == second, "%s", runs(world).c_str());
  cr_expect(world.text(kDeployments) == "edit|succeeded|" + first + " tag|succeeded|" + second,
            "%s", world.text(kDeployments).c_str());
  cr_expect(detail(world) == "converged|2/2 healthy", "%s", detail(world).c_str());
}

Test(image_plan, a_moved_tag_that_fails_goes_back_to_the_bytes_that_worked_and_is_not_tried_again) {
  PlanWorld world;
  world.engine().add_registry_image("app:1");
  converge(world, "app:1", ", tag_look_ms, on_tag_moved", ", 60000, 'deploy'");
  const std::string first = pin(world, "app:1");

  world.engine().add_registry_image("app:1");
  const std::string second = pin(world, "app:1");
  world.after_step = [&] {
    for (const auto& container : world.engine().containers()) {
      if (world.engine().bytes(container.name) == second) world.engine().kill(container.name, 1);
    }
  };
  world.pass_time(120000);
  world.look_at_nodes();
  world.pass_time(500000);

  cr_expect(runs(world) == first, "%s", runs(world).c_str());
  cr_expect(world.text(kDeployments) ==
                "edit|succeeded|" + first + " tag|failed|" + second + " revert|succeeded|" + first,
            "%s", world.text(kDeployments).c_str());
}

Test(image_plan, a_revert_runs_the_bytes_that_worked_before_although_their_tag_moved) {
  PlanWorld world;
  world.engine().add_registry_image("app:1");
  world.engine().add_registry_image("bad:1");
  world.engine().exit_at_once("bad:1", 1);
  converge(world, "app:1");
  const std::string first = pin(world, "app:1");
  world.engine().add_registry_image("app:1");
  world.engine().lose_image("app:1");  // Somebody has tidied up the node.

  world.sql("UPDATE job SET image = 'bad:1'");
  world.settle();
  world.pass_time(60000);
  world.engine().kill(world.text("SELECT name FROM instance WHERE run = 1 LIMIT 1"), 1);
  world.look_at_nodes();
  world.pass_time(60000);

  cr_expect(detail(world).find("failed|2/2 healthy") == 0, "%s", detail(world).c_str());
  cr_expect(runs(world) == first, "%s", runs(world).c_str());
}

Test(image_plan, a_registry_that_does_not_answer_changes_nothing_of_what_runs) {
  PlanWorld world;
  world.engine().add_registry_image("app:1");
  converge(world, "app:1", ", tag_look_ms, on_tag_moved", ", 60000, 'deploy'");
  const std::string first = runs(world);

  world.engine().set_faults([](const std::string& call, const std::string&) {
    return call == "resolve" ? FaultPlan::lose_answer : FaultPlan::none;
  });
  world.engine().add_registry_image("app:1");
  world.pass_time(300000);

  cr_expect(runs(world) == first);
  cr_expect(detail(world) == "converged|2/2 healthy", "%s", detail(world).c_str());
  cr_expect(world.number("SELECT count(*) FROM event WHERE what = 'tag not looked up'") == 1);
  const std::string why = world.text("SELECT reason FROM why WHERE kind = 'tag'");
  cr_expect(why.find("could not be looked up") != std::string::npos, "%s", why.c_str());
}

Test(image_plan, who_may_be_asked_is_the_jobs_to_say) {
  PlanWorld world;
  world.engine().add_registry_image("far:1");
  world.sql(
      "INSERT INTO job (name, image, pull) VALUES ('none', 'far:1', 'never'),"
      "('some', 'far:1', 'missing'), ('all', 'good:1', 'always')");

  world.settle();

  cr_expect(world.text("SELECT container FROM instance WHERE job = 'some' AND run = 1") ==
            "running");
  const std::string none = world.text("SELECT reason FROM instance WHERE job = 'none'");
  cr_expect(none.find("is not on the node, and job.pull is 'never'") != std::string::npos, "%s",
            none.c_str());
  const std::string all = world.text("SELECT reason FROM instance WHERE job = 'all'");
  cr_expect(all.find("the registry has no such image") != std::string::npos, "%s", all.c_str());
}

Test(image_plan, an_image_goes_once_nothing_needs_it_but_not_what_a_revert_would_need) {
  PlanWorld world;
  for (const char* image : {"app:1", "app:2", "app:3"}) world.engine().add_registry_image(image);
  converge(world, "app:1");
  for (const char* image : {"app:2", "app:3"}) {
    world.sql(fmt::format("UPDATE job SET image = '{}'", image));
    world.settle();
    world.pass_time(60000);
  }
  world.sql("UPDATE node SET image_keep_ms = 3600000");
  const std::string at_first = world.text("SELECT count(*) FROM node_image");

  world.pass_time(4000000);

  cr_expect(at_first == "3", "%s", at_first.c_str());
  const std::string left = world.text("SELECT image FROM node_image ORDER BY image");
  cr_expect(left == pin(world, "app:2") + " " + pin(world, "app:3"), "%s", left.c_str());
  cr_expect(!world.engine().resolve(pin(world, "app:1"), rowlock::ImageSource::node, {}).ok());
}

Test(image_plan, a_full_disk_takes_what_nothing_needs_at_once_and_nothing_else) {
  PlanWorld world;
  for (const char* image : {"app:1", "app:2", "app:3"}) world.engine().add_registry_image(image);
  world.engine().set_disk({100, 50});
  converge(world, "app:1");
  for (const char* image : {"app:2", "app:3"}) {
    world.sql(fmt::format("UPDATE job SET image = '{}'", image));
    world.settle();
    world.pass_time(60000);
  }
  const std::string roomy = world.text("SELECT count(*) FROM node_image");

  world.engine().set_disk({100, 10});
  world.pass_time(400000);

  cr_expect(roomy == "3", "%s", roomy.c_str());
  cr_expect(world.text("SELECT count(*) FROM node_image") == "2");
  cr_expect(detail(world) == "converged|2/2 healthy", "%s", detail(world).c_str());
}
