// Requests go by libcurl on new connections, so that each one meets what the proxy is just then.
#include "tests/live/haproxy/haproxy_rig.h"

#include "controller/adapters/process/command.h"

#include <criterion/criterion.h>
#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <thread>

namespace rowlock {

namespace {

constexpr auto kPatience = std::chrono::seconds(10);
constexpr long kAskDeadlineMs = 20'000;

std::size_t take_body(char* bytes, std::size_t, std::size_t count, void* to) {
  static_cast<Heard*>(to)->body.append(bytes, count);
  return count;
}

std::size_t take_header(char* bytes, std::size_t, std::size_t count, void* to) {
  std::string line(bytes, count);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  const std::size_t colon = line.find(": ");
  if (colon != std::string::npos) {
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    static_cast<Heard*>(to)->headers[name] = line.substr(colon + 2);
  }
  return count;
}

void read_outcome(CURL* curl, Heard& heard) {
  long value = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &value);
  heard.status = static_cast<int>(value);
  curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &value);
  heard.http_version = value == CURL_HTTP_VERSION_2_0 ? 20 : 11;
  curl_certinfo* chain = nullptr;
  curl_easy_getinfo(curl, CURLINFO_CERTINFO, &chain);
  if (chain == nullptr || chain->num_of_certs == 0) return;
  for (const curl_slist* each = chain->certinfo[0]; each != nullptr; each = each->next) {
    const std::string line = each->data;
    const std::size_t at = line.find("CN = ");
    if (line.rfind("Subject:", 0) == 0 && at != std::string::npos) {
      heard.certificate = line.substr(at + 5);
    }
  }
}

}  // namespace

std::string Heard::line() const {
  const std::size_t begin = body.find('\n') + 1;
  return body.substr(begin, body.find('\r') - begin);
}

bool Heard::was_sent(const std::string& header) const {
  return body.find("\n" + header + "\r") != std::string::npos;
}

HaproxyRig::HaproxyRig() : proxy(folder / "proxy", "") {
  config.home = "abc";
  config.generation = 1;
  config.listen = "127.0.0.1:" + std::to_string(port);
}

HaproxyRig::~HaproxyRig() { (void)proxy.stop().ok(); }

ProxyRoute& HaproxyRig::add_route(const std::string& name, const std::string& host,
                                  const std::string& path,
                                  const std::vector<const WebServer*>& servers) {
  ProxyRoute route;
  route.name = name;
  route.host = host;
  route.path = path;
  route.response_timeout_ms = 15'000;
  for (const WebServer* server : servers) {
    route.slots.push_back(
        {static_cast<int>(route.slots.size()) + 1, true, "127.0.0.1", server->port(), 1});
  }
  for (int i = 0; i < 2; ++i) {
    route.slots.push_back({static_cast<int>(route.slots.size()) + 1, false, "", 0, 1});
  }
  config.routes.push_back(std::move(route));
  return config.routes.back();
}

void HaproxyRig::run() {
  const auto saved = proxy.save(config);
  must(saved);
  const auto started = proxy.start();
  must(started);
}

void HaproxyRig::reload() {
  ++config.generation;
  const auto saved = proxy.save(config);
  must(saved);
  const auto reloaded = proxy.reload();
  must(reloaded);
}

Heard HaproxyRig::ask(const Ask& asked) const {
  Heard heard;
  CURL* const curl = curl_easy_init();
  const std::string to = "::127.0.0.1:" + std::to_string(asked.tls ? tls_port : port);
  const std::string url = (asked.tls ? "https://" : "http://") + asked.host + "/";
  curl_slist* const connect_to = curl_slist_append(nullptr, to.c_str());
  curl_slist* headers = nullptr;
  for (const std::string& each : asked.headers) headers = curl_slist_append(headers, each.c_str());
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, asked.method.c_str());
  curl_easy_setopt(curl, CURLOPT_NOBODY, asked.method == "HEAD" ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_REQUEST_TARGET, asked.target.c_str());  // As it is.
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, kAskDeadlineMs);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
  curl_easy_setopt(curl, CURLOPT_HAPROXYPROTOCOL, asked.proxy_protocol ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
                   static_cast<long>(asked.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &heard);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &heard);
  if (curl_easy_perform(curl) == CURLE_OK) read_outcome(curl, heard);
  curl_slist_free_all(headers);
  curl_slist_free_all(connect_to);
  curl_easy_cleanup(curl);
  return heard;
}

Heard HaproxyRig::get(const std::string& host, const std::string& target) const {
  Ask asked;
  asked.host = host;
  asked.target = target;
  return ask(asked);
}

SlotReport HaproxyRig::set(const std::string& route, int slot, bool ready,
                           const WebServer& server) {
  const auto report = proxy.set_slot(route, {slot, ready, "127.0.0.1", server.port(), 1});
  must(report);
  return report.value();
}

void HaproxyRig::make_certificate(const std::string& path, const std::string& host) {
  const auto made = run_command(
      {program_path("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
       "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=" + host, "-addext",
       "subjectAltName=DNS:" + host + ",DNS:www." + host, "-keyout", path + ".key", "-out", path},
      30'000);
  must(made);
  cr_assert(made.value().exit_code == 0, "%s", made.value().output.c_str());
  write(path, contents(path) + contents(path + ".key"));
}

void must_be_good(bool ok, const std::string& message) { cr_assert(ok, "%s", message.c_str()); }

bool eventually(const std::function<bool()>& is_so) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace rowlock
