// The hands of schema/secrets/database_login.sql and schema/secrets/database.sql: roles in
// PostgreSQL databases, each for one instance. A password is made on the loop thread, where the
// keys are, and sealed into its row before the server hears of it.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

// A hand for each step in the life of a login. Requires: all of them outlive what is returned.
std::vector<Hand> database_login_hands(Secrets& secrets, Database& state, const Schema& schema);

// The look for logins that no row speaks of, and for the databases there are. Requires: `secrets`
// outlives what is returned.
std::vector<Hand> database_hands(Secrets& secrets);

// The address by which an instance reaches the database as itself: `url` with that user and
// password in place of the administrator's name.
std::string login_url(const std::string& url, const std::string& username,
                      std::string_view password);

}  // namespace rowlock
