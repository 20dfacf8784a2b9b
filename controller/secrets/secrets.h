// The secret engine: its parts, in the order in which they need each other. All of it belongs to
// the loop thread, works on state.db, and writes only within a transaction of the caller's.
#pragma once

#include "controller/secrets/audit.h"
#include "controller/secrets/identity.h"
#include "controller/secrets/keyring.h"
#include "controller/secrets/login.h"
#include "controller/secrets/policies.h"
#include "controller/secrets/rights.h"
#include "controller/secrets/seal_keeper.h"
#include "controller/secrets/secret_store.h"
#include "controller/secrets/tokens.h"

namespace rowlock {

class Secrets {
 public:
  // Requires: both outlive this.
  Secrets(Database& state, const Schema& schema)
      : keyring(state, schema),
        audit(state, schema, keyring),
        rights(state, schema, keyring, audit),
        store(state, schema, keyring, audit),
        seal(state, schema, keyring, audit, rights, store),
        policies(state, schema, rights),
        tokens(state, schema, keyring, rights),
        identities(state, schema, keyring),
        logins(state, schema, keyring, audit, rights, identities, tokens) {}

  Keyring keyring;
  AuditLog audit;
  Rights rights;
  SecretStore store;
  SealKeeper seal;
  Policies policies;
  Tokens tokens;
  Identities identities;
  Logins logins;
};

}  // namespace rowlock
