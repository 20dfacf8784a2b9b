// The engine's JSON on one side, the port's values on the other.
// https://docs.docker.com/reference/api/engine/
#pragma once

#include "controller/base/json.h"
#include "controller/ports/container_runtime.h"

#include <string>
#include <vector>

namespace rowlock {

// The label of all that Rowlock makes on an engine: whose it is.
constexpr char kHomeLabel[] = "rowlock.home";

// The body of POST /containers/create. `image` is the `Config` of GET /images/NAME/json: with a
// launcher, the image's own entrypoint and command become the launcher's arguments. `subnet` is
// that of the home's bridge, for what lives on it.
Json container_body(const ContainerSpec& spec, const Json& image, const std::string& subnet);

// The paths that an image declares as volumes, from the same `Config`.
std::vector<std::string> declared_volumes(const Json& image);

// Whether it lives on the bridge of its home.
bool lives_on_bridge(const ContainerSpec& spec);

// Whether neither the spec nor its image names a program.
bool has_nothing_to_run(const ContainerSpec& spec, const Json& image);

// One item of GET /containers/json.
Container listed_container(const Json& item);

// The body of GET /containers/NAME/json.
Container inspected_container(const Json& body);

// What of Rowlock's own is mounted into it, from the same body.
std::vector<std::string> sources_of_ours(const Json& body);

// The body of GET /info.
EngineFacts engine_facts(const Json& info);

// `uname -m` as images name it: x86_64 is amd64.
std::string image_arch(const std::string& machine);

// The address that was chosen for it on that network, from the same body; empty: none was.
std::string chosen_address(const Json& body, const std::string& network);

// The query parameter `filters` of GET /events, for what changes in the containers of that home.
std::string event_filters(const std::string& home);

}  // namespace rowlock
