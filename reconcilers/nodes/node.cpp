// A look brings home the whole list of containers as one JSON text; the script node.observe.done
// works out what of it is new.
#include "reconcilers/nodes/node.h"

#include "controller/base/json.h"
#include "controller/ports/container_runtime.h"

namespace rowlock {

namespace {

// As node.observe.done reads them from :rows.
std::string rows_of(const std::vector<Container>& containers) {
  std::vector<Json> rows;
  rows.reserve(containers.size());
  for (const Container& container : containers) {
    rows.push_back(Json::object({{"name", Json::string(container.name)},
                                 {"home", Json::string(container.home)},
                                 {"job", Json::string(container.job)},
                                 {"instance", Json::string(container.instance)},
                                 {"nonce", Json::string(container.nonce)},
                                 {"image", Json::string(container.image)},
                                 {"state", Json::string(name_of(container.state))},
                                 {"address", Json::string(container.address)},
                                 {"ports", Json::string(text_of(container.published))}}));
  }
  return Json::array(std::move(rows)).text();
}

ContainerRuntime& runtime_of(const Step& step, World& world) {
  return world.runtime(step.input->text("driver"), step.input->text("endpoint"));
}

std::string lane_of_looks(const Step& step) { return step.target + "/observe"; }
std::string lane_of_changes(const Step& step) { return step.input->text("node"); }

Outcome observe(const Step& step, World& world) {
  ContainerRuntime& runtime = runtime_of(step, world);
  const auto claim = TRY(runtime.claim_on(step.input->text("home"))).value_or(Claim());
  Values values;
  if (step.input->integer("is_known") == 0) {
    const auto facts = TRY(runtime.facts());
    values = {{"version", facts.version},
              {"arch", facts.arch},
              {"cpus", facts.cpus},
              {"memory_mb", facts.memory_mb}};
  }
  const auto containers = TRY(runtime.list());
  values.emplace_back("rows", rows_of(containers));
  values.insert(values.end(), {{"claim_epoch", claim.epoch},
                               {"claim_holder", claim.holder},
                               {"claim_place", claim.place},
                               {"claim_says", claim.says}});
  return Outcome::done(std::move(values));
}

Outcome claim(const Step& step, World& world) {
  const Row& input = *step.input;
  const auto stands =
      TRY(runtime_of(step, world)
              .claim({input.text("home"), input.integer("epoch"), input.text("holder"),
                      input.text("place"), input.text("says")}));
  return Outcome::done({{"epoch", stands.epoch},
                        {"holder", stands.holder},
                        {"place", stands.place},
                        {"says", stands.says}});
}

// Another container may have got its name since it was seen.
Outcome remove(const Step& step, World& world) {
  const std::string name = step.input->text("container");
  const auto seen = TRY(runtime_of(step, world).inspect(name));
  if (!seen.has_value() || seen->nonce != step.input->text("nonce")) return Outcome::done();
  return runtime_of(step, world).remove(name);
}

}  // namespace

std::vector<Hand> node_hands() {
  return {{.step = "observe", .lane = lane_of_looks, .make = observe},
          {.step = "claim", .lane = lane_of_looks, .make = claim}};
}

std::vector<Hand> stray_hands() {
  return {{.step = "remove", .lane = lane_of_changes, .make = remove}};
}

}  // namespace rowlock
