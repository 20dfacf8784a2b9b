// A store that no row speaks of: on a machine that has lost its home, its URL and an identity are
// all there is.
#pragma once

#include "controller/cli/verbs.h"
#include "controller/crypto/secret_bytes.h"
#include "controller/ports/object_store.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

// A store that no row speaks of, and what opens it.
struct BareStoreOptions {
  std::string from;      // file:///FOLDER, s3://BUCKET/PREFIX, or one backup in it.
  std::string identity;  // File of age identities.
  std::string endpoint;
  std::string region = "us-east-1";
  bool is_virtual_style = false;
  std::string ca_file;  // Of the authorities that say who the endpoint is.
};

void add_bare_store(const Verb& verb, BareStoreOptions& said);

// How the options name that store, as a shell reads it: "--from s3://b --endpoint …".
std::string words_of(const BareStoreOptions& store);

// As a word that a shell leaves as it is.
std::string shell_word(const std::string& text);

struct FoundBackup {
  std::string key;
  std::string home;    // The id of the home that made it; empty when the URL has it.
  std::string name;    // POLICY-20261125T023000Z-17
  std::string policy;  // By the folder that it is in.
  std::string stamp;   // 20261125T023000Z
  std::int64_t size_bytes = 0;
};

struct BareStore {
  std::shared_ptr<ObjectStore> store;
  std::string only;  // The key that the URL names; empty: all of the store.
  SecretBytes identities;
};

// Rejected, with what to say instead, when something is missing.
Result<BareStore> open_bare_store(const BareStoreOptions& options, const std::atomic<bool>& ending);

// What that object is; nothing when it is no backup.
std::optional<FoundBackup> backup_in(const StoredObject& object);

// Of a name POLICY-STAMP-NUMBER the stamp.
std::string stamp_of(const std::string& name);

// The backups there are, oldest first.
Result<std::vector<FoundBackup>> backups_in(const BareStore& bare);

// The newest of that policy (empty: there must be one policy only), the one of that name, or the
// last one before that moment in UTC.
Result<FoundBackup> chosen_of(const std::vector<FoundBackup>& found, const std::string& policy,
                              const std::string& backup);

// Ctrl-C and SIGTERM set it from now on, to give up in good order: what was restored half-way is
// dropped again.
const std::atomic<bool>& ended_by_signals();

// Rejected unless an identity file was named.
Result<SecretBytes> identities_in(const std::string& file);

}  // namespace rowlock
