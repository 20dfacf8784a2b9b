// The hands of schema/secrets/database_login.sql and schema/secrets/database.sql: roles in
// PostgreSQL databases, each for one instance. A password is made on the loop thread, where the
// keys are, and sealed into its row before the server hears of it.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

class DatabaseLogins final : public Reconciler {
 public:
  // Requires: all of them outlive this.
  DatabaseLogins(Secrets& secrets, Database& state, const Schema& schema)
      : secrets_(secrets), state_(state), schema_(schema) {}

  std::string_view kind() const override { return "database_login"; }
  std::string lane(const Step& step) const override;
  Result<std::shared_ptr<const Parcel>> pack(const Step& step, std::int64_t now_ms) const override;
  Outcome apply(const Step& step, World& world) const override;

 private:
  Result<SecretBytes> password_of(const Row& input) const;
  Result<> keep(const Step& step, const SecretBytes& password, std::int64_t now_ms) const;

  Secrets& secrets_;
  Database& state_;
  const Schema& schema_;
};

// Looks for logins that no row speaks of, and for the databases there are.
class Databases final : public Reconciler {
 public:
  // Requires: it outlives this.
  explicit Databases(Secrets& secrets) : secrets_(secrets) {}

  std::string_view kind() const override { return "database"; }
  std::string lane(const Step& step) const override;
  Result<std::shared_ptr<const Parcel>> pack(const Step& step, std::int64_t now_ms) const override;
  Outcome apply(const Step& step, World& world) const override;

 private:
  Secrets& secrets_;
};

// The address by which an instance reaches the database as itself: `url` with that user and
// password in place of the administrator's name.
std::string login_url(const std::string& url, const std::string& username,
                      std::string_view password);

}  // namespace rowlock
