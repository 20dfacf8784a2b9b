// What follows from a column of a desired table that names a row of another one:
//
//   job TEXT NOT NULL REFERENCES job (name) ON DELETE CASCADE ON UPDATE CASCADE,
//
// Outside clients have foreign keys off, so that the clause alone does nothing. From it come guards
// in desired.db that say what to do, deletes and renames that follow the row, a violation for what
// no guard has seen, and a wake of the row that is named.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct Reference {
  std::string table;
  std::string column;
  std::string to_table;
  std::string to_column;
  bool deletes = false;          // ON DELETE CASCADE: goes with the row that it names.
  bool renames = false;          // ON UPDATE CASCADE
  std::vector<std::string> key;  // Of the table itself.
};

// Those of one table, by its CREATE TABLE.
std::vector<Reference> references_of(const std::string& table, std::string_view sql);

// Triggers of desired.db: no row names what is not there; what belongs to a row follows it.
std::string reference_guards(const std::vector<Reference>& references);

// CREATE VIEW reference_violation: rows that name what is not there all the same.
std::string reference_violations(const std::vector<Reference>& references);

// TEMP triggers: a change of a row wakes the name of the one that it names.
std::string reference_wakes(const std::vector<Reference>& references);

}  // namespace rowlock
