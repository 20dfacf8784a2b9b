// What a database held, as JSON in a manifest and back, and what differs between two of them.
#pragma once

#include "controller/base/json.h"
#include "controller/ports/database_dumps.h"

#include <string>
#include <vector>

namespace rowlock {

Json json_of(const DumpFacts& facts);

// Of what json_of() made. Rejected when it was not.
Result<DumpFacts> dump_facts_of(const Json& content);

// What is to be compared when not all of it was restored: nothing that was left out, and where
// `has_rows` is false only what there is. Both sides are to be cut down so.
DatabaseFacts without(DatabaseFacts facts, const std::vector<LeftOut>& left_out, bool has_rows);

// In one sentence, what a restored database has that the dumped one had not, or the other way
// round; empty when they are equal in every table, count and hash, partitions of one table taken
// together, and have extensions of the same names. Requires: the same hash_method.
std::string difference(const DatabaseFacts& dumped, const DatabaseFacts& restored);

}  // namespace rowlock
