// How a step's row says where its store is, and the parcel how to get in.
#pragma once

#include "controller/ports/object_store.h"
#include "controller/ports/world.h"
#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

// Adds what the store of the row asks for to the parcel: access_key_id and secret_access_key.
Result<> pack_store(Secrets& secrets, const Row& input, std::int64_t now_ms, Parcel& parcel);

// Adds one text of the secret store under that name; nothing for an empty path.
Result<> pack_secret(Secrets& secrets, const std::string& path, const std::string& key,
                     const std::string& name, std::int64_t now_ms, Parcel& parcel);

// What the parcel has under that name; null: nothing. It lives as long as the parcel.
std::shared_ptr<const SecretBytes> packed(const std::shared_ptr<const Parcel>& parcel,
                                          std::string_view name);

// The store of the columns store_url, endpoint, region, style and bytes_per_s.
std::shared_ptr<ObjectStore> store_of(const Step& step, World& world);

// The identities that open backups: those packed as `identity`, else those of the column
// identity_file.
Result<SecretBytes> identities_of(const Step& step);

}  // namespace rowlock
