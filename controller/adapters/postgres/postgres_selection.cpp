// Each entry stands behind what it needs, so one pass forward finds all that needs something, and
// one pass backward all that something needs.
#include "controller/adapters/postgres/postgres_selection.h"

#include "controller/ports/relation_name.h"

#include <algorithm>
#include <string_view>

namespace rowlock {

namespace {

// What comes with an object, whatever that is wanted for.
constexpr std::string_view kComesAlong[] = {"COMMENT", "ACL", "SECURITY LABEL", "SEQUENCE SET",
                                            "SEQUENCE OWNED BY"};
// What belongs to an object that is named, and brings along what it needs itself.
constexpr std::string_view kBelongs[] = {
    "TABLE DATA", "DEFAULT",      "CONSTRAINT", "CHECK CONSTRAINT",       "INDEX", "TRIGGER",
    "POLICY",     "ROW SECURITY", "STATISTICS", "MATERIALIZED VIEW DATA", "RULE"};
// What ties it to another object, and is left out where that is.
constexpr std::string_view kTies[] = {"FK CONSTRAINT", "TABLE ATTACH", "INDEX ATTACH"};

template <typename List>
bool is_in(const List& list, std::string_view kind) {
  return std::find(std::begin(list), std::end(list), kind) != std::end(list);
}

// What others may belong to.
constexpr std::string_view kRelations[] = {"TABLE", "SEQUENCE", "VIEW", "MATERIALIZED VIEW"};
// What has the name of what it belongs to, or that one's before its own.
constexpr std::string_view kNamedSo[] = {"TABLE DATA", "SEQUENCE SET", "MATERIALIZED VIEW DATA",
                                         "ROW SECURITY"};
constexpr std::string_view kNamedAfter[] = {
    "DEFAULT", "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "TRIGGER", "RULE", "POLICY"};

using Relation = std::pair<std::string, std::string>;

// What an entry may belong to, by its names: "pupil pupil_pkey" to pupil.
std::vector<Relation> owners_of(const ArchivedObject& object) {
  if (is_in(kNamedSo, object.kind)) return {{object.schema, object.name}};
  if (object.kind == "INDEX" && !object.table.empty()) return {plain_relation(object.table)};
  std::vector<Relation> owners;
  if (!is_in(kNamedAfter, object.kind)) return owners;
  for (std::size_t at = object.name.find(' '); at != std::string::npos;
       at = object.name.find(' ', at + 1)) {
    owners.emplace_back(object.schema, object.name.substr(0, at));
  }
  return owners;
}

bool is_called(const ArchivedObject& object, const std::string& name) {
  const std::string whole = (object.schema.empty() ? "" : object.schema + ".") + object.name;
  return name == whole || name == object.kind + " " + whole ||
         name == whole.substr(0, whole.find('('));
}

}  // namespace

// ---- What is called by a name, or needs what is -------------------------------------------------

std::vector<std::string> PostgresSelection::mark(const Objects& objects,
                                                 const std::vector<std::string>& names,
                                                 Marks& marks) {
  std::vector<std::string> result;
  marks.by_number.clear();
  for (const ArchivedObject& object : objects) {
    std::string mark;
    const auto take = [&](const auto& marked, const auto& key) {
      const auto found = marked.find(key);
      if (mark.empty() && found != marked.end()) mark = found->second;
    };
    for (const std::string& name : names) {
      if (!is_called(object, name)) continue;
      heard_.insert(name);
      if (mark.empty()) mark = name;
    }
    for (const std::int64_t need : object.needs) take(marks.by_number, need);
    for (const Relation& owner : owners_of(object)) take(marks.by_relation, owner);
    if (!mark.empty()) marks.by_number[object.number] = mark;
    if (!mark.empty() && is_in(kRelations, object.kind)) {
      marks.by_relation[{object.schema, object.name}] = mark;
    }
    result.push_back(std::move(mark));
  }
  return result;
}

// ---- What is wanted alone -----------------------------------------------------------------------

bool PostgresSelection::belongs_to_named(const ArchivedObject& object) const {
  const std::vector<Relation> owners = owners_of(object);
  return std::any_of(object.needs.begin(), object.needs.end(),
                     [&](std::int64_t need) { return named_.contains(need); }) ||
         std::any_of(owners.begin(), owners.end(),
                     [&](const Relation& owner) { return named_relations_.contains(owner); });
}

std::vector<bool> PostgresSelection::chosen(const Objects& objects) {
  std::vector<bool> chosen(objects.size(), order_.only.empty());
  if (order_.only.empty()) return chosen;
  named_.clear();
  wanted_.clear();
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const ArchivedObject& object = objects[i];
    for (const std::string& name : order_.only) {
      if (!is_called(object, name)) continue;
      heard_.insert(name);
      chosen[i] = true;
      named_.insert(object.number);
      if (is_in(kRelations, object.kind)) named_relations_.insert({object.schema, object.name});
    }
    if (is_in(kBelongs, object.kind) && belongs_to_named(object)) chosen[i] = true;
  }
  for (std::size_t i = objects.size(); i-- > 0;) {
    if (!chosen[i] && !wanted_.contains(objects[i].number)) continue;
    chosen[i] = true;
    wanted_.insert(objects[i].number);
    if (is_in(kRelations, objects[i].kind)) {
      wanted_relations_.insert({objects[i].schema, objects[i].name});
    }
    for (const std::int64_t need : objects[i].needs) wanted_.insert(need);
  }
  choose_what_belongs(objects, chosen);
  return chosen;
}

void PostgresSelection::choose_what_belongs(const Objects& objects, std::vector<bool>& chosen) {
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const ArchivedObject& object = objects[i];
    const auto is_wanted = [&](std::int64_t need) { return wanted_.contains(need); };
    const std::vector<std::int64_t>& needs = object.needs;
    const bool is_set =
        object.kind == "SEQUENCE SET" && wanted_relations_.contains({object.schema, object.name});
    const bool comes_along =
        is_in(kComesAlong, object.kind) && std::any_of(needs.begin(), needs.end(), is_wanted);
    const bool ties = is_in(kTies, object.kind) && belongs_to_named(object) && !needs.empty() &&
                      std::all_of(needs.begin(), needs.end(), is_wanted);
    if (!is_set && !comes_along && !ties) continue;
    chosen[i] = true;
    wanted_.insert(object.number);
  }
}

// ---- Member by member ---------------------------------------------------------------------------

std::string PostgresSelection::take(const std::string& member,
                                    std::vector<ArchivedObject> objects) {
  const auto without = mark(objects, order_.without, without_);
  const auto known = mark(objects, order_.known, known_);
  const auto is_chosen = chosen(objects);
  std::string list;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const ArchivedObject& object = objects[i];
    entries_[{member, object.number}] = {object.kind, object.schema, object.name, "", known[i]};
    if (!without[i].empty()) {
      const bool is_itself = is_called(object, without[i]);
      add_left_out(object,
                   is_itself ? "it was to be left out"
                             : "it needs " + without[i] + ", which was to be left out",
                   false);
    } else if (!is_chosen[i]) {
      const bool ties = belongs_to_named(object);
      add_left_out(object, ties ? "it needs what was not asked for" : "it was not asked for",
                   !ties);
    } else {
      list += std::to_string(object.number) + ";\n";
    }
  }
  return list;
}

void PostgresSelection::add_left_out(const ArchivedObject& object, const std::string& reason,
                                     bool is_beside_it) {
  left_out_.push_back({object.kind, object.schema, object.name, reason, "", is_beside_it});
}

std::vector<std::string> PostgresSelection::unknown_names() const {
  std::vector<std::string> unknown;
  for (const auto* names : {&order_.only, &order_.without}) {
    for (const std::string& name : *names) {
      if (!heard_.contains(name)) unknown.push_back(name);
    }
  }
  return unknown;
}

LeftOut PostgresSelection::entry(const std::string& member, std::int64_t number) const {
  const auto found = entries_.find({member, number});
  return found != entries_.end() ? found->second : LeftOut{"SET", "", "of the session", "", ""};
}

}  // namespace rowlock
