// The rows of desired.db as they once were, put together from the history of changes, and the edit
// that makes them so again.
#pragma once

#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

// Rows as JSON objects, by table and primary key (a JSON array).
using RowSet = std::map<std::pair<std::string, std::string>, std::string>;

struct RowChange {
  std::string table;
  std::string row_key;
  std::string before;  // A JSON object; empty: the row is inserted.
  std::string after;   // Empty: it is deleted.
};

// What belongs to a job: its row and those of every table whose key names the job. `job` empty:
// every row of every table. Consents to deletions (approval) belong to nobody.

// The rows as of a revision, from state.db. Requires: history reaches back to it.
Result<RowSet> rows_at(Database& state, const Schema& schema, const std::string& job,
                       std::int64_t revision);

// The rows as they are in this file: desired.db, or the accepted copy in state.db.
Result<RowSet> rows_in(Database& database, const Schema& schema, const std::string& job);

// The last revision that changed a row of the job; 0: none did.
Result<std::int64_t> last_change_of(Database& state, const Schema& schema, const std::string& job);

// What turns `now` into `then`. Columns that only one of the two has do not count.
std::vector<RowChange> changes_between(const RowSet& now, const RowSet& then);

// Makes the changes, in an order that the triggers of desired.db accept. Requires: a transaction.
Result<> make_changes(Database& desired, const Schema& schema,
                      const std::vector<RowChange>& changes);

// The changes for people and scripts, one row a column: table_name, row_key, change, column,
// before, after.
std::vector<std::vector<Value>> told(const std::vector<RowChange>& changes);

}  // namespace rowlock
