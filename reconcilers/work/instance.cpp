// Most of this file reads the spec out of the row, since a container is made of it alone. The steps
// are at the end, one call on the engine each.
#include "reconcilers/work/instance.h"

#include "controller/base/json.h"
#include "controller/ports/container_runtime.h"
#include "controller/ports/secret_folders.h"

namespace rowlock {

namespace {

constexpr int kLogLines = 20;

std::vector<std::string> strings(const Json& array) {
  std::vector<std::string> all;
  for (const Json& item : array.items()) {
    all.push_back(item.as_string());
  }
  return all;
}

PortBinding port_of(const Json& port) {
  PortBinding binding;
  binding.port = static_cast<int>(port["port"].as_integer());
  binding.protocol = port["protocol"].as_string("tcp");
  binding.publish = !port["host_port"].is_null();
  binding.host_port = static_cast<int>(port["host_port"].as_integer());
  binding.host_ip = port["host_ip"].as_string();
  return binding;
}

// The container that an instance is, from the body of its spec as the view job_spec wrote it.
Result<ContainerSpec> spec_of(const Row& input) {
  const Json body = TRY(Json::parse(input.text("spec")));
  ContainerSpec spec;
  spec.name = input.text("container");
  spec.home = input.text("home");
  spec.job = input.text("job");
  spec.instance = input.text("instance");
  spec.nonce = input.text("nonce");
  spec.volume_prefix = input.text("volume_prefix");
  spec.arch = input.text("arch");
  spec.image = input.text("image");  // What its tag stood for, and not the tag.
  spec.mirror = input.text("mirror");
  if (body["command"].is_array()) {
    spec.command = strings(body["command"]);
  }
  for (const Json& pair : body["env"].items()) {
    const std::vector<std::string> env = strings(pair);
    spec.env.emplace_back(env.at(0), env.at(1));
  }
  for (const Json& port : body["ports"].items()) {
    spec.ports.push_back(port_of(port));
  }
  for (const Json& mount : body["mounts"].items()) {
    spec.mounts.push_back({mount["type"].as_string(), mount["source"].as_string(),
                           mount["path"].as_string(), mount["read_only"].as_integer() != 0});
  }
  spec.user = body["user"].as_string();
  spec.network = body["network"].as_string();
  spec.cpus = body["cpus"].as_number();
  spec.cpu_shares = body["cpu_shares"].as_integer();
  spec.memory_mb = body["memory_mb"].as_integer();
  spec.pids_max = body["pids_max"].as_integer();
  spec.capabilities = strings(body["capabilities"]);
  spec.new_privileges = body["new_privileges"].as_integer() != 0;
  spec.read_only_root = body["read_only_root"].as_integer() != 0;
  spec.stop_signal = input.text("stop_signal");
  spec.stop_timeout_ms = input.integer("stop_timeout_ms");
  return spec;
}

ContainerRuntime& runtime_of(const Step& step, World& world) {
  return world.runtime(step.input->text("driver"), step.input->text("endpoint"));
}

// ---- Lanes

std::string lane(const Step& step) { return step.input->text("node"); }
std::string lane_of_looks(const Step& step) { return lane(step) + "/look"; }

// A stop may take as long as its job allows, an hour even: it holds up that job alone.
std::string lane_of_stops(const Step& step) { return lane(step) + "/stop/" + step.name; }

// ---- Steps

// What the engine says of the container now, as the values that instance.look.done takes.
Outcome look(const Step& step, World& world) {
  const auto seen = TRY(runtime_of(step, world).inspect(step.input->text("container")));
  if (!seen.has_value() || seen->nonce != step.input->text("nonce")) {
    return Outcome::done(
        {{"state", "gone"}, {"address", ""}, {"ports", "[]"}, {"out_of_memory", std::int64_t{0}}});
  }
  const Container& found = *seen;
  Values values = {{"state", std::string(name_of(found.state))},
                   {"address", found.address},
                   {"ports", text_of(found.published)},
                   {"out_of_memory", std::int64_t{found.out_of_memory}}};
  if (found.state == ContainerState::exited && found.exit_code.has_value()) {
    values.emplace_back("exit_code", std::int64_t{*found.exit_code});
  }
  return Outcome::done(std::move(values));
}

Outcome create(const Step& step, World& world) {
  const Row& input = *step.input;
  ContainerSpec spec = TRY(spec_of(input));
  if (input.integer("delivers") == 1) {
    spec.secrets_folder = TRY(world.secret_folders().path(spec.name));
  }
  if (input.integer("has_secret_environment") == 1) {
    spec.launcher = TRY(world.secret_folders().launcher());
  }
  const auto created = runtime_of(step, world).create(spec);
  if (!created.ok() && created.error().cause == Cause::image_absent) {
    return {Outcome::Kind::done, "absent", created.error().message, {}};
  }
  if (!created.ok() && created.error().cause == Cause::exists) {
    return {Outcome::Kind::done, "taken", created.error().message, {}};
  }
  if (!created.ok()) return created.error();
  return Outcome::done({{"volumes", text_of(created.value())}});
}

Outcome start(const Step& step, World& world) {
  TRY(runtime_of(step, world).start(step.input->text("container")));
  return look(step, world);
}

Outcome resume(const Step& step, World& world) {
  return runtime_of(step, world).resume(step.input->text("container"));
}

Outcome stop(const Step& step, World& world) {
  const Row& input = *step.input;
  return runtime_of(step, world)
      .stop(input.text("container"), input.text("stop_signal"), input.integer("stop_timeout_ms"));
}

Outcome collect(const Step& step, World& world) {
  const auto log = TRY(runtime_of(step, world).log_tail(step.input->text("container"), kLogLines));
  Outcome outcome = look(step, world);
  outcome.values.emplace_back("log", log);
  return outcome;
}

Outcome remove(const Step& step, World& world) {
  return runtime_of(step, world).remove(step.input->text("container"));
}

}  // namespace

std::vector<Hand> instance_hands() {
  return {
      {.step = "look", .lane = lane_of_looks, .make = look},
      {.step = "create", .lane = lane, .make = create},
      {.step = "start", .lane = lane, .make = start},
      {.step = "resume", .lane = lane, .make = resume},
      {.step = "stop", .lane = lane_of_stops, .make = stop},
      {.step = "collect", .lane = lane_of_looks, .make = collect},
      {.step = "remove", .lane = lane, .make = remove},
  };
}

}  // namespace rowlock
