// The answers of HAProxy's runtime socket, as 2.6 gives them.
#include "controller/adapters/haproxy/haproxy_socket.h"

#include <criterion/criterion.h>

#include <string>

using namespace rowlock;

namespace {

constexpr char kServers[] =
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight "
    "srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health "
    "srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord\n"
    "3 rowlock-abc-web 1 s1 127.0.0.1 2 4 7 1 621 1 0 2 0 0 0 0 - 18099 - 0 0 - - 0\n"
    "3 rowlock-abc-web 2 s2 ::1 0 5 2 2 621 1 0 0 8 0 0 0 - 80 - 0 0 - - 0\n"
    "3 rowlock-abc-web 3 s3 10.0.0.1 2 8 2 2 621 1 0 0 8 0 0 0 - 80 - 0 0 - - 0\n"
    "3 rowlock-abc-web 4 s4 10.0.0.2 0 0 1 1 621 1 0 0 8 0 0 0 - 80 - 0 0 - - 0\n\n"
    "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb\n"
    "rowlock-abc-web/s1 3/1 127.0.0.1 18099 - 5000 4 9 0 0\n\n";

}  // namespace

Test(haproxy_answers, servers_and_connections_may_come_in_one_text) {
  const auto servers = parse_servers(kServers);
  cr_assert(servers.size() == 4);
  cr_expect(servers[0].backend == "rowlock-abc-web" && servers[0].server == "s1");
  cr_expect(servers[0].ready && servers[0].weight == 7 && servers[0].port == 18099);
  cr_expect(!servers[1].ready && servers[1].address == "::1" && servers[1].port == 80);
  cr_expect(!servers[2].ready && !servers[2].failing);
  cr_expect(servers[3].ready && servers[3].failing && !servers[0].failing && !servers[1].failing);
  const auto used = parse_connections(kServers);
  cr_expect(used.size() == 1 && used.at("rowlock-abc-web/s1") == 4);
}

Test(haproxy_answers, processes_are_told_apart) {
  const auto list = parse_processes(
      "#<PID>          <type>          <reloads>       <uptime>        <version>      \n"
      "6728            master          2 [failed: 1]   0d00h10m15s     2.6.12\n# workers\n"
      "6760            worker          0               0d00h00m15s     2.6.12\n# old workers\n"
      "6729            worker          2               0d00h10m15s     2.6.12\n"
      "6740            worker          1               0d00h05m15s     2.6.12\n# programs\n\n");
  cr_assert(list.has_value());
  cr_expect(list->master == 6728 && list->failed == 1 && list->worker == 6760);
  cr_expect((list->old_workers == std::vector<std::int64_t>{6729, 6740}));
  cr_expect(!parse_processes("Unknown command, but maybe\n").has_value());
}

Test(haproxy_answers, certificates_maps_and_facts_are_read) {
  const auto loaded = parse_certificates(
      "Filename: /c/a.pem\nStatus: Used\nnotAfter: Nov 28 01:29:39 2026 GMT\n"
      "Subject Alternative Name: DNS:example.org, DNS:*.example.org\n"
      "SHA1 FingerPrint: C8C9\nSubject: /CN=x\n\n"
      "Filename: /c/b.pem\nSHA1 FingerPrint: AA\nSubject: /C=DE/CN=b.org/OU=x\n\n");
  cr_assert(loaded.size() == 2);
  cr_expect(loaded.at("/c/a.pem").names == "example.org *.example.org");
  cr_expect(loaded.at("/c/a.pem").not_after_ms == 1795829379000);
  cr_expect(loaded.at("/c/a.pem").fingerprint == "C8C9");
  cr_expect(loaded.at("/c/b.pem").names == "b.org");
  const auto map = parse_map("0x5653b15c0ee0 rowlock-abc-web pause:5\n\n");
  cr_expect(map.size() == 1 && map[0].second == "pause:5");
  const WorkerFacts facts =
      parse_info("Version: 2.6\nPid: 12\ndescription: rowlock a generation 1\n");
  cr_expect(facts.process == 12 && facts.description == "rowlock a generation 1");
}

Test(haproxy_answers, requests_that_could_not_be_read_are_counted_of_the_own_frontend) {
  const std::string stat =
      "# pxname,svname,qcur,ereq,econ,\nother,FRONTEND,,9,,\nrowlock-abc,FRONTEND,,17,,\n"
      "rowlock-abc-web,BACKEND,0,5,1,\n\n";
  cr_expect_eq(parse_unread(kServers + stat, "rowlock-abc"), 17);
  cr_expect_eq(parse_unread(stat, "rowlock-xyz"), 0);
  cr_expect_eq(parse_unread("rowlock-abc,FRONTEND,,17,,\n", "rowlock-abc"), 0, "without its head");
  for (std::size_t length = 0; length <= stat.size(); ++length) {
    cr_expect_leq(parse_unread(stat.substr(0, length), "rowlock-abc"), 17);
  }
}

Test(haproxy_answers, any_cut_of_an_answer_is_survived) {
  const std::string whole = kServers;
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    cr_expect(parse_servers(whole.substr(0, length)).size() <= 4);
    (void)parse_connections(whole.substr(0, length));
    (void)parse_processes("#<PID>" + whole.substr(0, length));
    (void)parse_certificates(whole.substr(0, length));
  }
}
