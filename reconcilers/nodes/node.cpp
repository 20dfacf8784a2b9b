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
                                 {"image", Json::string(container.image)},
                                 {"state", Json::string(name_of(container.state))},
                                 {"address", Json::string(container.address)},
                                 {"ports", Json::string(text_of(container.published))}}));
  }
  return Json::array(std::move(rows)).text();
}

}  // namespace

std::string Nodes::lane(const Step& step) const { return step.target + "/observe"; }

Outcome Nodes::apply(const Step& step, World& world) const {
  CHECK(step.step == "observe");
  ContainerRuntime& runtime =
      world.runtime(step.input->text("driver"), step.input->text("endpoint"));
  Outcome outcome = Outcome::done();
  if (step.input->integer("is_known") == 0) {
    const auto facts = runtime.facts();
    if (!facts.ok()) {
      return Outcome::of(facts.error());
    }
    outcome.values = {{"version", facts.value().version},
                      {"arch", facts.value().arch},
                      {"cpus", facts.value().cpus},
                      {"memory_mb", facts.value().memory_mb}};
  }
  const auto containers = runtime.list();
  if (!containers.ok()) {
    return Outcome::of(containers.error());
  }
  outcome.values.emplace_back("rows", rows_of(containers.value()));
  return outcome;
}

std::string Strays::lane(const Step& step) const { return step.input->text("node"); }

Outcome Strays::apply(const Step& step, World& world) const {
  CHECK(step.step == "remove");
  ContainerRuntime& runtime =
      world.runtime(step.input->text("driver"), step.input->text("endpoint"));
  const auto removed = runtime.remove(step.input->text("container"));
  return removed.ok() ? Outcome::done() : Outcome::of(removed.error());
}

}  // namespace rowlock
