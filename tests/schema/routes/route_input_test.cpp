// What an engineer may get wrong in a row of a route: refused in the client that writes it, where
// SQL alone can tell, and else by the controller, each with one sentence that says what to do.
#include "tests/schema/plan_world.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

using rowlock::MadeHome;
using rowlock::PlanWorld;
using rowlock::Shell;

namespace {

constexpr const char* kJob =
    "INSERT INTO job (name, image) VALUES ('web', 'a:1'), ('api', 'a:1');"
    "INSERT INTO job_port (job, label, port, protocol) VALUES ('web', 'http', 80, 'tcp'), "
    "('api', 'http', 80, 'tcp'), ('web', 'dns', 53, 'udp');";
constexpr const char* kRoute =
    "INSERT INTO route (name, host, job, port) VALUES ('site', 'a.example.org', 'web', 'http');";

// Of a route with these columns beside its name, what the client says.
std::string said_of(Shell& shell, const std::string& columns, const std::string& values) {
  return shell.run("INSERT INTO route (name, " + columns + ") VALUES ('new', " + values + ")");
}

}  // namespace

Test(route_input, the_client_that_writes_it_is_told) {
  MadeHome made;
  Shell shell(made.home.desired_path());
  cr_assert(shell.run(kJob).empty());
  cr_assert(shell.run(kRoute).empty());
  const std::string whole = "host, job, port";

  const std::tuple<std::string, std::string, const char*> wrong[] = {
      {whole, "'b.example.org', 'nojob', 'http'", "names no job: INSERT INTO job first"},
      {whole, "'b.example.org', 'web', 'htpp'", "names no port of the job"},
      {whole, "'b.example.org', 'web', NULL", "names no port of the job"},
      {"host", "'b.example.org'", "must name a job, unless redirect_host"},
      {whole, "'a.example.org', 'web', 'http'", "another route has this host and path"},
      {whole, "'B.example.org', 'web', 'http'", "must be a hostname in lower case"},
      {whole, "'http://b.example.org', 'web', 'http'", "must be a hostname"},
      {whole, "'b.example.org:80', 'web', 'http'", "must be a hostname"},
      {whole, "'b..example.org', 'web', 'http'", "must be a hostname"},
      {whole, "'-b.example.org', 'web', 'http'", "must be a hostname"},
      {whole, "'b.example.org.', 'web', 'http'", "must be a hostname"},
      {whole, "'*', 'web', 'http'", "must be a hostname"},
      {whole, "'a.*.example.org', 'web', 'http'", "must be a hostname"},
      {whole, "'b.example.org' || char(10) || 'x', 'web', 'http'", "must be a hostname"},
      {whole, "'', 'web', 'http'", "must be a hostname"},
      {whole + ", path", "'b.example.org', 'web', 'http', 'app'", "route.path must be"},
      {whole + ", path", "'b.example.org', 'web', 'http', '/app/'", "route.path must be"},
      {whole + ", path", "'b.example.org', 'web', 'http', '/a b'", "route.path must be"},
      {whole + ", path", "'b.example.org', 'web', 'http', '/a?b'", "route.path must be"},
      {whole + ", next_percent", "'b.example.org', 'web', 'http', 101", "from 0 to 100"},
      {whole + ", next_job", "'b.example.org', 'web', 'http', 'nojob'", "next_job names no job"},
      {whole + ", pause_max_ms", "'b.example.org', 'web', 'http', 0", "to ten minutes"},
      {whole + ", retries", "'b.example.org', 'web', 'http', 4", "from 0 to 3"},
      {whole + ", retries", "'b.example.org', 'web', 'http', 0.5", "from 0 to 3"},
      {whole + ", hold_max_ms", "'b.example.org', 'web', 'http', -1", "from 0 to ten minutes"},
      {whole + ", redirect_status", "'b.example.org', 'web', 'http', 200", "301, 302, 307 or 308"},
      {whole + ", redirect_scheme", "'b.example.org', 'web', 'http', 'ftp'", "'https', 'http' or"},
      {whole + ", sticky_cookie", "'b.example.org', 'web', 'http', 'a b'", "a cookie's name"},
      {whole + ", rate_limit", "'b.example.org', 'web', 'http', -1", "whole number of requests"},
  };
  for (const auto& [columns, values, words] : wrong) {
    const std::string said = said_of(shell, columns, values);
    cr_expect(said.find(words) != std::string::npos, "%s: %s", values.c_str(), said.c_str());
  }
  cr_expect(shell.value("SELECT count(*) FROM route") == "1", "nothing was written");
  cr_expect(
      shell.run("INSERT INTO route_header VALUES ('site', 'X A', '1')").find("a header's name") !=
      std::string::npos);
  cr_expect(shell.run("INSERT INTO route_header VALUES ('site', 'X-A', 'a' || char(10) || 'b')")
                .find("must be one line") != std::string::npos);
  cr_expect(
      shell.run("INSERT INTO route_header VALUES ('none', 'X-A', '1')").find("names no route") !=
      std::string::npos);
  cr_expect(shell.run("INSERT INTO proxy (listen) VALUES ('8080')").find("ADDRESS:PORT") !=
            std::string::npos);
  cr_expect(shell.run("INSERT INTO proxy (name) VALUES ('second')").find("one for each home") !=
            std::string::npos);
  cr_expect(shell.run("INSERT INTO certificate VALUES ('a', 'a.pem')").find("absolute path") !=
            std::string::npos);
}

Test(route_input, a_job_takes_its_routes_along_when_it_is_renamed) {
  MadeHome made;
  Shell shell(made.home.desired_path());
  cr_assert(shell.run(kJob).empty());
  cr_assert(shell.run(kRoute).empty());

  cr_assert(shell.run("UPDATE job SET name = 'shop' WHERE name = 'web'").empty());

  cr_expect(shell.value("SELECT job FROM route") == "shop");
}

// Those that the client cannot be told of: its triggers may be off, or other rows come after.
Test(route_input, the_controller_finds_what_the_client_let_through) {
  const std::pair<const char*, const char*> wrong[] = {
      {"DELETE FROM job WHERE name = 'web'", "sends to the job 'web', which does not exist"},
      {"DELETE FROM job_port WHERE job = 'web'", "sends to port 'http', which job web does not"},
      {"UPDATE route SET port = 'dns'", "which is udp: routes carry HTTP"},
      {"UPDATE job SET network = 'none'", "whose network is 'none'"},
      {"INSERT INTO route (name, host, job, port) VALUES ('b', 'a.example.org', 'web', '80')",
       "both claim a.example.org/"},
      {"INSERT INTO route (name, host, path, job, port) VALUES"
       " ('b', 'b.org', '/é', 'web', 'http'), ('c', 'b.org', '/%C3%A9', 'web', 'http')",
       "both claim b.org/é"},
      {"UPDATE route SET path = '/a', strip_prefix = 1, raw_path = 1", "set one of them to 0"},
      {"UPDATE route SET next_job = 'web'", "moves from job web to itself"},
      {"UPDATE route SET next_job = 'api', next_port = 'x'", "sends to port 'x', which job api"},
      {"UPDATE route SET next_job = 'api', redirect_host = 'b.org'", "a redirect reaches no job"},
      {"UPDATE route SET redirect_host = host", "redirects a.example.org to itself for ever"},
      {"UPDATE route SET redirect_scheme = 'https'", "which the proxy does not serve"},
      {"UPDATE route SET host = replace(hex(zeroblob(32)), '0', 'a') || '.org'", "63 characters"},
      {"INSERT INTO route_header VALUES ('none', 'X-A', '1')", "names the route 'none'"},
      {"INSERT INTO proxy (listen_tls) VALUES ('127.0.0.1:8443')", "needs a certificate"},
      {"INSERT INTO proxy (listen) VALUES ('')", "the proxy listens nowhere"},
      {"INSERT INTO certificate VALUES ('a', '/a.pem'); INSERT INTO proxy (listen_tls) VALUES "
       "('127.0.0.1:8080')",
       "are the same address"},
  };
  for (const auto& [edit, words] : wrong) {
    PlanWorld world;
    world.sql(kJob);
    world.sql(kRoute);
    cr_assert(world.text("SELECT message FROM violation_now").empty(), "%s",
              world.text("SELECT message FROM violation_now").c_str());
    world.sql(edit);
    const std::string said = world.text("SELECT message FROM violation_now");
    cr_expect(said.find(words) != std::string::npos, "%s: %s", edit, said.c_str());
  }
}

Test(route_input, a_path_that_no_request_can_have_is_refused_with_what_to_write) {
  const std::pair<const char*, const char*> paths[] = {
      {"/100%", "'%25' for the sign itself"},
      {"/a%2", "'%25' for the sign itself"},
      {"/a%zz/b", "'%25' for the sign itself"},
      {"/a%c3%a9", "'%2F' for '%2f'"},
      {"/%C3%a9", "'%2F' for '%2f'"},
      {"/%61dmin", "write the character itself"},
      {"/a%2Db", "write the character itself"},
      {"/a%2E", "write the character itself"},
      {"/a%39", "write the character itself"},
      {"/a%5Fb", "write the character itself"},
      {"/a%5A", "write the character itself"},
      {"/a%7E", "write the character itself"},
      {"/a%7A/b", "write the character itself"},
      {"/a%00", "control character"},
      {"/a%1F/b", "control character"},
      {"/a%7F", "control character"},
      {"/.", "without it"},
      {"/a/../b", "without it"},
      {"/a/./b", "without it"},
      {"/a/..", "without it"},
      {"/a/..%2Fb", "without it"},
      {"/a%5C../b", "without it"},
      {"/a/..;x/b", "without it"},
      {"/a/..%3Bx", "without it"},
      // These can be.
      {"/", ""},
      {"/a%2Fb%20c%25", ""},
      {"/%C3%A9", ""},
      {"/é", ""},
      {"/a+b/$x/{y}/@z;v=1", ""},
      {"/.well-known/..a/b..", ""},
      {"/%40%5B%60%7B%7D%2C%3A", ""},
  };
  PlanWorld world;
  world.sql(kJob);
  world.sql(kRoute);
  for (const auto& [path, words] : paths) {
    world.sql(std::string("UPDATE route SET path = '") + path + "'");
    const std::string said = world.text("SELECT message FROM violation_now");
    const bool is_told = words[0] == '\0' ? said.empty() : said.find(words) != std::string::npos;
    cr_expect(is_told, "%s: %s", path, said.c_str());
  }
}

Test(route_input, what_is_not_ascii_in_a_path_is_what_clients_send_for_it) {
  const std::pair<const char*, const char*> paths[] = {
      {"/a/b%20c", "/a/b%20c"},
      {"/é", "/%C3%A9"},
      {"/€/x", "/%E2%82%AC/x"},
      {"/a😀ü", "/a%F0%9F%98%80%C3%BC"},
  };
  PlanWorld world;
  world.sql(kJob);
  world.sql(kRoute);
  for (const auto& [path, sent] : paths) {
    world.sql(std::string("UPDATE route SET path = '") + path + "'");
    const std::string got =
        world.text("SELECT json_extract(structure, '$.path') FROM route_structure");
    cr_expect(got == sent, "%s: %s", path, got.c_str());
  }
}
