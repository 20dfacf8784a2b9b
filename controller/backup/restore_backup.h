// From an object in a store to a database again, in the order that harms nothing: the object is
// read once to its end and found to be whole and the right one before one statement runs; then it
// is read again, restored into a database that is new, and compared with what was dumped.
#pragma once

#include "controller/backup/backup_file.h"
#include "controller/ports/database_dumps.h"
#include "controller/ports/object_store.h"
#include "controller/ports/postgres.h"
#include "controller/ports/streams.h"
#include "controller/step_progress.h"

#include <atomic>
#include <string>
#include <vector>

namespace rowlock {

// An object, and which backup it is said to be. What is empty is not compared.
struct BackupObject {
  std::string key;
  std::string id;      // BackupHeader::id
  std::string home;    // BackupHeader::home
  std::string sha256;  // Of the object, in hex.
};

struct CheckedBackup {
  BackupManifest manifest;
  std::int64_t size_bytes = 0;
  std::string sha256;  // Hex.
};

// Cause::corrupt when it is not whole, or is not that backup; other errors say nothing about it.
Result<CheckedBackup> check_backup(ObjectStore& store, const BackupObject& object,
                                   const SecretBytes& identities, const std::atomic<bool>& ending,
                                   const TellProgress& progress = {});

// The recipients of those identities that open the object, each age1….
Result<std::vector<std::string>> opened_by(ObjectStore& store, const std::string& key,
                                           const SecretBytes& identities);

struct RestoredBackup {
  std::int64_t took_ms = 0;            // From the first byte that was downloaded to restore it.
  std::vector<LeftOut> left_out = {};  // But for what nobody asked for.
};

// The sections and names in a row or a command: a JSON array of texts.
std::vector<std::string> names_in(const std::string& json);
// As JSON: what was left out, each an object with `object`, `reason` and `known_as`.
std::string json_of(const std::vector<LeftOut>& left_out);

// Restores it into a new database, and compares what the order asks for. `checked` is what
// check_backup() said of it. A database that is not equal to what was dumped is dropped again:
// Cause::corrupt. One of that name that is there already is of an earlier try whose server has not
// heard yet that it is over: transient, to be dropped first. Requires: the name is nobody else's.
Result<RestoredBackup> restore_backup(ObjectStore& store, const BackupObject& object,
                                      const CheckedBackup& checked, const SecretBytes& identities,
                                      DatabaseDumps& dumps, const RestoreOrder& order,
                                      const std::atomic<bool>& ending,
                                      const TellProgress& progress = {});

// Rejected when the server has a database of that name: asked before hours are spent on one that
// could not take it.
Result<> expect_no_database(DatabaseDumps& dumps, const PostgresAddress& server,
                            const std::string& database);

// The bytes of an object, block by block, in their order.
Source object_source(ObjectStore& store, const std::string& key, const std::atomic<bool>& ending);

// The address of another database of the same server.
PostgresAddress with_database(const PostgresAddress& server, const std::string& database);

}  // namespace rowlock
