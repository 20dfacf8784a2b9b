// What every ContainerRuntime must do, the fake and the real ones alike. A fake that differs from
// the real thing fails here, and so would mislead every test that stands on it.
#pragma once

#include "controller/ports/container_runtime.h"

#include <functional>
#include <string>
#include <vector>

namespace rowlock {

// What the engine under test has, and what can be done to it from outside.
struct RuntimeFixture {
  std::string home = "conformance-home";
  std::string prefix;                // Of every container's name; no other container may have it.
  std::string image;                 // On the node.
  std::string arch;                  // Of that image and of the engine.
  std::string other_arch_image;      // On the node, built for another one; empty: not tested.
  std::string absent_image;          // Neither on the node nor in its registry.
  std::string declaring_image;       // On the node; declares /kept as data.
  std::string missing_program;       // The image has none of that name.
  std::string missing_folder;        // The node has none of that name.
  std::vector<std::string> run_on;   // A command that does not end by itself …
  std::vector<std::string> fail;     // … one that writes "hello" on a line and exits with 3 …
  std::vector<std::string> succeed;  // … one that writes "hello" on a line and exits with 0.
  std::vector<std::string> listen;   // One that writes "hup" on a line for a SIGHUP, and runs on.
  std::string secrets_folder;        // On the node, with nothing in it.
  std::function<void(bool is_there)> have_secrets_folder;
  std::string launcher;  // On the node.
  int taken_port = 0;    // A process of the node holds it.
  int free_port = 0;
  std::function<void(const std::string& name)> pause;  // By another hand than the runtime's.
  std::function<void()> erase_claims;                  // Of `home`, by the same.
};

// Runs every case, each with containers of its own, and removes them. Failures are reported through
// Criterion and name the case. Thread-safety is the adapter's own test.
void check_container_runtime(ContainerRuntime& runtime, const RuntimeFixture& fixture);

// The cases about data that an image declares.
void check_kept_volumes(ContainerRuntime& runtime, const RuntimeFixture& fixture);

}  // namespace rowlock
