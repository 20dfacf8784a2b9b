// The ports that backups go through: stores that keep objects, and databases that are dumped,
// restored and compared. Part of world.h, whose rules hold here too, with one exception: a dump, a
// restore and a transfer last as long as there is something to move. They have a deadline for
// standing still instead, and end soon once `ending` is set.
#pragma once

#include "controller/world.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

// Where bytes go, block by block. An error ends what they come from, and is its result.
using Sink = std::function<Result<>(std::string_view bytes)>;

// Where bytes come from: the next ones; empty: there are no more.
using Source = std::function<Result<std::string>()>;

// ---- Object stores ------------------------------------------------------------------------------

struct StoreAddress {
  std::string url;       // file:///FOLDER | s3://BUCKET or s3://BUCKET/PREFIX
  std::string endpoint;  // Of s3: http[s]://HOST[:PORT]; empty: AWS's own of that region.
  std::string region = "us-east-1";
  bool is_path_style = true;  // http://HOST/BUCKET/KEY, else http://BUCKET.HOST/KEY
  std::string access_key_id;  // Of s3; empty: requests are not signed.
  std::shared_ptr<const SecretBytes> secret_access_key;
  std::int64_t bytes_per_s = 0;  // No more than this on average; 0: any.
};

struct StoredObject {
  std::string key;  // Below the prefix of the store's URL.
  std::int64_t size_bytes = 0;
  std::int64_t stored_at_ms = 0;  // By the store's clock.
};

struct StoreFacts {
  bool is_versioned = false;        // A delete without a version only hides.
  bool has_conditions = false;      // If-None-Match is heeded when an upload is completed.
  std::int64_t clock_ahead_ms = 0;  // Of the store, compared with this machine.
};

// An object that is being written. Nobody sees it before finish() has gone well, and then it is
// there whole; when this goes before that, it is taken back as far as the store can be reached.
class Upload {
 public:
  virtual ~Upload() = default;

  virtual Result<> write(std::string_view bytes) = 0;

  // Makes it visible, and reads back that its size and its content are what was written. Rejected
  // when there is an object of that key already.
  virtual Result<> finish() = 0;
};

// Keys are of a-z, A-Z, 0-9, '.', '_', '-' and '/'.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Whether it can be reached with these credentials, and what it can do.
  virtual Result<StoreFacts> probe() = 0;

  virtual Result<std::unique_ptr<Upload>> upload(const std::string& key) = 0;

  // An object, or nothing when it does not exist.
  virtual Result<std::optional<StoredObject>> look(const std::string& key) = 0;

  // Up to `length` of its bytes from there on; fewer only at its end, none behind it.
  // Cause::not_found when there is no such object.
  virtual Result<std::string> read(const std::string& key, std::int64_t offset,
                                   std::int64_t length) = 0;

  // All whose keys begin so, by key. Uploads that are not finished are not among them.
  virtual Result<std::vector<StoredObject>> list(const std::string& prefix) = 0;

  // For good, with all its versions. One that is not there counts as removed.
  virtual Result<> remove(const std::string& key) = 0;

  // Takes back uploads of keys that begin so, that were begun before then and never finished; says
  // how many. Those that this process is making are left alone.
  virtual Result<int> abort_uploads(const std::string& prefix, std::int64_t before_ms) = 0;
};

// ---- Dumps --------------------------------------------------------------------------------------

// Where the members of a backup go. By one thread at a time.
class MemberWriter {
 public:
  virtual ~MemberWriter() = default;

  // Begins a member. With a size of -1 it is kept in pieces, which `tar -xO NAME` gives as one.
  virtual Result<> begin(const std::string& name, std::int64_t size_bytes) = 0;
  virtual Result<> write(std::string_view bytes) = 0;
  virtual Result<> end() = 0;

  // The next bytes of one of several members that are written at the same time, which are called
  // data.1, data.2 …: a piece, of about a megabyte. Requires: no member is open, and there are
  // some.
  virtual Result<> add_piece(const std::string& name, std::string_view bytes) = 0;
};

// The next bytes of a dump, and the member that they belong to: of one after the other, or of
// several mixed as they were added. An empty name: there are no more.
struct DumpPiece {
  std::string member;
  std::string bytes;
};
using DumpSource = std::function<Result<DumpPiece>()>;

// What is in one table, as a transaction saw it.
struct TableFacts {
  std::string name;  // As SQL writes it: public.pupil, public."Odd name"; a sequence too.
  std::int64_t rows = 0;
  std::string hash;  // Of the rows in any order; of a sequence, its state.
};

// What is in a database: two of equal content say the same but for the versions, the size and the
// position in the log.
struct DatabaseFacts {
  std::string server_version;           // "15.16"
  std::string lsn;                      // Position in the server's write-ahead log, "0/1A2B3C4".
  std::int64_t size_bytes = 0;          // On the server's disk.
  std::string hash_method;              // How the hashes below were taken; others do not compare.
  std::vector<TableFacts> tables;       // By name; large objects together as "large objects".
  std::vector<std::string> extensions;  // "pgcrypto 1.3", by name.
};

struct DumpFacts {
  DatabaseFacts content;
  std::string program;          // "pg_dump 15.16"
  std::int64_t dump_bytes = 0;  // Before compression.
  std::int64_t dump_ms = 0;     // From the first look at the database to the last of its rows.
};

struct RestoreOrder {
  PostgresAddress server;     // By any database of it that is there, such as `postgres`.
  std::string database;       // To be made; any name.
  bool has_roles = false;     // The globals are applied first: roles that are missing are made.
  bool keeps_owners = false;  // Else all of it belongs to the one who restores.
};

struct ServerDatabase {
  std::string name;
  std::int64_t size_bytes = 0;
};

class DatabaseDumps {
 public:
  virtual ~DatabaseDumps() = default;

  // Writes the members `globals.sql` (roles and grants, without passwords when the user may not
  // read those) and `dump` (custom format of pg_dump, for pg_restore), both of one snapshot, and
  // says what was in it. With more jobs than one, in place of `dump`: `before`, `data.1` to at most
  // `data.JOBS` at the same time, and `after`, to be restored in this order. Rejected, with what to
  // install, when there is no pg_dump that is new enough for the server.
  virtual Result<DumpFacts> dump(const PostgresAddress& database, int jobs, MemberWriter& members,
                                 const std::atomic<bool>& ending) = 0;

  // Makes the database and restores the dump into it, members that come mixed at the same time.
  // What failed half-way is dropped again. Rejected when there is a database of that name.
  virtual Result<> restore(const RestoreOrder& order, const std::string& globals,
                           const DumpSource& dump, const std::atomic<bool>& ending) = 0;

  // What is in the database of the address, now.
  virtual Result<DatabaseFacts> facts(const PostgresAddress& database,
                                      const std::atomic<bool>& ending) = 0;

  // The databases of the server, but for templates.
  virtual Result<std::vector<ServerDatabase>> list(const PostgresAddress& server) = 0;

  // Free bytes where the server keeps its data; nothing when that cannot be learned from here.
  virtual Result<std::optional<std::int64_t>> room(const PostgresAddress& server) = 0;

  // Ends its sessions and drops it. One that is not there counts as dropped.
  virtual Result<> drop(const PostgresAddress& server, const std::string& database) = 0;

  // In place of one called `to`, if there is one, which is then called `aside`. Rejected when there
  // is one called `to` and `aside` is empty. One that is called so already counts as renamed.
  virtual Result<> rename(const PostgresAddress& server, const std::string& from,
                          const std::string& to, const std::string& aside) = 0;

  // The first cell of the answer, "" when there is none; in a transaction that can change nothing.
  virtual Result<std::string> ask(const PostgresAddress& database, const std::string& query) = 0;
};

// ---- The home itself ----------------------------------------------------------------------------

class BackupFileReader;  // In backup/backup_file.h.

class HomeCopies {
 public:
  virtual ~HomeCopies() = default;

  // Writes the members `desired.db`, `state.db` and, if there is one, `unseal.age`: each database
  // as one transaction saw it, while both are in use.
  virtual Result<> copy(MemberWriter& members, const std::atomic<bool>& ending) = 0;

  // Unpacks such a copy beside the home, looks whether it is one that Rowlock could run from, and
  // takes it away again. Cause::corrupt, with what is wrong, when it is not.
  virtual Result<> try_out(BackupFileReader& backup) = 0;
};

// ---- Pings --------------------------------------------------------------------------------------

// A watcher far away that raises the alarm when it is not told in time that all is well.
class Pings {
 public:
  virtual ~Pings() = default;

  // GET of the URL, at most 10 s; all is well with a status of 200 to 299.
  virtual Result<> ping(const std::string& url) = 0;
};

}  // namespace rowlock
