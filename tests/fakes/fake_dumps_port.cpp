// The port of the fake servers. A dump is a text of the tables' rows with a mark at its end, by
// which one that was cut off is known.
#include "controller/base/percent.h"
#include "tests/fakes/fake_dumps.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace rowlock {

namespace {

constexpr char kMagic[] = "FAKEDUMP\n";
constexpr char kEnd[] = "end\n";
constexpr char kGlobals[] = "CREATE ROLE postgres;\n";
constexpr std::int64_t kRowBytes = 100;

Error rejected(const std::string& what, const std::string& hint) {
  return Error{Fault::rejected, Cause::other, what, hint};
}

Error taken(const std::string& name) {
  return Error{Fault::rejected, Cause::exists, "there is a database called " + name + " already",
               "name another one"};
}

Error ended() { return Error{Fault::transient, Cause::other, "it was asked to end", ""}; }

Error broken() {
  return Error{Fault::transient, Cause::other, "could not read a block of a file", ""};
}

// The two parts of a url: postgresql://USER@HOST:PORT, and DATABASE.
std::pair<std::string, std::string> parts_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t slash = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
  if (slash == std::string::npos) return {url, ""};
  const std::string name = url.substr(slash + 1);
  return {url.substr(0, slash), percent_decoded(name).value_or(name)};
}

// In any order, duplicates counted.
std::string hash_of(const std::vector<std::string>& rows) {
  std::uint64_t sum = 0;
  for (const std::string& row : rows) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : row) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    sum += hash;
  }
  return std::to_string(sum);
}

DatabaseFacts facts_of(const FakeDumps::Tables& tables) {
  DatabaseFacts facts;
  facts.server_version = "15.0";
  facts.lsn = "0/1";
  facts.hash_method = "fake-1";
  for (const auto& [name, rows] : tables) {
    const auto count = static_cast<std::int64_t>(rows.size());
    facts.tables.push_back({name, count, hash_of(rows)});
    // So is an unlogged table of a standby called here.
    if (name.starts_with("unlogged.")) facts.left_out.push_back(name);
    facts.size_bytes += count * kRowBytes;
  }
  return facts;
}

// Each text with its length before it.
std::string text_of(const FakeDumps::Tables& tables) {
  std::string text = kMagic;
  const auto add = [&](const std::string& part) {
    text += std::to_string(part.size()) + ":" + part + "\n";
  };
  for (const auto& [name, rows] : tables) {
    text += "table\n";
    add(name);
    for (const std::string& row : rows) {
      text += "row\n";
      add(row);
    }
  }
  return text + kEnd;
}

// Nothing when it ends too early.
std::optional<FakeDumps::Tables> tables_in(const std::string& text) {
  std::size_t at = sizeof kMagic - 1;
  const auto line = [&](char until) {
    const std::size_t end = std::min(text.find(until, at), text.size());
    const std::string part = text.substr(at, end - at);
    at = std::min(end + 1, text.size());
    return part;
  };
  const auto part = [&] {
    std::size_t size = 0;
    const std::string digits = line(':');
    std::from_chars(digits.data(), digits.data() + digits.size(), size);
    const std::string result = text.substr(at, size);
    at = std::min(at + size + 1, text.size());
    return result;
  };
  FakeDumps::Tables tables;
  std::string name;
  while (at < text.size()) {
    const std::string kind = line('\n');
    if (kind == "end" && text.ends_with(kEnd)) return tables;
    if (kind == "table") {
      name = part();
      tables[name];
    } else if (kind == "row") {
      tables[name].push_back(part());
    } else {
      break;
    }
  }
  return std::nullopt;
}

}  // namespace

template <typename Act>
auto FakeDumps::attempt(const std::string& call, const PostgresAddress& address,
                        const std::string& database, Act act)
    -> decltype(act(std::declval<Server&>())) {
  std::function<FaultPlan(const std::string&, const std::string&)> faults;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    calls_.push_back(call + " " + database);
    faults = faults_;
  }
  const FaultPlan plan = faults ? faults(call, database) : FaultPlan::none;
  const std::string what = call + " " + database + ": ";
  const std::string server = parts_of(address.url).first;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (plan == FaultPlan::unreachable || away_.contains(server) || !servers_.contains(server)) {
    return Error{Fault::transient, Cause::unreachable, what + "Connection refused", ""};
  }
  if (plan == FaultPlan::fail_before) {
    return Error{Fault::transient, Cause::other, what + "the server is starting", ""};
  }
  auto result = act(servers_[server]);
  if (!result.ok()) {
    Error error = result.error();
    error.message = what + error.message;
    return error;
  }
  if (plan == FaultPlan::lose_answer) {
    return Error{Fault::transient, Cause::deadline, what + "the connection was lost", ""};
  }
  return result;
}

// With several jobs the halves of the rows come mixed.
Result<> FakeDumps::write_dump(const Database& database, int jobs, MemberWriter& members,
                               DumpFacts& facts, const std::atomic<bool>& ending) {
  const std::string dump = text_of(database.tables);
  const auto write = [&](const std::string& bytes) -> Result<> {
    for (const std::string& half :
         {bytes.substr(0, bytes.size() / 2), bytes.substr(bytes.size() / 2)}) {
      if (ending) return ended();
      if (const auto written = members.write(half); !written.ok()) return written;
      if (ending) return ended();
      if (database.is_broken && bytes != kGlobals) return broken();
    }
    return Done{};
  };
  const std::size_t fifth = dump.size() / 5;
  std::vector<std::pair<std::string, std::string>> parts = {{"globals.sql", kGlobals}};
  if (jobs == 1) {
    parts.emplace_back("dump", dump);
  } else {
    parts.emplace_back("before", dump.substr(0, fifth));
    parts.emplace_back("data.1", dump.substr(fifth, fifth));
    parts.emplace_back("data.2", dump.substr(3 * fifth, fifth));
    parts.emplace_back("data.1", dump.substr(2 * fifth, fifth));
    parts.emplace_back("after", dump.substr(4 * fifth));
  }
  for (const auto& [name, bytes] : parts) {
    if (name.starts_with("data.")) {
      if (const auto added = members.add_piece(name, bytes); !added.ok()) return added;
      continue;
    }
    if (const auto begun = members.begin(name, -1); !begun.ok()) return begun;
    if (const auto written = write(bytes); !written.ok()) return written;
    if (const auto closed = members.end(); !closed.ok()) return closed;
  }
  facts.content = facts_of(database.tables);
  facts.program = "pg_dump 15.0";
  facts.dump_bytes = static_cast<std::int64_t>(dump.size());
  return Done{};
}

Result<DumpFacts> FakeDumps::dump(const PostgresAddress& database, int jobs, MemberWriter& members,
                                  const std::atomic<bool>& ending, const TellWait&) {
  const std::string name = parts_of(database.url).second;
  return attempt("dump", database, name, [&](Server& server) -> Result<DumpFacts> {
    if (!server.contains(name)) {
      return rejected("there is no database called " + name, "correct database.url");
    }
    if (!missing_program_.empty()) return rejected("there is no pg_dump", missing_program_);
    DumpFacts facts;
    const auto written = write_dump(server[name], jobs, members, facts, ending);
    return written.ok() ? Result<DumpFacts>(facts) : Result<DumpFacts>(written.error());
  });
}

// By names of tables alone.
Result<RestoredDump> FakeDumps::leave_out(const RestoreOrder& order, Tables& tables) const {
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  RestoredDump restored;
  for (auto each = tables.begin(); each != tables.end();) {
    const std::string& name = each->first;
    const bool is_beside_it = !order.only.empty() && !has(order.only, name);
    const bool is_refused = name == refused_ && !has(order.without, name) && !is_beside_it;
    if (!is_refused && !is_beside_it && !has(order.without, name)) {
      ++each;
      continue;
    }
    const std::string known_as = has(order.known, name) ? name : "";
    if (is_refused && (!order.keeps_going || (!order.known.empty() && known_as.empty()))) {
      return Error{Fault::rejected, Cause::malformed, "the server refuses TABLE " + name,
                   "leave it out"};
    }
    const std::size_t dot = name.find('.');
    restored.left_out.push_back({"TABLE", name.substr(0, dot), name.substr(dot + 1),
                                 is_refused ? "a function does not exist" : "it was to be left out",
                                 known_as, is_beside_it});
    each = tables.erase(each);
  }
  return restored;
}

Result<RestoredDump> FakeDumps::restore(const RestoreOrder& order, const std::string&,
                                        const DumpSource& dump, const std::atomic<bool>& ending) {
  return attempt("restore", order.server, order.database,
                 [&](Server& server) -> Result<RestoredDump> {
                   if (server.contains(order.database)) return taken(order.database);
                   std::map<std::string, std::string> parts;
                   while (true) {
                     const auto piece = dump();
                     if (!piece.ok()) return piece.error();
                     if (ending) return ended();
                     if (piece.value().member.empty()) break;
                     parts[piece.value().member] += piece.value().bytes;
                   }
                   std::string text;
                   for (const char* name : {"dump", "before", "data.1", "data.2", "after"})
                     text += parts[name];
                   if (!text.starts_with(kMagic))
                     return rejected("this is no dump", "restore it by hand");
                   std::optional<Tables> tables = tables_in(text);
                   if (!tables)
                     return Error{Fault::transient, Cause::other, "the dump ends too early", ""};
                   for (auto& [name, rows] : *tables) {
                     if (loses_rows_ && !rows.empty()) rows.pop_back();
                   }
                   const auto left_out = leave_out(order, *tables);
                   if (!left_out.ok()) return left_out.error();
                   server[order.database].tables = std::move(*tables);
                   return left_out;
                 });
}

Result<DatabaseFacts> FakeDumps::facts(const PostgresAddress& database,
                                       const std::atomic<bool>& ending) {
  const std::string name = parts_of(database.url).second;
  return attempt("facts", database, name, [&](Server& server) -> Result<DatabaseFacts> {
    if (ending) return ended();
    if (!server.contains(name)) {
      return rejected("there is no database called " + name, "correct database.url");
    }
    if (server[name].is_broken) return broken();
    return facts_of(server[name].tables);
  });
}

Result<std::vector<ServerDatabase>> FakeDumps::list(const PostgresAddress& server) {
  return attempt("list", server, "", [&](Server& here) -> Result<std::vector<ServerDatabase>> {
    std::vector<ServerDatabase> databases;
    for (const auto& [name, database] : here) {
      databases.push_back({name, facts_of(database.tables).size_bytes});
    }
    return databases;
  });
}

Result<std::optional<ServerRoom>> FakeDumps::room(const PostgresAddress& server) {
  return attempt("room", server, "", [&](Server&) -> Result<std::optional<ServerRoom>> {
    if (!room_) return std::optional<ServerRoom>();
    return std::optional(ServerRoom{*room_, *room_, true, 0});
  });
}

class FakeDumps::OwnServer final : public ScratchServer {
 public:
  OwnServer(FakeDumps& dumps, const std::string& name)
      : dumps_(dumps), address_{"postgresql://" + name + "/postgres", nullptr} {
    dumps_.servers_["postgresql://" + name];
  }
  ~OwnServer() override {
    const std::lock_guard<std::mutex> lock(dumps_.mutex_);
    dumps_.servers_.erase(parts_of(address_.url).first);
  }
  const PostgresAddress& address() const override { return address_; }

 private:
  FakeDumps& dumps_;
  PostgresAddress address_;
};

Result<std::unique_ptr<ScratchServer>> FakeDumps::scratch(const ScratchOrder& order,
                                                          const std::atomic<bool>& ending) {
  std::function<FaultPlan(const std::string&, const std::string&)> faults;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    calls_.push_back("scratch " + order.name);
    faults = faults_;
  }
  const FaultPlan plan = faults ? faults("scratch", order.name) : FaultPlan::none;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (ending) return ended();
  if (!missing_server_.empty()) return rejected("there is no server", missing_server_);
  if (plan != FaultPlan::none) {
    return Error{Fault::transient, Cause::other, "scratch: the server did not start", ""};
  }
  return std::unique_ptr<ScratchServer>(new OwnServer(*this, "scratch-" + order.name));
}

Result<> FakeDumps::drop(const PostgresAddress& server, const std::string& database) {
  return attempt("drop", server, database, [&](Server& here) -> Result<> {
    here.erase(database);
    return Done{};
  });
}

Result<> FakeDumps::rename(const PostgresAddress& server, const std::string& from,
                           const std::string& to, const std::string& aside) {
  return attempt("rename", server, from, [&](Server& here) -> Result<> {
    if (!here.contains(from)) {
      if (here.contains(to)) return Done{};
      return Error{Fault::rejected, Cause::not_found, "there is no database called " + from,
                   "restore it first"};
    }
    if (here.contains(to)) {
      if (aside.empty()) return taken(to);
      if (here.contains(aside)) return taken(aside);
      here[aside] = std::move(here[to]);
      here[aside].sessions = 0;
    }
    here[to] = std::move(here[from]);
    here[to].sessions = 0;
    here.erase(from);
    return Done{};
  });
}

Result<std::string> FakeDumps::answer(const Database& database, const std::string& query) const {
  if (const auto found = answers_.find(query); found != answers_.end()) return found->second;
  const std::string count = "SELECT count(*) FROM ";
  if (query.starts_with(count)) {
    const auto table = database.tables.find("public." + query.substr(count.size()));
    if (table != database.tables.end()) return std::to_string(table->second.size());
  }
  return rejected("syntax error, or a transaction that can change nothing", "correct the query");
}

Result<std::string> FakeDumps::ask(const PostgresAddress& database, const std::string& query) {
  const std::string name = parts_of(database.url).second;
  return attempt("ask", database, name, [&](Server& server) -> Result<std::string> {
    if (!server.contains(name)) {
      return rejected("there is no database called " + name, "correct database.url");
    }
    return answer(server[name], query);
  });
}

}  // namespace rowlock
