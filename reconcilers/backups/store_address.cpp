// Two halves that run on two threads: pack_…() on the loop thread, where the secret store is, and
// the others on a worker, which has the packed values and nothing else.
#include "reconcilers/backups/store_address.h"

#include "controller/secrets/private_file.h"
#include "controller/secrets/secret_value.h"

namespace rowlock {

Result<StoreKeys> store_keys(Secrets& secrets, const Row& input, std::int64_t now_ms) {
  const std::string path = input.text("store_secret");
  StoreKeys keys;
  keys.access_key_id = TRY(secret_value(secrets, path, "access_key_id", now_ms));
  keys.secret_access_key = TRY(secret_value(secrets, path, "secret_access_key", now_ms));
  return keys;
}

std::shared_ptr<ObjectStore> store_of(const Row& input, const StoreKeys& keys, World& world) {
  StoreAddress address;
  address.url = input.text("store_url");
  address.endpoint = input.text("endpoint");
  address.region = input.text("region");
  address.is_path_style = input.text("style") == "path";
  address.ca_file = input.text("ca_file");
  address.bytes_per_s = input.integer("bytes_per_s");
  if (keys.access_key_id != nullptr) {
    address.access_key_id = keys.access_key_id->view();
    address.secret_access_key = keys.secret_access_key;
  }
  return world.object_store(address);
}

Result<SecretBytes> identities_of(const Row& input,
                                  const std::shared_ptr<const SecretBytes>& packed) {
  if (packed != nullptr) {
    return packed->copy();
  }
  auto file = read_identity_file(input.text("identity_file"));
  if (!file.ok()) {
    Error error = file.error();
    error.message = "the store's identity: " + error.message;
    if (error.hint.empty()) error.hint = "correct object_store.identity_file";
    return error;
  }
  return file;
}

}  // namespace rowlock
