// The loop on a real home, with a fake world and an executor that the test steps by hand.
#pragma once

#include "controller/controller.h"
#include "reconcilers/registry.h"
#include "tests/controller/hand_executor.h"
#include "tests/fakes/fake_world.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <memory>
#include <string>

namespace rowlock {

struct OneEngine final : FakeWorld {
  OneEngine() {
    engine.add_image("good:1");
    engine.add_image("good:2");
  }
  FakeRuntime& engine = fake_engine();
};

struct Boat {
  MadeHome made;
  Database state = made.state();
  DesiredFile desired{made.home.desired_path(), made.schema};
  Secrets secrets{state, made.schema};
  Reconcilers reconcilers = all_reconcilers(secrets, state, made.schema);
  OneEngine world;
  HandExecutor executor;
  std::FILE* nowhere = std::fopen("/dev/null", "w");
  Log log{Log::Format::json, nowhere};
  std::unique_ptr<Controller> controller;
  Shell shell{made.home.desired_path()};

  Boat() { start(); }
  ~Boat() { std::fclose(nowhere); }

  // A controller takes over, whatever the last one left.
  void start() {
    executor.forget();
    controller = std::make_unique<Controller>(
        Controller::Parts{state, made.schema, desired, reconcilers, world, executor, log, [] {},
                          [this] { return secrets.rights.accepted(); }});
    cr_assert(controller->begin().ok());
  }
  Controller::Pass pass() {
    auto passed = controller->pass();
    cr_assert(passed.ok(), "%s", passed.ok() ? "" : passed.error().message.c_str());
    return std::move(passed).value();
  }
  void settle() {
    pass();
    while (executor.make_one()) {
      ++world.time.ms;
      pass();
    }
  }
  // Lets time go by as the loop would: to the moment that a pass names, and no further.
  void pass_time(std::int64_t ms) {
    const std::int64_t end_ms = world.time.ms + ms;
    settle();
    while (world.time.ms < end_ms) {
      world.time.ms =
          std::min(end_ms, std::max(world.time.ms + 1, pass().due_at_ms.value_or(end_ms)));
      settle();
    }
  }
  std::string text(const std::string& query) { return text_of(state.scalar(query).value()); }
};

}  // namespace rowlock
