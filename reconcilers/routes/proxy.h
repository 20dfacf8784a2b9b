// The proxy as a whole: the hands that write its configuration, start and reload it, and the eyes
// that read back what it does. When, is decided in schema/routes/proxy.sql.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

class Proxies final : public Reconciler {
 public:
  std::string_view kind() const override { return "proxy"; }
  std::string lane(const Step& step) const override;
  Outcome apply(const Step& step, World& world) const override;
};

// Certificates that the proxy takes anew from their files.
class Certificates final : public Reconciler {
 public:
  std::string_view kind() const override { return "certificate"; }
  std::string lane(const Step& step) const override;
  Outcome apply(const Step& step, World& world) const override;
};

}  // namespace rowlock
