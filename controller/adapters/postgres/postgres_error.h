// What a PostgreSQL server refuses, as errors that say who can mend it. The server's own words may
// be in any language, so only its codes decide:
// https://www.postgresql.org/docs/current/errcodes-appendix.html
#pragma once

#include "controller/base/result.h"

#include <string>

namespace rowlock {

// An error of the server's.
struct PostgresRefusal {
  std::string sqlstate;  // Five letters and digits; empty: none came from the server.
  std::string message;
  std::string detail;
};

// Whether it may go by itself: another transaction, a server that starts, too many connections.
bool may_pass(const std::string& sqlstate);

// Whether it ends the connection, so that nobody knows what became of the transaction.
bool ends_the_connection(const std::string& sqlstate);

// Of one of Rowlock's own statements. `admin` is whom it is connected as.
Error refused(const PostgresRefusal& refusal, const std::string& admin);

// Of the engineer's statement of that number, from 1, in the column `column`.
Error statement_refused(const PostgresRefusal& refusal, int number, const std::string& column,
                        const std::string& admin);

// Finds the last refusal in what libpq says, in its verbose form, of a connection that failed;
// where there is none, the message is libpq's own reason.
PostgresRefusal read_connect_failure(const std::string& words);

// Whether pg_restore ended so since the server refused a statement or a row of the dump, for a
// reason that will not pass by itself. It tells no codes, so that the server's words are looked at:
// those of one that speaks another language than English are taken for something that passes.
bool is_load_refused(const std::string& words);

// Of a connection that failed so.
Error not_connected(const PostgresRefusal& failure);

}  // namespace rowlock
