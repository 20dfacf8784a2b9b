// A job of slow apps behind a route, deployed, hurt and looked at.
#pragma once

#include "tests/bench/bare_engine.h"
#include "tests/bench/service.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace rowlock::bench {

// Of one instance, in milliseconds since the epoch, by the app's own word and Rowlock's rows.
struct FirstRequest {
  std::int64_t passed_at_ms;        // It first answered its check well.
  std::int64_t acknowledged_at_ms;  // Rowlock knew that the proxy gives it requests.
  std::int64_t served_at_ms;        // The first one came.
};

// The program, by the place of the binary under test.
std::string apps_folder();

// A port that nobody listens on.
int free_port();

class RoutedApp {
 public:
  explicit RoutedApp(const std::string& endpoint);

  Service& service() { return service_; }
  std::string url() const;
  std::string host() const { return "app.example.org"; }

  void begin_deploy();
  void await_converged();
  void deploy();  // Both.
  void kill_an_instance();
  void cause_reload();  // By an edit that needs one.

  // Of the instances that run now, those not told of before.
  std::vector<FirstRequest> first_requests();
  // From the end of a process, by the engine's word, until the proxy gives it no more requests, by
  // its own.
  double ms_until_a_dead_instance_is_out();
  // From a kill -9 of the proxy until a request is answered again.
  double ms_until_the_proxy_is_back();
  // One change of a slot, by the adapter itself.
  Samples ms_to_tell_the_proxy();

 private:
  BareEngine engine_;
  Service service_;
  int port_;
  int deploys_ = 0;
  std::string revision_ = "0";
  std::set<std::string> told_;
};

}  // namespace rowlock::bench
