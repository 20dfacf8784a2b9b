// What of a dump is restored, and what belongs together: worked out from the tables of contents of
// its members, one after the other, as they come.
//
// In a dump in parts no entry says what it needs in another member: what belongs to a table or view
// is found by its name there.
#pragma once

#include "controller/adapters/postgres/postgres_archive.h"
#include "controller/ports/database_dumps.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

class PostgresSelection {
 public:
  // The order outlives this.
  explicit PostgresSelection(const RestoreOrder& order) : order_(order) {}

  // What of that member is restored, as `pg_restore --use-list` wants it. Once for each member, in
  // their order.
  std::string take(const std::string& member, std::vector<ArchivedObject> objects);

  // Names that nothing was called so far.
  std::vector<std::string> unknown_names() const;

  // What take() has chosen to leave out.
  const std::vector<LeftOut>& left_out() const { return left_out_; }

  // What that entry is when it could not be restored; the reason is the caller's to fill in.
  LeftOut entry(const std::string& member, std::int64_t number) const;

 private:
  using Relation = std::pair<std::string, std::string>;  // Schema and name.
  // For each object of a member that is called by one of some names, or needs such a one: that
  // name.
  struct Marks {
    std::map<std::int64_t, std::string> by_number;  // Of the last member.
    std::map<Relation, std::string> by_relation;
  };
  using Objects = std::vector<ArchivedObject>;

  std::vector<std::string> mark(const Objects& objects, const std::vector<std::string>& names,
                                Marks& marks);
  bool belongs_to_named(const ArchivedObject& object) const;
  std::vector<bool> chosen(const Objects& objects);
  void choose_what_belongs(const Objects& objects, std::vector<bool>& chosen);
  void add_left_out(const ArchivedObject& object, const std::string& reason, bool is_beside_it);

  const RestoreOrder& order_;
  Marks without_;
  Marks known_;
  std::set<std::int64_t> named_;   // By `only`,
  std::set<std::int64_t> wanted_;  // and what these need.
  std::set<Relation> named_relations_;
  std::set<Relation> wanted_relations_;
  std::set<std::string> heard_;  // Names that something is called.
  std::vector<LeftOut> left_out_;
  std::map<std::pair<std::string, std::int64_t>, LeftOut> entries_;
};

}  // namespace rowlock
