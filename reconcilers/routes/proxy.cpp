// The configuration comes as JSON that a view made; most of this file turns it into the port's
// types and the proxy's report into JSON again.
#include "reconcilers/routes/proxy.h"

#include "controller/base/json.h"
#include "controller/ports/proxy.h"

namespace rowlock {

namespace {

std::vector<std::pair<std::string, std::string>> headers_of(const Json& pairs) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const Json& pair : pairs.items()) {
    const std::vector<Json> both = pair.items();
    headers.emplace_back(both.at(0).as_string(), both.at(1).as_string());
  }
  return headers;
}

// All slots there are; `taken` is an array of [number, address, port, weight].
std::vector<ProxySlot> slots_of(const Json& taken, std::int64_t count) {
  std::vector<ProxySlot> slots(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    slots[i].number = static_cast<int>(i) + 1;
  }
  for (const Json& item : taken.items()) {
    const std::vector<Json> cells = item.items();
    const std::int64_t number = cells.at(0).as_integer();
    if (number > count) {
      continue;  // The generation that has room for it is yet to come.
    }
    ProxySlot& slot = slots.at(static_cast<std::size_t>(number - 1));
    slot.ready = true;
    slot.address = cells.at(1).as_string();
    slot.port = static_cast<int>(cells.at(2).as_integer());
    slot.weight = static_cast<int>(cells.at(3).as_integer());
  }
  return slots;
}

// As the views route_structure and proxy_input wrote it.
ProxyRoute route_of(const Json& json) {
  const Json structure = json["structure"];
  ProxyRoute route;
  route.name = json["name"].as_string();
  route.mode = json["mode"].as_string();
  route.slots = slots_of(json["slots"], json["slot_count"].as_integer());
  route.host = structure["host"].as_string();
  route.path = structure["path"].as_string();
  route.strip_prefix = structure["strip_prefix"].as_integer() != 0;
  route.raw_path = structure["raw_path"].as_integer() != 0;
  route.redirect_scheme = structure["redirect_scheme"].as_string();
  route.redirect_host = structure["redirect_host"].as_string();
  route.redirect_status = static_cast<int>(structure["redirect_status"].as_integer());
  route.headers = headers_of(structure["headers"]);
  route.rate_limit = structure["rate_limit"].as_integer();
  route.rate_window_ms = structure["rate_window_ms"].as_integer();
  route.sticky_cookie = structure["sticky_cookie"].as_string();
  route.maintenance_page = structure["maintenance_page"].as_string();
  route.response_timeout_ms = structure["response_timeout_ms"].as_integer();
  route.hold_max_ms = structure["hold_max_ms"].as_integer();
  route.retries = structure["retries"].as_integer(route.retries);
  return route;
}

Result<ProxyConfig> config_of(const std::string& text) {
  const Json json = TRY(Json::parse(text));
  const Json settings = json["settings"];
  ProxyConfig config;
  config.home = json["home"].as_string();
  config.generation = json["generation"].as_integer();
  config.listen = settings["listen"].as_string();
  config.listen_tls = settings["listen_tls"].as_string();
  config.accept_proxy = settings["accept_proxy"].as_integer() != 0;
  config.client_header = settings["client_header"].as_string();
  config.head_kb = settings["head_kb"].as_integer(config.head_kb);
  config.headers_max = settings["headers_max"].as_integer(config.headers_max);
  for (const Json& path : settings["certificates"].items()) {
    config.certificates.push_back(path.as_string());
  }
  for (const Json& route : json["routes"].items()) {
    config.routes.push_back(route_of(route));
  }
  return config;
}

Json row_of(const SlotReport& slot) {
  return Json::array({Json::string(slot.route), Json::integer(slot.number),
                      Json::integer(slot.ready ? 1 : 0), Json::string(slot.address),
                      Json::integer(slot.port), Json::integer(slot.weight),
                      Json::integer(slot.sessions), Json::integer(slot.lingers ? 1 : 0)});
}

Json row_of(const CertificateReport& certificate) {
  return Json::object({{"file", Json::string(certificate.file)},
                       {"stale", Json::integer(certificate.stale ? 1 : 0)},
                       {"not_after_ms", Json::integer(certificate.not_after_ms)},
                       {"names", Json::string(certificate.names)},
                       {"error", Json::string(certificate.error)}});
}

Proxy& proxy_of(const Step& step, World& world) { return world.proxy(step.input->text("socket")); }

std::string lane(const Step&) { return "proxy"; }
std::string lane_of_certificates(const Step&) { return "proxy/certificates"; }

Outcome observe(const Step& step, World& world) {
  const auto report = TRY(proxy_of(step, world).observe());
  std::vector<Json> slots;
  for (const SlotReport& slot : report.slots) {
    slots.push_back(row_of(slot));
  }
  std::vector<Json> modes;
  for (const auto& [route, mode] : report.modes) {
    modes.push_back(Json::array({Json::string(route), Json::string(mode)}));
  }
  std::vector<Json> certificates;
  for (const CertificateReport& certificate : report.certificates) {
    certificates.push_back(row_of(certificate));
  }
  return Outcome::done({{"slots", Json::array(std::move(slots)).text()},
                        {"modes", Json::array(std::move(modes)).text()},
                        {"certificates", Json::array(std::move(certificates)).text()},
                        {"files_moved", std::int64_t{report.files_moved}},
                        {"unread", report.unread},
                        {"version", report.version},
                        {"process", report.process},
                        {"generation", report.generation}});
}

Outcome save(const Step& step, World& world) {
  return proxy_of(step, world).save(TRY(config_of(step.input->text("config"))));
}

Outcome start(const Step& step, World& world) { return proxy_of(step, world).start(); }

Outcome reload(const Step& step, World& world) {
  TRY(proxy_of(step, world).reload());
  return Outcome::done({{"generation", step.input->integer("generation")}});
}

Outcome stop(const Step& step, World& world) { return proxy_of(step, world).stop(); }

Outcome load(const Step& step, World& world) {
  return proxy_of(step, world).load_certificate(step.input->text("file"));
}

}  // namespace

std::vector<Hand> proxy_hands() {
  return {
      {.step = "observe", .lane = lane, .make = observe},
      {.step = "save", .lane = lane, .make = save},
      {.step = "start", .lane = lane, .make = start},
      {.step = "reload", .lane = lane, .make = reload},
      {.step = "stop", .lane = lane, .make = stop},
  };
}

std::vector<Hand> certificate_hands() {
  return {{.step = "load", .lane = lane_of_certificates, .make = load}};
}

}  // namespace rowlock
