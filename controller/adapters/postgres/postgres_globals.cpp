// pg_dumpall writes SQL for psql, so this takes it apart just as far as is needed: where a
// statement ends, and which role it is about.
#include "controller/adapters/postgres/postgres_globals.h"

#include "controller/adapters/postgres/postgres_connection.h"
#include "controller/adapters/postgres/postgres_text.h"

#include <algorithm>
#include <cctype>

namespace rowlock {

namespace {

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

// Behind the quoted text that begins at `at`.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  // E'…' has escapes.
  const bool has_escapes = quote == '\'' && at > 0 && (text[at - 1] == 'E' || text[at - 1] == 'e');
  for (std::size_t end = at + 1; end < text.size(); ++end) {
    if (has_escapes && text[end] == '\\') {
      ++end;
    } else if (text[end] == quote) {
      return end + 1;  // A doubled one begins another quoted text, which is as good.
    }
  }
  return text.size();
}

// The next word of a statement, a quoted name as the server has it; empty at its end.
std::string next_word(std::string_view statement, std::size_t& at) {
  while (at < statement.size() && is_space(statement[at])) ++at;
  std::string word;
  if (at < statement.size() && statement[at] == '"') {
    for (++at; at < statement.size(); ++at) {
      if (statement[at] == '"' && (at + 1 == statement.size() || statement[at + 1] != '"')) break;
      if (statement[at] == '"') ++at;
      word += statement[at];
    }
    ++at;
    return word;
  }
  while (at < statement.size() && !is_space(statement[at])) word += statement[at++];
  return word;
}

}  // namespace

std::vector<std::string> statements_of(std::string_view script) {
  std::vector<std::string> statements;
  std::string statement;
  for (std::size_t at = 0; at < script.size();) {
    const char c = script[at];
    if (c == '\'' || c == '"') {
      const std::size_t end = end_of_quoted(script, at);
      statement += script.substr(at, end - at);
      at = end;
    } else if (script.substr(at).starts_with("--") ||
               (script[at] == '\\' && (at == 0 || script[at - 1] == '\n'))) {
      // A comment, or an order to psql.
      at = std::min(script.find('\n', at), script.size());
    } else if (c == ';') {
      statements.push_back(std::move(statement));
      statement.clear();
      ++at;
    } else {
      if (!statement.empty() || !is_space(c)) statement += c;
      ++at;
    }
  }
  return statements;  // What has no end is none.
}

std::vector<std::string> missing_role_statements(std::string_view globals,
                                                 const std::set<std::string>& there) {
  std::vector<std::string> result;
  std::set<std::string> made;
  for (const std::string& statement : statements_of(globals)) {
    std::size_t at = 0;
    const std::string verb = next_word(statement, at);
    if (verb == "GRANT") {
      // GRANT above TO member [WITH …] [GRANTED BY …]
      next_word(statement, at);
      if (next_word(statement, at) != "TO" || !made.contains(next_word(statement, at))) continue;
      const std::size_t granted = statement.find(" GRANTED BY ", at);
      result.push_back(statement.substr(0, granted));
      continue;
    }
    const bool is_comment = verb == "COMMENT" && next_word(statement, at) == "ON";
    if (!is_comment && verb != "CREATE" && verb != "ALTER") continue;
    const std::string kind = next_word(statement, at);
    if (kind != "ROLE" && kind != "USER") continue;
    const std::string name = next_word(statement, at);
    if (verb == "CREATE" && !there.contains(name)) made.insert(name);
    // Settings in one database mean one that need not be here.
    const bool is_elsewhere = verb == "ALTER" && next_word(statement, at) == "IN";
    if (made.contains(name) && !is_elsewhere) result.push_back(statement);
  }
  return result;
}

Result<> make_missing_roles(PostgresConnection& connection, std::string_view globals) {
  const auto failed = [](const PostgresAnswer& answer) {
    Error error = refused(answer.refusal, "");
    error.message = "make the roles that are missing: " + error.message;
    error.hint =
        error.fault == Fault::rejected ? "restore as a superuser, or without the roles" : "";
    return error;
  };
  const auto listed = TRY(connection.ask("SELECT rolname FROM pg_roles"));
  if (listed.is_refused()) return failed(listed);
  std::set<std::string> there;
  for (const PostgresRow& row : listed.rows) there.insert(row.front());
  std::vector<std::string> statements = missing_role_statements(globals, there);
  statements.insert(statements.begin(), "BEGIN");
  statements.push_back("COMMIT");
  for (const std::string& statement : statements) {
    const auto done = TRY(connection.ask_one(statement));
    if (!done.is_refused()) continue;
    const Error error = failed(done);
    const auto undone = connection.ask_one("ROLLBACK");
    return undone.ok() ? error : undone.error();
  }
  return Done{};
}

}  // namespace rowlock
