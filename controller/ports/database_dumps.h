// The port to PostgreSQL servers, for what is in their databases: dumped, restored, compared.
//
// A dump and a restore last as long as there is something to move: they have a deadline for
// standing still, and end soon once `ending` is set.
//
// Protocol. restore() makes a database that was not there, under a name of the caller's; rename()
// then gives it the name that was asked for, or drop() takes it away. Each may be repeated. Of a
// restore that failed, nothing is left. Thread-safe; `members` and `dump` are called on the thread
// of the call alone.
#pragma once

#include "controller/base/result.h"
#include "controller/ports/member_writer.h"
#include "controller/ports/postgres.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

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
  // Of the rows in any order, so that those of two tables add up (modulo 2^64, in hex); of a
  // sequence, its state.
  std::string hash;
  // The partitioned table at the top whose rows these are; empty: none.
  std::string part_of = {};
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
  // Of a standby: unlogged tables, whose rows only its primary has. They are above, empty.
  std::vector<std::string> left_out = {};
};

struct DumpFacts {
  DatabaseFacts content;
  std::string program;          // "pg_dump 15.16"
  std::int64_t dump_bytes = 0;  // Before compression.
  std::int64_t dump_ms = 0;     // From the first look at the database to the last of its rows.
};

struct RestoreOrder {
  PostgresAddress server;      // By any database of it that is there, such as `postgres`.
  std::string database;        // To be made; any name.
  bool has_roles = false;      // The globals are applied first: roles that are missing are made.
  bool keeps_owners = false;   // Else all of it belongs to the one who restores.
  std::int64_t bytes_max = 0;  // That the server's folder may come to hold; 0: no bound.
  // Of `before` (what is made), `data` (rows), `after` (indexes, keys, triggers); empty: all.
  std::vector<std::string> sections = {};
  // Where names without a schema are looked for while it is loaded; empty: nowhere, as dumped.
  std::string search_path = {};
  // Names of objects: SCHEMA.NAME, or a name alone of what is in no schema, for all that is called
  // so, or with a kind before that for one of them: "TABLE DATA public.pupil".
  std::vector<std::string> only = {};     // With what these need; empty: everything.
  std::vector<std::string> without = {};  // With what needs these.
  bool is_single_transaction = false;
  bool keeps_going = false;  // What the server refuses is left out.
  // With keeps_going, names: what is neither one of these nor needs one must not be left out.
  // Empty: anything may.
  std::vector<std::string> known = {};
};

// What was not restored.
struct LeftOut {
  std::string kind;  // As `pg_restore --list` has it: TABLE DATA
  std::string schema;
  std::string name;
  std::string reason;
  std::string known_as;       // The name of RestoreOrder::known that it falls under.
  bool is_beside_it = false;  // There is nothing to tell: `only` names other objects.

  std::string object() const { return kind + " " + (schema.empty() ? "" : schema + ".") + name; }
};

struct RestoredDump {
  std::vector<LeftOut> left_out = {};
};

struct ServerDatabase {
  std::string name;
  std::int64_t size_bytes = 0;
};

// Bytes that are free where a server keeps what it writes.
struct ServerRoom {
  std::int64_t data_bytes = 0;  // On the disk of its data,
  std::int64_t log_bytes = 0;   // and on that of its write-ahead log: the same ones
  bool is_one_disk = true;      // if that is one disk.
  // So much of new log may lie there at a time; of a server that archives it, or keeps it for a
  // replica, all that is written: INT64_MAX.
  std::int64_t log_max_bytes = 0;
};

// A server of our own on this machine, for what is restored only to be seen. It ends with this, and
// all that it held goes.
struct ScratchOrder {
  std::string folder;  // Absolute; it gets a folder in there.
  std::string home;    // Whose it is, and which one of theirs: of letters, digits and '-'.
  std::string name;
  int major = 0;  // Of PostgreSQL: 15.
};

class ScratchServer {
 public:
  virtual ~ScratchServer() = default;
  virtual const PostgresAddress& address() const = 0;  // For its superuser.
};

using TellWait = std::function<void(const std::string& why)>;

class DatabaseDumps {
 public:
  virtual ~DatabaseDumps() = default;

  // Writes the members `globals.sql` (roles and grants, without passwords when the user may not
  // read those) and `dump` (custom format of pg_dump, for pg_restore), both of one snapshot, and
  // says what was in it. With more jobs than one, in place of `dump`: `before`, `data.1` to at most
  // `data.JOBS` at the same time, and `after`, to be restored in this order. Rejected, with what to
  // install, when there is no pg_dump that is new enough for the server.
  // `waits`, if there, is told who keeps it from a table once that lasts for seconds, in a
  // sentence, on a thread of its own.
  virtual Result<DumpFacts> dump(const PostgresAddress& database, int jobs, MemberWriter& members,
                                 const std::atomic<bool>& ending, const TellWait& waits = {}) = 0;

  // Makes the database and restores the dump into it, members that come mixed at the same time.
  // What failed half-way is dropped again. Rejected when there is a database of that name. Ended,
  // as transient, when the server is about to run out of disk. Rejected, as malformed, when the
  // server refuses what is in the dump, or the order names what is not in it.
  virtual Result<RestoredDump> restore(const RestoreOrder& order, const std::string& globals,
                                       const DumpSource& dump, const std::atomic<bool>& ending) = 0;

  // What is in the database of the address, now.
  virtual Result<DatabaseFacts> facts(const PostgresAddress& database,
                                      const std::atomic<bool>& ending) = 0;

  // The databases of the server, but for templates.
  virtual Result<std::vector<ServerDatabase>> list(const PostgresAddress& server) = 0;

  // Nothing when that cannot be learned from here.
  virtual Result<std::optional<ServerRoom>> room(const PostgresAddress& server) = 0;

  // Starts one that nobody else can reach. It keeps as little of a log as it can and waits for no
  // disk, which changes nothing of what is read back. What servers of that home have left in the
  // folder, which were killed, goes first. Rejected, with what to install, when there are no
  // programs of just that version.
  virtual Result<std::unique_ptr<ScratchServer>> scratch(const ScratchOrder& order,
                                                         const std::atomic<bool>& ending) = 0;

  // Ends its sessions and drops it. One that is not there counts as dropped.
  virtual Result<> drop(const PostgresAddress& server, const std::string& database) = 0;

  // In place of one called `to`, if there is one, which is then called `aside`. Rejected when there
  // is one called `to` and `aside` is empty. One that is called so already counts as renamed.
  virtual Result<> rename(const PostgresAddress& server, const std::string& from,
                          const std::string& to, const std::string& aside) = 0;

  // The first cell of the answer, "" when there is none; in a transaction that can change nothing.
  virtual Result<std::string> ask(const PostgresAddress& database, const std::string& query) = 0;
};

}  // namespace rowlock
