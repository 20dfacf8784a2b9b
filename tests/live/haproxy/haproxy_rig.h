// A real HAProxy of the test's own, in a folder that goes away, and a client that asks it.
#pragma once

#include "controller/adapters/haproxy/haproxy.h"
#include "tests/live/haproxy/web_server.h"
#include "tests/store/files.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace rowlock {

struct Ask {
  std::string host = "example.org";
  std::string target = "/";
  std::string method = "GET";
  std::vector<std::string> headers;  // "Name: value"
  bool tls = false;
  bool http2 = false;
  bool proxy_protocol = false;
};

struct Heard {
  int status = 0;  // 0: no answer.
  std::string body;
  std::map<std::string, std::string> headers;  // Names in lower case.
  std::string certificate;                     // The common name of the server's, with TLS.
  int http_version = 0;                        // 11 or 20.

  std::string who() const { return body.substr(0, body.find('\n')); }  // Which server answered.
  std::string line() const;                                            // What it was asked.
  bool was_sent(const std::string& header) const;  // "name: value", as the server saw it.
};

class HaproxyRig {
 public:
  HaproxyRig();
  ~HaproxyRig();  // Ends the proxy.

  // A route with the servers in its first slots, ready, and two free ones.
  ProxyRoute& add_route(const std::string& name, const std::string& host, const std::string& path,
                        const std::vector<const WebServer*>& servers);

  void run();     // Saves the configuration and starts.
  void reload();  // Saves it as the next generation and reloads.

  Heard ask(const Ask& asked) const;
  Heard get(const std::string& host, const std::string& target) const;

  SlotReport set(const std::string& route, int slot, bool ready, const WebServer& server);

  // A self-signed certificate with its key, as one file.
  static void make_certificate(const std::string& path, const std::string& host);

  TempFolder folder;
  ProxyConfig config;
  int port = free_port();
  int tls_port = free_port();
  HaproxyProxy proxy;
};

// True once it is so; false when it is not after ten seconds.
bool eventually(const std::function<bool()>& is_so);

// Fails the test with what went wrong.
void must_be_good(bool ok, const std::string& message);

template <typename T>
void must(const Result<T>& result) {
  must_be_good(result.ok(), result.ok() ? "" : result.error().message);
}

}  // namespace rowlock
