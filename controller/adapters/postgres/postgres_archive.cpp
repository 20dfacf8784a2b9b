// Read as pg_dump writes it, field by field, with a bound on each. The bytes come in pieces, so the
// reader begins again at the last whole entry whenever there are more; a form it does not know
// makes it give up, never guess.
#include "controller/adapters/postgres/postgres_archive.h"

#include "controller/adapters/postgres/postgres_text.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace rowlock {

namespace {

constexpr std::string_view kMagic = "PGDMP";
constexpr char kCustomFormat = 1;
constexpr int kOldestFormat = 112;  // PostgreSQL 9.0 and later.
constexpr int kNewestFormat = 116;
constexpr int kTableMethods = 114;     // From here on an entry names its access method,
constexpr int kCompressionName = 115;  // the head says how it is compressed in one byte,
constexpr int kRelationKinds = 116;    // and an entry what kind of a relation it is.
constexpr int kNumbersOfATime = 7;
constexpr std::size_t kIntBytesMax = 8;
constexpr std::size_t kEntryBytesMax = 64 * 1024 * 1024;
constexpr std::int64_t kDependenciesMax = 1'000'000;

// Words of CREATE DATABASE that are kept, each with a value in quotes or one word.
constexpr std::string_view kOptions[] = {"ENCODING",   "LOCALE_PROVIDER", "LOCALE",
                                         "LC_COLLATE", "LC_CTYPE",        "ICU_LOCALE",
                                         "ICU_RULES",  "BUILTIN_LOCALE"};

// What is of a session, or of the database itself.
constexpr std::string_view kNoObjects[] = {"ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE",
                                           "DATABASE PROPERTIES"};

// The words of a statement; what is in quotes is one, with its quotes.
std::vector<std::string> words_of(const std::string& statement) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < statement.size();) {
    const char first = statement[at];
    if (std::isspace(static_cast<unsigned char>(first)) != 0 || first == ';') {
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    if (first == '\'' || first == '"') {
      for (; end < statement.size(); ++end) {
        if (statement[end] != first) continue;
        if (end + 1 == statement.size() || statement[end + 1] != first) break;
        ++end;  // Doubled: part of it.
      }
      ++end;
    } else if (first != '=') {
      end = std::min(statement.find_first_of(" \t\n;='\"", at), statement.size());
    }
    words.push_back(statement.substr(at, end - at));
    at = end;
  }
  return words;
}

// CREATE UNIQUE INDEX name ON ONLY public."Odd name" USING …
std::string indexed_table(const std::string& statement) {
  const std::vector<std::string> words = words_of(statement);
  auto word = std::find(words.begin(), words.end(), "ON");
  if (word != words.end()) ++word;
  if (word != words.end() && *word == "ONLY") ++word;
  std::string table;
  for (; word != words.end() && *word != "USING"; ++word) table += *word;
  return table;
}

}  // namespace

// Over bytes that may end too early: then `is_short` becomes true, and what was read means nothing.
class PostgresArchive::Cursor {
 public:
  Cursor(std::string_view bytes, std::size_t int_bytes) : bytes_(bytes), int_bytes_(int_bytes) {}

  bool is_short() const { return is_short_; }
  bool is_wrong() const { return is_wrong_; }
  std::size_t place() const { return place_; }
  void set_int_bytes(std::size_t count) { int_bytes_ = count; }

  int byte() {
    const std::string_view one = take(1);
    return one.empty() ? 0 : static_cast<unsigned char>(one.front());
  }
  // A sign, then the lowest byte first.
  std::int64_t number() {
    const bool is_negative = byte() != 0;
    std::uint64_t value = 0;
    int shift = 0;
    for (const char c : take(int_bytes_)) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(c)) << shift;
      shift += 8;
    }
    if (value > kEntryBytesMax * 64) is_wrong_ = true;
    return is_negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
  }
  // Nothing: there is no text, which is not the same as an empty one.
  std::optional<std::string> optional_text() {
    const std::int64_t size = number();
    if (is_short_ || is_wrong_ || size < 0) return std::nullopt;
    if (static_cast<std::size_t>(size) > kEntryBytesMax) {
      is_wrong_ = true;
      return std::nullopt;
    }
    return std::string(take(static_cast<std::size_t>(size)));
  }
  std::string text() { return optional_text().value_or(""); }
  void skip(std::size_t count) { take(count); }

 private:
  std::string_view take(std::size_t count) {
    if (is_short_ || bytes_.size() - place_ < count) {
      is_short_ = true;
      return {};
    }
    place_ += count;
    return bytes_.substr(place_ - count, count);
  }

  std::string_view bytes_;
  std::size_t int_bytes_;
  std::size_t place_ = 0;
  bool is_short_ = false;
  bool is_wrong_ = false;
};

void PostgresArchive::take(std::string_view bytes) {
  if (is_done()) return;
  kept_.append(bytes);
  std::size_t understood = 0;
  const std::size_t begins_at = entry_at_;
  while (state_ == State::reading) {
    entry_at_ = begins_at + understood;
    Cursor cursor(std::string_view(kept_).substr(understood), int_bytes_);
    const bool is_fine = has_head_ ? read_entry(cursor) : read_head(cursor);
    if (!is_fine || cursor.is_wrong()) state_ = State::strange;
    if (cursor.is_short()) break;
    understood += cursor.place();
    if (state_ == State::reading && entries_left_ == 0) state_ = State::done;
  }
  entry_at_ = begins_at + understood;
  kept_.erase(0, understood);
  if (kept_.size() > kEntryBytesMax) state_ = State::strange;
  if (is_done()) std::string().swap(kept_);
}

// False: this is none. What a cut-off head says is thrown away.
bool PostgresArchive::read_head(Cursor& cursor) {
  for (const char c : kMagic) {
    const int byte = cursor.byte();
    if (!cursor.is_short() && byte != c) return false;
  }
  const int version = cursor.byte() * 100 + cursor.byte();
  cursor.byte();  // The revision.
  const int int_bytes = cursor.byte();
  const int offset_bytes = cursor.byte();
  const int format = cursor.byte();
  if (cursor.is_short()) return true;
  if (version < kOldestFormat || version > kNewestFormat || format != kCustomFormat) return false;
  if (int_bytes < 1 || static_cast<std::size_t>(int_bytes) > kIntBytesMax) return false;
  version_ = version;
  int_bytes_ = static_cast<std::size_t>(int_bytes);
  offset_bytes_ = static_cast<std::size_t>(offset_bytes);
  cursor.set_int_bytes(int_bytes_);
  if (version_ >= kCompressionName) {
    cursor.byte();
  } else {
    cursor.number();
  }
  for (int i = 0; i < kNumbersOfATime; ++i) cursor.number();
  cursor.text();  // The database.
  cursor.text();  // The server's version.
  const std::string made_by = cursor.text();
  const std::int64_t count = cursor.number();
  if (cursor.is_short()) return true;
  if (count < 0) return false;
  made_by_ = made_by;
  entries_left_ = count;
  has_head_ = true;
  return true;
}

bool PostgresArchive::read_entry(Cursor& cursor) {
  Entry entry;
  entry.number = cursor.number();
  cursor.number();  // Whether it has content,
  cursor.text();    // what it is of,
  cursor.text();    // and which one.
  entry.name = cursor.text();
  entry.kind = cursor.text();
  cursor.number();  // The section.
  const std::size_t statement_at = cursor.place();
  entry.statement = cursor.text();
  const std::size_t statement_end = cursor.place();
  cursor.text();  // The statements that drop it,
  cursor.text();  // and that copy into it.
  entry.schema = cursor.text();
  cursor.text();  // The tablespace.
  if (version_ >= kTableMethods) cursor.text();
  if (version_ >= kRelationKinds) cursor.number();
  entry.owner = cursor.text();
  cursor.text();  // Whether its rows have numbers.
  for (std::int64_t i = 0;; ++i) {
    const std::optional<std::string> need = cursor.optional_text();
    if (!need.has_value()) break;
    if (i == kDependenciesMax) return false;
    if (keeps_objects_) entry.needs.push_back(std::strtoll(need->c_str(), nullptr, 10));
  }
  cursor.byte();  // Whether it is known where its content begins,
  cursor.skip(offset_bytes_);
  if (cursor.is_short() || cursor.is_wrong()) return true;
  if (entry.kind == "SEARCHPATH") {
    search_path_at_ = entry_at_ + statement_at;
    search_path_end_ = entry_at_ + statement_end;
  }
  learn(std::move(entry));
  --entries_left_;
  return true;
}

void PostgresArchive::learn(Entry entry) {
  const bool is_object =
      std::find(std::begin(kNoObjects), std::end(kNoObjects), entry.kind) == std::end(kNoObjects);
  if (keeps_objects_ && is_object) {
    objects_.push_back({entry.number, entry.kind, entry.schema, entry.name, std::move(entry.needs),
                        entry.kind == "INDEX" ? indexed_table(entry.statement) : ""});
  }
  if (entry.kind == "DATABASE") {
    create_database_ = std::move(entry.statement);
    database_owner_ = std::move(entry.owner);
    return;
  }
  const bool is_of_database = entry.schema.empty() && entry.name.starts_with("DATABASE ") &&
                              (entry.kind == "ACL" || entry.kind == "COMMENT");
  if (entry.kind == "DATABASE PROPERTIES" || is_of_database) {
    database_statements_ += entry.statement;
    return;
  }
  if (entry.kind != "SEQUENCE SET") return;
  // SELECT pg_catalog.setval('public.pupil_id_seq', 42, true);
  const std::size_t end = entry.statement.rfind("', ");
  if (end == std::string::npos) return;
  const std::string values = entry.statement.substr(end + 3);
  sequences_.push_back({std::move(entry.schema), std::move(entry.name),
                        values.substr(0, values.find(',')),
                        values.find("true") != std::string::npos});
}

std::string PostgresArchive::with_search_path(const std::string& beginning,
                                              const std::string& path) const {
  if (search_path_at_ == 0 || search_path_end_ > beginning.size()) return "";
  std::string value;
  for (const char c : path) value += c == '\'' ? std::string("''") : std::string(1, c);
  const std::string statement =
      "SELECT pg_catalog.set_config('search_path', '" + value + "', false);\n";
  std::string length(1, '\0');  // The sign, then the lowest byte first.
  for (std::size_t i = 0; i < int_bytes_; ++i) {
    length += static_cast<char>(i < sizeof(std::size_t) ? statement.size() >> (8 * i) & 0xff : 0);
  }
  return beginning.substr(0, search_path_at_) + length + statement +
         beginning.substr(search_path_end_);
}

int PostgresArchive::major() const { return std::atoi(made_by_.c_str()); }

std::string PostgresArchive::database_options() const {
  std::string options;
  const std::vector<std::string> words = words_of(create_database_);
  // CREATE DATABASE name WITH comes first, and a name may be any word.
  for (std::size_t i = 4; i + 2 < words.size(); ++i) {
    const bool is_kept =
        std::find(std::begin(kOptions), std::end(kOptions), words[i]) != std::end(kOptions);
    if (is_kept && words[i + 1] == "=") options += " " + words[i] + " = " + words[i + 2];
  }
  return options;
}

// CREATE DATABASE has the name as all of its statements have it. What is in quotes is text, but for
// the name itself.
std::string PostgresArchive::database_script(const std::string& name) const {
  const std::vector<std::string> words = words_of(create_database_);
  if (words.size() < 3) return "";
  const std::string before = "DATABASE ";
  const std::string old = before + words[2];
  std::string script;
  if (!database_owner_.empty()) {
    script = "ALTER DATABASE " + name + " OWNER TO " + postgres_name(database_owner_) + ";\n";
  }
  char quote = 0;
  for (std::size_t at = 0; at < database_statements_.size();) {
    const char next = database_statements_[at];
    if (quote == 0 && database_statements_.compare(at, old.size(), old) == 0) {
      script += before + name;
      at += old.size();
      continue;
    }
    if (quote == 0 ? next == '\'' || next == '"' : next == quote) quote = quote == 0 ? next : 0;
    script += next;
    ++at;
  }
  return script;
}

}  // namespace rowlock
