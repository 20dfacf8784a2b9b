// The text that goes to a PostgreSQL server, and what its refusals come to.
#include "controller/adapters/postgres/postgres_text.h"

#include "controller/adapters/postgres/postgres_error.h"

#include <criterion/criterion.h>

#include <string>

using namespace rowlock;

namespace {

constexpr char kVerifier[] =
    "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$c3RvcmVkc3RvcmVkc3RvcmVk:"
    "c2VydmVyc2VydmVyc2VydmVy";

}  // namespace

Test(postgres_text, a_name_needs_no_escaping) {
  for (const char* good : {"a", "_", "7", "web_1", "rl_app_0123456789"}) {
    cr_expect(is_role_name(good), "%s", good);
  }
  cr_expect(is_role_name(std::string(63, 'a')));
  for (const char* bad : {"", "Web", "web-1", "a b", "a\"b", "a'b", "ä", "a;", "{{name}}"}) {
    cr_expect(!is_role_name(bad), "%s", bad);
    const Result<> checked = check_role_name(bad);
    cr_expect(!checked.ok() && checked.error().fault == Fault::rejected, "%s", bad);
  }
  cr_expect(!is_role_name(std::string(64, 'a')));
  cr_expect(!is_role_name(std::string("a\0b", 3)));
}

Test(postgres_text, a_moment_is_in_utc_and_whole_seconds) {
  cr_expect(postgres_time(0) == "1970-01-01 00:00:00+00");
  cr_expect(postgres_time(1'795'345'948'999) == "2026-11-22 11:12:28+00");
}

Test(postgres_text, blanks_are_filled_in_everywhere) {
  const PostgresBlanks all{"web_1", "SCRAM", "2026-11-22 11:12:28+00"};

  cr_expect(filled_in("CREATE ROLE \"{{name}}\" PASSWORD '{{password}}' VALID UNTIL "
                      "'{{expiration}}'; GRANT app TO \"{{name}}\"",
                      all) ==
            "CREATE ROLE \"web_1\" PASSWORD 'SCRAM' VALID UNTIL "
            "'2026-11-22 11:12:28+00'; GRANT app TO \"web_1\"");
  cr_expect(filled_in("{{ name }} {{{name}}} {{other}} '{{1,2},{3,4}}'", all) ==
            "{{ name }} {web_1} {{other}} '{{1,2},{3,4}}'");
  cr_expect(filled_in("{{name}} {{password}} {{expiration}}", {"web_1", "", ""}) ==
            "web_1 {{password}} {{expiration}}");
}

Test(postgres_text, a_verifier_is_taken_out_of_words_whole_and_in_parts) {
  const std::string whole = std::string("unterminated string at \"'") + kVerifier + "'\"";
  cr_expect(without_verifier(whole, kVerifier) == "unterminated string at \"'{{password}}'\"");
  for (const char* part :
       {"c2FsdHNhbHRzYWx0c2FsdA==", "c3RvcmVkc3RvcmVkc3RvcmVk", "c2VydmVyc2VydmVyc2VydmVy"}) {
    cr_expect(without_verifier(std::string("near \"") + part + "\"", kVerifier) == "near \"…\"",
              "%s", part);
  }
  cr_expect(without_verifier("near \"4096\"", kVerifier) == "near \"4096\"");
  cr_expect(without_verifier("as it is", "") == "as it is");
}

Test(postgres_error, codes_decide_who_can_mend_it) {
  for (const char* code :
       {"40001", "40P01", "53300", "55P03", "57014", "57P03", "58030", "XX000"}) {
    cr_expect(refused({code, "words", ""}, "admin").fault == Fault::transient, "%s", code);
  }
  for (const char* code : {"42601", "42501", "2BP01", "28P01", "3D000", "22007", "0A000"}) {
    cr_expect(refused({code, "words", ""}, "admin").fault == Fault::rejected, "%s", code);
  }
  cr_expect(refused({"42501", "permission denied", ""}, "admin").hint ==
            "as a superuser of that server: ALTER ROLE \"admin\" CREATEROLE");
  cr_expect(refused({"2BP01", "some objects depend on it", "owner of database b"}, "admin")
                .message.find("owner of database b") != std::string::npos);
}

Test(postgres_error, a_statement_is_named_by_its_number) {
  const Error error = statement_refused({"42601", "syntax error at or near \"BAD\"", ""}, 2,
                                        "database_role.create_statements", "admin");

  cr_expect(error.message ==
            "statement 2 of database_role.create_statements: syntax error at or near \"BAD\" "
            "(SQLSTATE 42601)");
  cr_expect(error.fault == Fault::rejected && error.hint == "correct that statement");
  cr_expect(statement_refused({"40P01", "deadlock detected", ""}, 1, "c", "admin").hint.empty());
}

Test(postgres_error, the_last_refusal_is_found_in_what_libpq_says) {
  const PostgresRefusal refusal = read_connect_failure(
      "connection to server at \"::1\", port 5432 failed: Connection refused\n"
      "\tIs the server running on that host and accepting TCP/IP connections?\n"
      "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password "
      "authentication failed for user \"x\"\nLOCATION:  auth_failed, auth.c:326\n");

  cr_expect(refusal.sqlstate == "28P01");
  cr_expect(refusal.message == "password authentication failed for user \"x\"");
}

Test(postgres_error, a_connection_fails_in_libpqs_own_words_too) {
  const PostgresRefusal down = read_connect_failure(
      "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n"
      "\tIs the server running on that host and accepting TCP/IP connections?\n");
  cr_expect(down.sqlstate.empty() && down.message == "Connection refused");
  cr_expect(not_connected(down).cause == Cause::unreachable);
  cr_expect(not_connected(down).fault == Fault::transient);

  const PostgresRefusal port = read_connect_failure("invalid port number: \"99999\"\n");
  cr_expect(not_connected(port).fault == Fault::rejected);
  const PostgresRefusal web = read_connect_failure(
      "connection to server at \"127.0.0.1\", port 80 failed: received invalid response to SSL "
      "negotiation: H\n");
  cr_expect(not_connected(web).fault == Fault::transient);
  const PostgresRefusal starting = read_connect_failure(
      "connection to server on socket \"/run/.s.PGSQL.5432\" failed: FATAL:  57P03: the database "
      "system is starting up\nLOCATION:  x\n");
  cr_expect(not_connected(starting).fault == Fault::transient);
  cr_expect(not_connected(starting).cause == Cause::other);
  cr_expect(read_connect_failure("").message.empty());
}

Test(postgres_text, of_what_a_program_says_one_sentence_is_told) {
  cr_expect(postgres_program_line(
                "pg_dump: error: Dumping the contents of table \"t\" failed: PQgetCopyData() "
                "failed.\npg_dump: detail: Error message from server: server closed the connection "
                "unexpectedly\n\tThis probably means the server terminated abnormally\n\tbefore or "
                "while processing the request.\npg_dump: detail: Command was: COPY public.t (n) TO "
                "stdout;\n") ==
            "Dumping the contents of table \"t\" failed: PQgetCopyData() failed: server closed the "
            "connection unexpectedly");
  cr_expect(
      postgres_program_line(
          "pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 9; 1 2 TABLE t o\n"
          "pg_restore: error: could not execute query: ERROR:  relation \"t\" already exists\n"
          "Command was: CREATE TABLE t ();\n\n\npg_restore: error: could not go on\n") ==
      "could not execute query: ERROR: relation \"t\" already exists, in CREATE TABLE t");
  const std::string gone = "pg_restore: error: could not execute query: ERROR:  it is gone\n";
  const std::string said = "could not execute query: ERROR: it is gone";
  cr_expect(postgres_program_line(gone + "HINT:  None.\nCommand was: CREATE INDEX i ON public.t "
                                         "USING btree (public.four(n));\n") ==
            said + ", in CREATE INDEX i ON public.t USING btree");
  cr_expect(postgres_program_line(gone + "Command was: CREATE SUBSCRIPTION s CONNECTION "
                                         "'password=secret' PUBLICATION p;\n") ==
            said + ", in CREATE SUBSCRIPTION s CONNECTION");
  cr_expect(postgres_program_line(gone + "Command was: \n") == said);
  cr_expect(postgres_program_line("out of\n memory\n") == "out of memory");
  cr_expect(postgres_program_line("").empty());
}

Test(postgres_text, a_load_is_refused_for_good_or_only_now) {
  const std::string query = "pg_restore ended with exit code 1: could not execute query: ";
  for (const std::string& refused :
       {query + "ERROR: function twice(integer) does not exist",
        query + "ERROR: permission denied to create extension \"pg_cron\"",
        std::string(
            "pg_restore ended with exit code 1: COPY failed for table \"t\": ERROR: new row "
            "for relation \"t\" violates check constraint \"t_n_check\"")}) {
    cr_expect(is_load_refused(refused), "%s", refused.c_str());
  }
  for (const std::string& passing :
       {query + "ERROR: could not extend file \"base/1/2\": No space left on device",
        query + "FATAL: terminating connection due to administrator command server closed the "
                "connection unexpectedly",
        query + "ERROR: deadlock detected", query + "ERROR: out of shared memory",
        query + "FEHLER: Funktion twice(integer) existiert nicht",
        std::string("pg_restore ended with exit code 1: could not read from input file: end of "
                    "file")}) {
    cr_expect(!is_load_refused(passing), "%s", passing.c_str());
  }
}
