// The port through which instances are asked whether they are well.
//
// Protocol. On the loop thread alone, both the call and its answer; never before probe() has
// returned, and once for every probe. A prober that is destroyed takes its unanswered probes along.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace rowlock {

struct Probe {
  enum class Type { http, tcp };
  Type type = Type::tcp;
  std::string address;
  int port = 0;
  std::string path;  // http; begins with a slash.
  std::int64_t timeout_ms = 0;
};

struct ProbeResult {
  bool passed = false;
  std::string detail;  // "HTTP 503", "connection refused": one short phrase.
  // False: it was our own machine that kept the one who was asked from being heard, such as by
  // having no descriptor to ask with, or by not letting us run. Neither a pass nor a failure.
  bool is_answer = true;
};

// Probes are many and tiny, so they run on the loop thread without blocking it.
class Prober {
 public:
  virtual ~Prober() = default;

  // Calls `done` once, later, on the loop thread, at most timeout_ms after, not counting the time
  // in which the loop did not come to look. An HTTP probe passes with a status of 200 to 299,
  // following no redirect. A prober that is destroyed calls nothing any more.
  virtual void probe(const Probe& probe, std::function<void(const ProbeResult&)> done) = 0;
};

}  // namespace rowlock
