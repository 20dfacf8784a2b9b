// How the data of a database is shared out among several pg_dump that work at the same time.
#pragma once

#include "controller/adapters/postgres/postgres_connection.h"
#include "controller/base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rowlock {

// A table that one pg_dump can be told to dump alone.
struct PostgresPartTable {
  std::string name;                    // As SQL writes it, and as pg_dump's patterns want it.
  std::vector<std::string> sequences;  // Its own ones, as well.
  std::int64_t size_bytes = 0;
};

// The tables that one pg_dump takes; the first one takes all that is in no other part.
using PostgresPart = std::vector<PostgresPartTable>;

// The tables in as many parts, no part much larger than it must be, the largest first; `rest_bytes`
// are those of what is in no table of these, and so in the first part. Always at least one part,
// and none but the first is empty.
std::vector<PostgresPart> shared_out(std::vector<PostgresPartTable> tables, std::int64_t rest_bytes,
                                     int parts);

// As the connection's transaction sees them.
Result<std::vector<PostgresPart>> parts_of_data(PostgresConnection& connection, int parts);

// What pg_dump is told so that it dumps the data of that part, and nothing of the others.
std::vector<std::string> options_of(const std::vector<PostgresPart>& parts, std::size_t part);

}  // namespace rowlock
