// Answers in groups: one transaction for all that is waiting, and nothing released without it.
#include "controller/serve/api_service.h"

#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>
#include <sqlite3.h>

#include <functional>
#include <thread>
#include <utility>
#include <vector>

using rowlock::ApiRig;
using rowlock::ApiService;
using rowlock::HttpRequest;
using rowlock::HttpResponse;
using rowlock::Json;
using rowlock::Loop;

namespace {

class StillClock final : public rowlock::Clock {
 public:
  std::int64_t now_ms() const override { return ApiRig::kStartMs; }
};

struct ServiceRig : ApiRig {
  Loop loop;
  StillClock clock;
  int changes = 0;
  std::vector<HttpResponse> answers;
  std::vector<std::pair<std::function<void()>, std::function<void()>>> jobs;  // Not done yet.
  ApiService service{loop,
                     state,
                     schema,
                     secrets,
                     clock,
                     [this] { ++changes; },
                     [this](std::function<void()> job, std::function<void()> done) {
                       jobs.push_back({std::move(job), std::move(done)});
                     },
                     std::chrono::hours(1)};

  void send(const std::string& method, const std::string& path, const std::string& body = "") {
    HttpRequest asked = request(method, path, body);
    asked.door = rowlock::Door::operators;
    asked.user = 0;
    service.handle(std::move(asked),
                   [this](HttpResponse response) { answers.push_back(std::move(response)); });
  }

  // Answers all that was sent.
  void turn() {
    loop.post([this] { loop.stop(); });
    loop.run();
  }

  // Answers all, in as many turns as that needs.
  void turn_until(std::size_t count) {
    while (answers.size() < count) turn();
  }

  // From now on, nothing can be appended to the audit log.
  void break_audit() {
    sql("CREATE TRIGGER no_room BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END");
  }
};

}  // namespace

Test(serve_api_service, answers_all_that_waits_in_one_transaction) {
  ServiceRig rig;
  int commits = 0;
  const auto count = [](void* to) {
    ++*static_cast<int*>(to);
    return 0;
  };
  sqlite3_commit_hook(rig.state.handle(), count, &commits);

  for (int i = 0; i < 20; ++i) {
    rig.send("POST", "/v1/secret/data/x" + std::to_string(i), R"({"data":{"k":"v"}})");
  }
  rig.send("GET", "/v1/secret/data/x7");
  cr_expect(rig.answers.empty(), "not before the loop turns");
  rig.turn();

  cr_assert_eq(rig.answers.size(), 21u);
  for (const HttpResponse& answer : rig.answers) {
    cr_expect_eq(answer.status, 200);
  }
  cr_expect_eq(commits, 1);
  cr_expect_eq(rig.changes, 1);
}

Test(serve_api_service, one_that_fails_leaves_the_others_alone) {
  ServiceRig rig;
  rig.send("POST", "/v1/secret/data/x", R"({"data":{"k":"1"}})");
  rig.send("POST", "/v1/secret/data/x", R"({"options":{"cas":5},"data":{"k":"2"}})");
  rig.send("POST", "/v1/secret/data/x", R"({"options":{"cas":1},"data":{"k":"3"}})");
  rig.turn();

  cr_assert_eq(rig.answers.size(), 3u);
  cr_expect_eq(rig.answers[0].status, 200);
  cr_expect_eq(rig.answers[1].status, 400);
  cr_expect_eq(rig.answers[2].status, 200);
  cr_expect(rig.value("SELECT count(*) FROM secret_version") == "2");
  cr_expect(rig.value("SELECT group_concat(outcome) FROM (SELECT outcome FROM audit WHERE path = "
                      "'x' ORDER BY seq)") == "allowed,failed,allowed");
}

Test(serve_api_service, a_read_alone_changes_nothing_to_plan_for) {
  ServiceRig rig;
  rig.send("GET", "/v1/secret/data/x");
  rig.send("GET", "/v1/sys/health");
  rig.turn();

  cr_expect_eq(rig.answers.size(), 2u);
  cr_expect_eq(rig.changes, 0);
}

Test(serve_api_service, the_audit_log_is_verified_on_another_thread_and_holds_up_nobody) {
  ServiceRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"v"}})");
  rig.send("POST", "/v1/rowlock/audit/verify");
  rig.send("POST", "/v1/secret/data/x", R"({"data":{"k":"w"}})");
  rig.turn();
  const std::size_t answered = rig.answers.size();
  cr_assert_eq(rig.jobs.size(), 1u);
  rig.ask("PUT", "/v1/sys/seal");

  std::thread(rig.jobs[0].first).join();
  rig.jobs[0].second();

  cr_expect_eq(answered, 1u, "the other request");
  cr_assert_eq(rig.answers.size(), 2u);
  const auto report = Json::parse(rig.answers[1].body);
  cr_assert(report.ok());
  cr_expect_eq(report.value()["findings"].items().size(), 0u, "%s", rig.answers[1].body.c_str());
  cr_expect_eq(report.value()["rows"].as_integer(), 4, "%s", rig.answers[1].body.c_str());
}

Test(serve_api_service, nothing_is_released_when_the_audit_log_cannot_be_written) {
  ServiceRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"the value"}})");
  const std::string versions = rig.value("SELECT count(*) FROM secret_version");
  rig.break_audit();

  rig.send("GET", "/v1/sys/health");
  rig.send("GET", "/v1/secret/data/x");
  rig.send("POST", "/v1/secret/data/y", R"({"data":{"k":"w"}})");
  rig.send("GET", "/v1/sys/seal-status");
  rig.turn();

  cr_assert_eq(rig.answers.size(), 4u);
  cr_expect_eq(rig.answers[0].status, 200, "health needs no audit");
  cr_expect_eq(rig.answers[3].status, 200);
  for (const std::size_t i : {1u, 2u}) {
    cr_expect_eq(rig.answers[i].status, 503);
    cr_expect(rig.answers[i].body.find("nothing is released: the audit log cannot be written") !=
              std::string::npos);
    cr_expect(rig.answers[i].body.find("the value") == std::string::npos);
  }
  cr_expect(rig.value("SELECT count(*) FROM secret_version") == versions);
  cr_expect_eq(rig.changes, 0);
  cr_expect(rig.secrets.keyring.is_open());

  rig.sql("DROP TRIGGER no_room");
  rig.answers.clear();
  rig.send("GET", "/v1/secret/data/x");
  rig.turn();
  cr_expect_eq(rig.answers[0].status, 200, "it goes on by itself");
}

Test(serve_api_service, nothing_is_released_when_the_commit_fails) {
  ServiceRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"the value"}})");
  const auto refuse = [](void*) { return 1; };
  sqlite3_commit_hook(rig.state.handle(), refuse, nullptr);

  rig.send("GET", "/v1/secret/data/x");
  rig.turn();
  sqlite3_commit_hook(rig.state.handle(), nullptr, nullptr);

  cr_assert_eq(rig.answers.size(), 1u);
  cr_expect_eq(rig.answers[0].status, 503);
  cr_expect(rig.answers[0].body.find("the value") == std::string::npos);
  rig.send("GET", "/v1/secret/data/x");
  rig.turn();
  cr_expect_eq(rig.answers[1].status, 200);
}

Test(serve_api_service, a_full_disk_holds_back_what_is_not_written_down_and_nothing_more) {
  ServiceRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"the value"}})");
  const std::string large = R"({"data":{"k":")" + std::string(400'000, 'x') + R"("}})";
  const auto limit = [&](const std::string& pages) {
    cr_assert(rig.state.query("PRAGMA max_page_count=" + pages).ok());
  };
  limit(rig.value("PRAGMA page_count"));

  // Until even the lines of the audit log have no room any more.
  for (int turn = 0; turn < 60; ++turn) {
    for (int i = 0; i < 5; ++i) {
      rig.send("GET", "/v1/secret/data/x");
    }
    rig.send("POST", "/v1/secret/data/y", large);
    rig.turn();
  }
  int read = 0;
  int withheld = 0;
  for (const HttpResponse& answer : rig.answers) {
    const bool is_held = answer.body.find("the value") == std::string::npos;
    read += is_held ? 0 : 1;
    withheld += is_held ? 1 : 0;
    cr_expect_eq(answer.status, is_held ? 503 : 200, "%s", answer.body.c_str());
  }
  cr_expect_gt(withheld, 60, "more than what was too large");
  cr_expect(rig.value("SELECT count(*) FROM audit WHERE operation = 'read' AND outcome = "
                      "'allowed'") == std::to_string(read));
  cr_expect(rig.value("SELECT count(*) FROM secret") == "1");

  limit("1000000");
  rig.answers.clear();
  rig.send("POST", "/v1/secret/data/y", large);
  rig.turn();
  cr_expect_eq(rig.answers[0].status, 200, "it goes on by itself");
  cr_expect(rig.secrets.audit.verify().value().findings.empty());
}

// To seal wipes the keys whatever becomes of the row; any other change is undone in memory as well.
Test(serve_api_service, keys_whose_change_was_not_written_are_what_they_were_before) {
  for (const std::string path : {"/v1/sys/rotate", "/v1/rowlock/rekey", "/v1/sys/seal"}) {
    ServiceRig rig;
    const auto refuse = [](void* count) { return ++*static_cast<int*>(count) == 1 ? 1 : 0; };
    int commits = 0;
    sqlite3_commit_hook(rig.state.handle(), refuse, &commits);

    rig.send("POST", path, R"({"secret_shares":3,"secret_threshold":2})");
    rig.turn();

    cr_assert_eq(rig.answers.size(), 1u);
    const bool is_sealed = path.ends_with("seal");
    cr_expect_eq(rig.answers[0].status, 503, "%s", path.c_str());
    cr_expect(rig.secrets.keyring.is_open() != is_sealed, "%s", path.c_str());
    cr_expect(rig.value("SELECT state FROM seal") == (is_sealed ? "sealed" : "open"), "%s",
              path.c_str());
    cr_expect(rig.secrets.keyring.keys().size() == (is_sealed ? 0 : 4), "%s", path.c_str());
    rig.secrets.keyring.seal();
    rig.send("PUT", "/v1/sys/unseal", Json::object({{"key", Json::string(rig.unseal_key)}}).text());
    rig.turn();
    cr_expect_eq(rig.answers[1].status, 200, "%s: the old key is still the key", path.c_str());
    cr_expect(rig.secrets.keyring.is_open(), "%s", path.c_str());
  }
}

Test(serve_api_service, keys_that_were_made_but_not_written_are_none) {
  ServiceRig rig;
  rig.sql(
      "DROP TRIGGER audit_is_not_cut; DELETE FROM keyring; DELETE FROM audit; "
      "DELETE FROM audit_head; UPDATE secret_config SET digest = ''");
  rig.secrets.keyring.forget();
  rig.break_audit();

  rig.send("PUT", "/v1/sys/init", "{}");
  rig.turn();

  cr_expect_eq(rig.answers[0].status, 500, "%s", rig.answers[0].body.c_str());
  cr_expect(rig.answers[0].body.find("rowlock-share") == std::string::npos);
  cr_expect(rig.secrets.keyring.state() == rowlock::Keyring::State::absent);
}

Test(serve_api_service, more_than_can_wait_are_turned_away) {
  ServiceRig rig;
  for (std::size_t i = 0; i < ApiService::kQueueMax + 2; ++i) {
    rig.send("GET", "/v1/sys/seal-status");
  }
  cr_expect_eq(rig.answers.size(), 2u);
  cr_expect_eq(rig.answers[0].status, 503);
  rig.turn();
  cr_expect_eq(rig.answers.size(), ApiService::kQueueMax + 2);
}

Test(serve_api_service, may_go_while_requests_wait) {
  ApiRig rig;
  Loop loop;
  const StillClock clock;
  {
    ApiService service(loop, rig.state, rig.schema, rig.secrets, clock, [] {}, {});
    service.handle(ApiRig::request("GET", "/v1/sys/health", ""),
                   [](HttpResponse) { cr_expect(false, "nobody is left to answer"); });
  }
  loop.post([&loop] { loop.stop(); });
  loop.run();
}

Test(serve_api_service, strangers_cannot_fill_the_audit_log_nor_keep_others_from_being_heard) {
  ServiceRig rig;
  const std::string before = rig.value("SELECT count(*) FROM audit");
  const std::string long_path = "/v1/secret/data/" + std::string(20000, 'x');
  for (int i = 0; i < 500; ++i) {
    HttpRequest asked = rig.request("GET", long_path, "");
    rig.service.handle(std::move(asked),
                       [&](HttpResponse response) { rig.answers.push_back(std::move(response)); });
  }
  rig.send("GET", "/v1/secret/metadata/?list=true");
  rig.turn();

  cr_assert_lt(rig.answers.size(), 100u, "strangers have their turn");
  cr_expect_eq(rig.answers.front().status, 404, "the operator is heard first");
  cr_expect_eq(rig.answers[1].status, 403);
  rig.turn_until(501);
  cr_expect_eq(rig.answers.back().status, 429);
  cr_expect_leq(std::stoi(rig.value("SELECT count(*) FROM audit")) - std::stoi(before),
                rowlock::Denials::kWrittenMax + 1);
  cr_expect_leq(std::stoi(rig.value("SELECT max(length(path) + length(detail)) FROM audit")), 1100);
}
