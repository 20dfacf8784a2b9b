// A prober that says what its test says, later.
#pragma once

#include "controller/ports/prober.h"

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace rowlock {

class FakeProber final : public Prober {
 public:
  // What is there to be found, so long after it was asked; is_silent: nothing, ever.
  struct Found {
    ProbeResult result{false, "connection refused"};
    std::int64_t after_ms = 1;
    bool is_silent = false;
  };
  // Has that called, later, by whoever turns the loop.
  using Later = std::function<void(std::int64_t after_ms, std::function<void()>)>;

  explicit FakeProber(Later later) : later_(std::move(later)) {}

  // Asked when the probe is made. Nobody is there until it is set.
  std::function<Found(const Probe&)> find;

  void probe(const Probe& probe, std::function<void(const ProbeResult&)> done) override {
    const Found found = find ? find(probe) : Found{};
    const bool is_late = found.is_silent || found.after_ms > probe.timeout_ms;
    const ProbeResult result =
        is_late ? ProbeResult{false, fmt::format("no answer within {} ms", probe.timeout_ms)}
                : found.result;
    later_(is_late ? probe.timeout_ms : found.after_ms,
           [here = std::weak_ptr(here_), result, done = std::move(done)] {
             if (!here.expired()) done(result);
           });
  }

 private:
  Later later_;
  std::shared_ptr<bool> here_ = std::make_shared<bool>(true);
};

}  // namespace rowlock
