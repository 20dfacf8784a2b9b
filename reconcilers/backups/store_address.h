// How a step's row says where its store is, and what of the secret store opens it.
#pragma once

#include "controller/ports/object_store.h"
#include "controller/ports/world.h"
#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

#include <cstdint>
#include <memory>

namespace rowlock {

// What a step takes along to get into its store. Null: the store asks for nothing.
struct StoreKeys {
  std::shared_ptr<const SecretBytes> access_key_id;
  std::shared_ptr<const SecretBytes> secret_access_key;
};

// Those of the column store_secret. Requires: a transaction is open, since what is read is logged.
Result<StoreKeys> store_keys(Secrets& secrets, const Row& input, std::int64_t now_ms);

// The store of the columns store_url, endpoint, region, style and bytes_per_s.
std::shared_ptr<ObjectStore> store_of(const Row& input, const StoreKeys& keys, World& world);

// The identities that open backups: those that the step has, else those of the column
// identity_file.
Result<SecretBytes> identities_of(const Row& input,
                                  const std::shared_ptr<const SecretBytes>& packed);

}  // namespace rowlock
