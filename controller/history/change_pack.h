// Changes of desired.db that have become old, those of a day in one row of change_pack: made here,
// and read again as if they stood where they stood.
#pragma once

#include "controller/base/result.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <functional>
#include <string>

namespace rowlock {

struct ChangePack {
  std::int64_t first_revision = 0;
  std::int64_t last_revision = 0;
  std::string day;
  std::int64_t last_at_ms = 0;
  std::int64_t changes = 0;
  std::int64_t plain_bytes = 0;
  std::string packed;  // base64
};

// The changes of the revisions from `first` on that were accepted on the same day, before that of
// the number `newest`; of so many as fit into a pack. Reads `state`, and writes nothing. Requires:
// there is a revision `first`, and it is before `newest`.
Result<ChangePack> pack_changes(Database& state, const Schema& schema, std::int64_t first,
                                std::int64_t newest);

// One row of desired.db as a revision changed it.
struct PastChange {
  std::int64_t revision = 0;
  std::int64_t at_ms = 0;  // By the wall clock of that moment.
  std::string table;
  std::string row_key;  // A JSON array.
  std::string before;   // A JSON object; empty: it was inserted.
  std::string after;    // Empty: it was deleted.
};

// How far back history goes.
struct Reach {
  std::int64_t oldest = 0;  // The oldest revision whose rows can still be told; 0: all can.
  std::int64_t newest = 0;
};
Result<Reach> reach_of_history(Database& state, const Schema& schema);

// Gives every change of the revisions after `after` to `visit`, the newest first, packed or not,
// until it returns false. A change in which `word` stands nowhere may be left out. Several packs
// are never in memory together.
Result<> walk_back(Database& state, const Schema& schema, std::int64_t after,
                   const std::string& word, const std::function<bool(const PastChange&)>& visit);

}  // namespace rowlock
