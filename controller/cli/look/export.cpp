// `rowlock export`: the routes for another proxy. What is printed is decided in
// schema/routes/export.sql; here it is chosen and printed.
#include "controller/base/text.h"
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

constexpr const char* kHint = "say `rowlock export traefik` or `rowlock export cloudflared`";

struct Options {
  std::string target;  // traefik or cloudflared
  std::string format;  // yaml, json, or empty: what the target takes.
};

Result<> check(const Options& said) {
  const std::vector<std::string> targets = {"cloudflared", "traefik"};
  if (std::find(targets.begin(), targets.end(), said.target) == targets.end()) {
    const auto near = nearest(said.target, targets);
    return Error{Fault::rejected, Cause::other,
                 fmt::format("there is no export for '{}'", said.target),
                 near ? fmt::format("did you mean `rowlock export {}`?", *near) : kHint};
  }
  if (said.target == "traefik" && said.format == "yaml") {
    return Error{Fault::rejected, Cause::other,
                 "Traefik's HTTP provider is given JSON: leave out --format",
                 "JSON is YAML too: save it in a file that ends in .yml for the file provider"};
  }
  return Done{};
}

Result<int> export_routes(const Call& call, const Options& said) {
  Database& state = call.state();
  const auto obstacle =
      TRY(state.query(call.script("cli.export_obstacle"), {{"target", said.target}}));
  if (!obstacle.empty()) {
    const Row& row = obstacle.front();
    return Error{Fault::rejected, Cause::other, row.text("message"), row.text("hint")};
  }
  const bool is_yaml = said.format != "json" && !call.terminal.is_json();
  auto document = said.target == "traefik" ? state.scalar(call.script("cli.export_traefik"))
                                           : state.scalar(call.script("cli.export_cloudflared"),
                                                          {{"format", is_yaml ? "yaml" : "json"}});
  auto controller = sight_of_controller(call, state);
  if (!document.ok() || !controller.ok()) {
    return !document.ok() ? document.error() : controller.error();
  }
  call.terminal.print(text_of(document.value()) + "\n");
  if (controller.value().is_old()) {
    call.terminal.note(controller.value().warning(system_now_ms()));
  }
  return kExitOk;
}

}  // namespace

void add_export(Verbs& verbs) {
  const auto [verb, said] =
      verbs.add("export", "The routes for another proxy: traefik or cloudflared", "", Needs::state,
                export_routes);
  verb.option("TARGET", said.target, "traefik or cloudflared").required();
  verb.option("--format", said.format, "of cloudflared: yaml (default) or json")
      .one_of({"yaml", "json"});
  verb.check([&words = said] { return check(words); });
  verb.footer(
      "traefik: the JSON of its HTTP provider, with the instances that are ready. Traefik reads\n"
      "  it every 5 s and takes it up to 2 s later, and Rowlock cannot see its requests: set\n"
      "  proxy.release_delay_ms to 8000, so that an instance is kept until Traefik knows that\n"
      "  it leaves.\n"
      "cloudflared: the rules of a tunnel that leads to Rowlock's own proxy; --format json is the\n"
      "  body for the API.\n"
      "Examples:\n"
      "  rowlock export traefik > routes.new && mv routes.new routes.json\n"
      "  (cat tunnel.yml; rowlock export cloudflared) > config.yml");
}

}  // namespace rowlock
