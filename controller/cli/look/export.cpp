// `rowlock export`: the routes for another proxy. What is printed is decided in
// schema/routes/export.sql; here it is chosen and printed.
#include "controller/base/text.h"
#include "controller/base/time.h"
#include "controller/cli/opened.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

constexpr const char* kHint = "say `rowlock export traefik` or `rowlock export cloudflared`";

// What was asked for wrongly, if it was.
std::optional<Error> misuse_of(const ExportOptions& options) {
  const std::vector<std::string> targets = {"cloudflared", "traefik"};
  if (std::find(targets.begin(), targets.end(), options.target) == targets.end()) {
    const auto near = nearest(options.target, targets);
    return Error{Fault::rejected, Cause::other,
                 fmt::format("there is no export for '{}'", options.target),
                 near ? fmt::format("did you mean `rowlock export {}`?", *near) : kHint};
  }
  if (options.target == "traefik" && options.format == "yaml") {
    return Error{Fault::rejected, Cause::other,
                 "Traefik's HTTP provider is given JSON: leave out --format",
                 "JSON is YAML too: save it in a file that ends in .yml for the file provider"};
  }
  return std::nullopt;
}

}  // namespace

Result<int> export_routes(const Call& call, const ExportOptions& options) {
  if (const auto misuse = misuse_of(options)) {
    return call.terminal.fail(*misuse, kExitUsage);
  }
  Database state = TRY(opened_state(call));
  const auto obstacle =
      TRY(state.query("SELECT message, hint FROM export_obstacle WHERE target = :target",
                      {{"target", options.target}}));
  if (!obstacle.empty()) {
    const Row& row = obstacle.front();
    return Error{Fault::rejected, Cause::other, row.text("message"), row.text("hint")};
  }
  const bool is_yaml = options.format != "json" && !call.terminal.is_json();
  auto document =
      options.target == "traefik"
          ? state.scalar("SELECT document FROM traefik_export")
          : state.scalar("SELECT document FROM cloudflared_export WHERE format = :format",
                         {{"format", is_yaml ? "yaml" : "json"}});
  auto controller = sight_of_controller(call.home, state);
  if (!document.ok() || !controller.ok()) {
    return !document.ok() ? document.error() : controller.error();
  }
  call.terminal.print(text_of(document.value()) + "\n");
  if (controller.value().is_old()) {
    call.terminal.note(controller.value().warning(system_now_ms()));
  }
  return kExitOk;
}

}  // namespace rowlock
