// Most of this file reads the spec out of the row, since a container is made of it alone. The steps
// are at the end, one call on the engine each.
#include "reconcilers/work/instance.h"

#include "controller/base/json.h"
#include "controller/ports/container_runtime.h"

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
ContainerSpec spec_of(const Row& input) {
  const auto parsed = Json::parse(input.text("spec"));
  CHECK(parsed.ok());
  const Json& body = parsed.value();
  ContainerSpec spec;
  spec.name = input.text("container");
  spec.home = input.text("home");
  spec.job = input.text("job");
  spec.instance = input.text("instance");
  spec.arch = input.text("arch");
  spec.image = body["image"].as_string();
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
  spec.memory_mb = body["memory_mb"].as_integer();
  spec.pids_max = body["pids_max"].as_integer();
  spec.capabilities = strings(body["capabilities"]);
  spec.new_privileges = body["new_privileges"].as_integer() != 0;
  spec.read_only_root = body["read_only_root"].as_integer() != 0;
  spec.stop_signal = input.text("stop_signal");
  spec.stop_timeout_ms = input.integer("stop_timeout_ms");
  return spec;
}

Outcome outcome_of(const Result<>& result) {
  return result.ok() ? Outcome::done() : Outcome::of(result.error());
}

// What the engine says of the container now, as the values that instance.look.done takes.
Outcome look(ContainerRuntime& runtime, const std::string& container) {
  const auto seen = runtime.inspect(container);
  if (!seen.ok()) {
    return Outcome::of(seen.error());
  }
  if (!seen.value().has_value()) {
    return Outcome::done(
        {{"state", "gone"}, {"address", ""}, {"ports", "[]"}, {"out_of_memory", std::int64_t{0}}});
  }
  const Container& found = *seen.value();
  Values values = {{"state", std::string(name_of(found.state))},
                   {"address", found.address},
                   {"ports", text_of(found.published)},
                   {"out_of_memory", std::int64_t{found.out_of_memory}}};
  if (found.state == ContainerState::exited && found.exit_code.has_value()) {
    values.emplace_back("exit_code", std::int64_t{*found.exit_code});
  }
  return Outcome::done(std::move(values));
}

Outcome create(ContainerRuntime& runtime, const Row& input, World& world) {
  ContainerSpec spec = spec_of(input);
  if (input.integer("delivers") == 1) {
    const auto folder = world.secret_folders().path(spec.name);
    if (!folder.ok()) {
      return Outcome::of(folder.error());
    }
    spec.secrets_folder = folder.value();
  }
  if (input.integer("has_secret_environment") == 1) {
    const auto launcher = world.secret_folders().launcher();
    if (!launcher.ok()) {
      return Outcome::of(launcher.error());
    }
    spec.launcher = launcher.value();
  }
  const auto created = runtime.create(spec);
  if (!created.ok() && created.error().cause == Cause::image_absent) {
    return {Outcome::Kind::done, "absent", created.error().message, {}};
  }
  return outcome_of(created);
}

Outcome start(ContainerRuntime& runtime, const std::string& container) {
  const auto started = runtime.start(container);
  return started.ok() ? look(runtime, container) : Outcome::of(started.error());
}

Outcome collect(ContainerRuntime& runtime, const std::string& container) {
  const auto log = runtime.log_tail(container, kLogLines);
  if (!log.ok()) {
    return Outcome::of(log.error());
  }
  Outcome outcome = look(runtime, container);
  outcome.values.emplace_back("log", log.value());
  return outcome;
}

Outcome pull(ContainerRuntime& runtime, const std::string& image) {
  const auto pulled = runtime.pull(image);
  return pulled.ok() ? Outcome::done({{"image", image}}) : Outcome::of(pulled.error());
}

}  // namespace

std::string Instances::lane(const Step& step) const {
  const std::string node = step.input->text("node");
  const bool only_looks = step.step == "look" || step.step == "collect";
  if (only_looks) return node + "/look";
  if (step.step == "pull") return node + "/pull";
  // A stop may take as long as its job allows, an hour even: it holds up that job alone.
  if (step.step == "stop") return node + "/stop/" + step.name;
  return node;
}

Outcome Instances::apply(const Step& step, World& world) const {
  const Row& input = *step.input;
  const std::string container = input.text("container");
  ContainerRuntime& runtime = world.runtime(input.text("driver"), input.text("endpoint"));
  if (step.step == "look") return look(runtime, container);
  if (step.step == "pull") return pull(runtime, input.text("image"));
  if (step.step == "create") return create(runtime, input, world);
  if (step.step == "start") return start(runtime, container);
  if (step.step == "resume") return outcome_of(runtime.resume(container));
  if (step.step == "stop") {
    return outcome_of(
        runtime.stop(container, input.text("stop_signal"), input.integer("stop_timeout_ms")));
  }
  if (step.step == "collect") return collect(runtime, container);
  if (step.step == "remove") return outcome_of(runtime.remove(container));
  UNREACHABLE();
}

}  // namespace rowlock
