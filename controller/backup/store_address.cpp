// Two halves that run on two threads: pack_…() on the loop thread, where the secret store is, and
// the others on a worker, which has the packed values and nothing else.
#include "controller/backup/store_address.h"

#include "controller/secrets/private_file.h"
#include "controller/secrets/secret_value.h"

namespace rowlock {

Result<> pack_secret(Secrets& secrets, const std::string& path, const std::string& key,
                     const std::string& name, std::int64_t now_ms, Parcel& parcel) {
  if (path.empty()) {
    return Done{};
  }
  auto value = TRY(secret_value(secrets, path, key, now_ms));
  SecretFile file;
  file.name = name;
  file.content = std::move(value);
  parcel.files.push_back(std::move(file));
  return Done{};
}

Result<> pack_store(Secrets& secrets, const Row& input, std::int64_t now_ms, Parcel& parcel) {
  for (const char* key : {"access_key_id", "secret_access_key"}) {
    auto packed = pack_secret(secrets, input.text("store_secret"), key, key, now_ms, parcel);
    if (!packed.ok()) {
      return packed;
    }
  }
  return Done{};
}

std::shared_ptr<const SecretBytes> packed(const std::shared_ptr<const Parcel>& parcel,
                                          std::string_view name) {
  if (parcel != nullptr) {
    for (const SecretFile& file : parcel->files) {
      if (file.name == name) return {parcel, &file.content};
    }
  }
  return nullptr;
}

std::shared_ptr<ObjectStore> store_of(const Step& step, World& world) {
  const Row& input = *step.input;
  StoreAddress address;
  address.url = input.text("store_url");
  address.endpoint = input.text("endpoint");
  address.region = input.text("region");
  address.is_path_style = input.text("style") == "path";
  address.bytes_per_s = input.integer("bytes_per_s");
  if (const auto id = packed(step.parcel, "access_key_id"); id != nullptr) {
    address.access_key_id = id->view();
    address.secret_access_key = packed(step.parcel, "secret_access_key");
  }
  return world.object_store(address);
}

Result<SecretBytes> identities_of(const Step& step) {
  if (const auto identity = packed(step.parcel, "identity"); identity != nullptr) {
    return identity->copy();
  }
  auto file = read_private_file(step.input->text("identity_file"));
  if (!file.ok()) {
    Error error = file.error();
    error.message = "the store's identity: " + error.message;
    if (error.hint.empty()) error.hint = "correct object_store.identity_file";
    return error;
  }
  return std::move(file).value().bytes;
}

}  // namespace rowlock
