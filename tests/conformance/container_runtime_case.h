// One case of the suite at work on an engine, and what every case asks of it.
#pragma once

#include "tests/conformance/container_runtime_suite.h"
#include "tests/conformance/suite_case.h"

#include <criterion/criterion.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace rowlock {

constexpr auto kPatience = std::chrono::seconds(10);

// One case at work: its name goes into every failure, its containers are removed at its end.
class RuntimeCase : public SuiteCase {
 public:
  RuntimeCase(std::string title, ContainerRuntime& under_test, const RuntimeFixture& given)
      : SuiteCase(std::move(title)), runtime(under_test), fixture(given) {
    remove_all();
  }
  ~RuntimeCase() { remove_all(); }

  std::string name(const std::string& suffix = "a") const { return fixture.prefix + suffix; }

  ContainerSpec spec(const std::string& suffix = "a") const {
    ContainerSpec result;
    result.name = name(suffix);
    result.home = fixture.home;
    result.job = "web";
    result.instance = "web-" + suffix;
    result.nonce = "nonce-" + suffix;
    result.image = fixture.image;
    result.arch = fixture.arch;
    result.command = fixture.run_on;
    result.network = "host";
    return result;
  }

  // `part` must occur in the message, which must name the container or image as well.
  template <typename T>
  void fails(const Result<T>& result, Fault fault, Cause cause, const std::string& part) const {
    cr_expect(!result.ok(), "%s: expected an error with: %s", title_.c_str(), part.c_str());
    if (result.ok()) return;
    const Error& error = result.error();
    cr_expect(error.fault == fault && error.cause == cause &&
                  error.message.find(part) != std::string::npos,
              "%s: expected '%s', got fault %d cause %d: %s", title_.c_str(), part.c_str(),
              static_cast<int>(error.fault), static_cast<int>(error.cause), error.message.c_str());
    cr_expect(fault != Fault::rejected || !error.hint.empty(), "%s: a rejection without a hint: %s",
              title_.c_str(), error.message.c_str());
  }

  std::optional<Container> inspect(const std::string& suffix = "a") const {
    const Result<std::optional<Container>> result = runtime.inspect(name(suffix));
    succeeds(result, "inspect");
    return result.ok() ? result.value() : std::nullopt;
  }

  // In the list; nothing when it is not there. It must not be there twice.
  std::optional<Container> listed(const std::string& suffix = "a") const {
    const Result<std::vector<Container>> result = runtime.list();
    succeeds(result, "list");
    std::optional<Container> found;
    if (!result.ok()) return found;
    for (const Container& container : result.value()) {
      if (container.name != name(suffix)) continue;
      expect(!found, "one container of a name");
      found = container;
    }
    return found;
  }

  void is_in_state(ContainerState state, const std::string& suffix = "a") const {
    const std::optional<Container> one = inspect(suffix);
    const std::optional<Container> other = listed(suffix);
    expect(one && one->state == state,
           "inspect to tell state " + std::to_string(static_cast<int>(state)));
    expect(other && other->state == state,
           "list to tell state " + std::to_string(static_cast<int>(state)));
  }

  void becomes_true(const std::string& what, const std::function<bool()>& holds) const {
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < give_up) {
      if (holds()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    expect(false, what);
  }

  void ends(const std::string& suffix = "a") const {
    becomes_true("the container to end", [&] {
      const std::optional<Container> container = inspect(suffix);
      return container && container->state == ContainerState::exited;
    });
  }

  std::string log(const std::string& suffix = "a") const {
    const Result<std::string> result = runtime.log_tail(name(suffix), 10);
    succeeds(result, "log");
    return result.ok() ? result.value() : "";
  }

  void create_and_start(const ContainerSpec& made) const {
    succeeds(runtime.create(made), "create");
    succeeds(runtime.start(made.name), "start");
  }

  ContainerRuntime& runtime;
  const RuntimeFixture& fixture;

 private:
  void remove_all() const {
    for (const char* suffix : {"a", "b"}) succeeds(runtime.remove(name(suffix)), "remove");
  }
};

}  // namespace rowlock
