// Any JSON an engine may answer with reads as a container, an image and an engine, whatever is
// missing or of another type in it.
#include "controller/adapters/docker/docker_json.h"
#include "controller/base/check.h"
#include "controller/base/utf8.h"
#include "tests/fuzz/targets.h"

namespace rowlock {

void fuzz_docker_answer(std::string_view bytes) {
  const auto body = Json::parse(bytes);
  if (!body.ok()) return;
  const Json& json = body.value();
  for (const Container& container : {listed_container(json), inspected_container(json)}) {
    CHECK(utf8_first_fault(container.name) == std::string_view::npos);
  }
  for (const Json& item : json.items()) (void)listed_container(item);
  CHECK(sources_of_ours(json) == sources_of_ours(json));
  for (const std::string& path : declared_volumes(json)) {
    CHECK(utf8_first_fault(path) == std::string_view::npos);
  }
  (void)engine_facts(json);
  CHECK(!image_arch(json["Architecture"].as_string("x")).empty());
  (void)chosen_address(json, "rowlock");
  ContainerSpec spec;
  spec.name = "web-1";
  spec.image = "web:1";
  (void)has_nothing_to_run(spec, json);
  CHECK(Json::parse(container_body(spec, json, "").text()).ok());
}

}  // namespace rowlock
