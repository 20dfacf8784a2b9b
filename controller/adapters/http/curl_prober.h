// Health probes over the network, many at once on the loop thread: libcurl does the talking and
// says which sockets and which moment it waits for, the loop does the waiting.
#pragma once

#include "controller/loop/loop.h"
#include "controller/ports/prober.h"

#include <cstddef>
#include <functional>
#include <memory>

namespace rowlock {

class CurlProber final : public Prober {
 public:
  static constexpr std::size_t kProbesMax =
      512;  // In flight; more wait, the nearest deadline first.

  // Asks at most so many at once. Requires: the loop outlives the prober. Loop thread only.
  explicit CurlProber(Loop& loop, std::size_t probes_max = kProbesMax);
  ~CurlProber() override;
  CurlProber(const CurlProber&) = delete;
  CurlProber& operator=(const CurlProber&) = delete;

  // `done` may probe again, or destroy the prober. The queue takes all that it is given: whoever
  // probes must bound it.
  void probe(const Probe& probe, std::function<void(const ProbeResult&)> done) override;

 private:
  class Transfers;
  std::unique_ptr<Transfers> transfers_;
};

}  // namespace rowlock
