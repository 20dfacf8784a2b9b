// What is in a PostgreSQL database, as one transaction sees it: of each table how many rows, and a
// hash of them in any order. Two databases whose tables hold the same say the same, whatever the
// numbers of their objects and the order of their columns.
//
// A row's hash is made by the server, of its columns by name: each column is hashed in a way of its
// own, and what they come to together is hashed again, so that values that change places are seen,
// within a row or between rows; the hashes of all rows are added up,
// so that their order does not matter and duplicates count. Types in which values can be equal and
// yet differ, such as 1.0 and 1.00, are hashed as the text that a dump has of them.
#pragma once

#include "controller/adapters/postgres/postgres_connection.h"
#include "controller/ports/database_dumps.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

// Another one whenever the same rows come to have another hash.
constexpr char kContentHashMethod[] = "columns-1";
constexpr char kLargeObjects[] = "large objects";

// A column as its hash is made.
struct HashedColumn {
  std::string name;        // As SQL writes it.
  std::string type;        // Its type's, or its domain's, as SQL writes it with the schema.
  std::string base_type;   // The name of one of the system's own types; empty: another one.
  std::string output;      // The function that makes text of it, as SQL writes it.
  bool is_padded = false;  // Of a fixed width: blanks at its end mean nothing.
};

// An expression of type int8 over a row of those columns, never NULL.
std::string row_hash_expression(const std::vector<HashedColumn>& columns);

// What the hashes of rows come to, piece by piece.
class ContentSum {
 public:
  void add(std::string_view decimal);  // A whole number of any length.
  std::string hex() const;             // Modulo 2^64.

 private:
  std::uint64_t sum_ = 0;
};

// In place of a hash: "42 called".
std::string sequence_state(const std::string& last_value, bool is_called);

// Of one database, over one connection. After an error nothing more may be asked.
class PostgresContent {
 public:
  // The connection outlives this.
  explicit PostgresContent(PostgresConnection& connection) : connection_(connection) {}

  // Begins the transaction that all is seen in, and holds every table as it is, so that nobody
  // truncates or drops one while it is read. Where one is changed before it is held, another
  // transaction is begun, a bounded number of times. Rejected, in one sentence, when this user may
  // not read all of a table or a large object. `helpers`: how many more processes the server may
  // read a table with.
  Result<> begin(int helpers = 0);

  // The name under which other sessions can see what this transaction sees, until it ends.
  Result<std::string> export_snapshot();

  // A table or sequence as the facts have it; empty when it is not there.
  std::string name_of(const std::string& schema, const std::string& name) const;

  // All of it. Takes as long as there is something to read.
  Result<DatabaseFacts> read();

 private:
  struct Table {
    std::string oid;
    std::string name;
    char kind = 'r';         // Of pg_class: r, p or S.
    std::string condition;   // "WHERE …", or empty: all rows.
    std::int64_t pages = 0;  // 0: it cannot be read by pages.
    std::string part_of = {};
    bool is_left_out = false;
    std::string state = {};  // Of a sequence.
  };
  using Rows = std::vector<PostgresRow>;

  Result<Rows> ask(const std::string& text, const std::vector<std::string>& values = {});
  Result<> hold_tables();
  Result<> list_tables();
  Result<> lock_tables();
  Result<> expect_unchanged();
  Result<> read_sequences();
  Result<> expect_large_objects();
  Result<> read_database(DatabaseFacts& facts);
  Result<TableFacts> read_table(const Table& table);
  Result<std::vector<HashedColumn>> columns(const Table& table);
  Result<> read_large_objects(DatabaseFacts& facts);

  PostgresConnection& connection_;
  std::vector<Table> tables_;
  std::map<std::pair<std::string, std::string>, std::string> names_;
};

}  // namespace rowlock
