// The fake proxy against the suite that the real one passes, and the faults that only a fake can
// have.
#include "tests/fakes/fake_proxy.h"

#include "tests/conformance/proxy_suite.h"

#include <criterion/criterion.h>

using namespace rowlock;

namespace {

ProxySlot at(int number, bool ready, int port = 80) {
  return ProxySlot{number, ready, "10.0.0.1", port, 1};
}

ProxyConfig config(std::int64_t generation, const std::vector<ProxySlot>& slots) {
  ProxyRoute web;
  web.name = "web";
  web.host = "example.org";
  web.path = "/";
  web.slots = slots;
  ProxyConfig result;
  result.generation = generation;
  result.home = "home";
  result.routes = {web};
  return result;
}

void begin(FakeProxy& proxy, const ProxyConfig& saved) {
  cr_assert(proxy.save(saved).ok());
  cr_assert(proxy.start().ok());
}

void take(FakeProxy& proxy, const ProxyConfig& saved) {
  cr_assert(proxy.save(saved).ok());
  cr_assert(proxy.reload().ok());
}

}  // namespace

Test(conformance_fake_proxy, behaves_like_every_proxy) {
  FakeProxy proxy;
  ProxyFixture fixture;
  fixture.listen = "127.0.0.1:80";
  fixture.listen_tls = "127.0.0.1:443";
  fixture.folder_for_files = "/certificates";
  fixture.kill = [&] { proxy.kill(); };
  fixture.spoil = [](ProxyConfig spoilt) {
    spoilt.routes.front().headers = {{"X-\x01", "1"}};
    return spoilt;
  };
  std::int64_t version = 0;
  fixture.write_certificate = [&](const std::string& file, bool good) {
    proxy.put_certificate(file, ++version, good);
  };

  check_proxy(proxy, fixture);

  cr_expect(!proxy.running());
}

Test(conformance_fake_proxy, a_request_stays_with_the_worker_that_took_it) {
  FakeProxy proxy;
  begin(proxy, config(1, {at(1, true), at(2, true, 81)}));
  cr_expect(proxy.begin_session("web", 1));
  take(proxy, config(2, {at(1, false), at(2, true, 81)}));

  const SlotReport first = proxy.look("web", 1).value();
  cr_expect(!first.ready && first.sessions == 1 && first.lingers);
  cr_expect(proxy.look("web", 2).value().lingers);
  cr_expect(proxy.is_given_requests("10.0.0.1", 80), "the old worker may still");
  cr_expect(!proxy.begin_session("web", 1));

  cr_expect(proxy.end_session("web", 1));
  cr_expect(!proxy.look("web", 1).value().lingers && !proxy.look("web", 2).value().lingers);
  cr_expect(!proxy.is_given_requests("10.0.0.1", 80));
  cr_expect(proxy.is_given_requests("10.0.0.1", 81));
  cr_expect(!proxy.end_session("web", 1));
}

Test(conformance_fake_proxy, slots_of_old_workers_alone_are_told) {
  FakeProxy proxy;
  proxy.linger_after_reload(true);
  begin(proxy, config(1, {at(1, true), at(2, true, 81)}));
  take(proxy, config(2, {at(1, true)}));

  cr_expect(proxy.look("web", 2).error().cause == Cause::not_found);
  const std::vector<SlotReport> slots = proxy.observe().value().slots;
  cr_assert(slots.size() == 2);
  cr_expect(slots[1].number == 2 && !slots[1].ready && slots[1].lingers);
  cr_expect(slots[1].address == "10.0.0.1" && slots[1].port == 81);

  proxy.end_old_workers();
  cr_expect(proxy.slots().size() == 1 && !proxy.slots()[0].lingers);
}

Test(conformance_fake_proxy, a_free_slot_with_a_request_is_told) {
  FakeProxy proxy;
  begin(proxy, config(1, {at(1, true)}));
  cr_expect(proxy.begin_session("web", 1));
  ProxySlot free;
  free.number = 1;

  cr_expect(proxy.set_slot("web", free).value().sessions == 1);
  cr_expect(proxy.slots().size() == 1);
  cr_expect(proxy.end_session("web", 1));
  cr_expect(proxy.slots().empty());
}

Test(conformance_fake_proxy, a_kill_takes_everything_and_is_told) {
  FakeProxy proxy;
  int ends = 0;
  proxy.on_end([&] {
    ++ends;
    cr_expect(!proxy.running());
  });
  proxy.linger_after_reload(true);
  begin(proxy, config(1, {at(1, true)}));
  cr_expect(proxy.begin_session("web", 1));
  take(proxy, config(2, {at(1, true)}));

  for (int round = 0; round < 2; ++round) proxy.kill();
  cr_expect_eq(ends, 1);
  cr_expect(proxy.slots().empty() && !proxy.is_given_requests("10.0.0.1", 80));
  cr_expect_eq(proxy.generation(), -1);

  cr_expect(proxy.start().ok());
  cr_expect_eq(proxy.generation(), 2);
  cr_expect_eq(proxy.look("web", 1).value().sessions, 0);
  cr_expect(proxy.stop().ok());
  cr_expect_eq(ends, 2);
}

Test(conformance_fake_proxy, faults_lose_the_change_or_only_the_answer) {
  FakeProxy proxy;
  begin(proxy, config(1, {at(1, false)}));
  FaultPlan plan = FaultPlan::none;
  proxy.set_faults([&](const std::string& call, const std::string& name) {
    return call == "set_slot" && name == "web" ? plan : FaultPlan::none;
  });
  std::vector<std::string> calls;
  proxy.on_call([&](const std::string& call, const std::string& route, const ProxySlot& slot) {
    calls.push_back(call + " " + route + "/" + std::to_string(slot.number));
    cr_expect(!proxy.is_given_requests("10.0.0.1", 80), "told before it is done");
  });
  const std::int64_t changes = proxy.changes();

  plan = FaultPlan::fail_before;
  cr_expect(proxy.set_slot("web", at(1, true)).error().cause == Cause::other);
  plan = FaultPlan::unreachable;
  cr_expect(proxy.set_slot("web", at(1, true)).error().cause == Cause::unreachable);
  cr_expect(!proxy.is_given_requests("10.0.0.1", 80));
  cr_expect(calls.empty());
  cr_expect_eq(proxy.changes(), changes);
  plan = FaultPlan::lose_answer;
  cr_expect(proxy.set_slot("web", at(1, true)).error().cause == Cause::deadline);
  cr_expect(proxy.is_given_requests("10.0.0.1", 80));
  cr_expect(calls == std::vector<std::string>{"set_slot web/1"});
  cr_expect_eq(proxy.changes(), changes + 1);
}

Test(conformance_fake_proxy, a_save_is_refused_as_told) {
  FakeProxy proxy;
  cr_expect(proxy.save(config(1, {})).ok());
  proxy.refuse_next_save("no such thing");
  cr_expect(proxy.save(config(2, {})).error().message == "save: no such thing");
  cr_expect(proxy.save(config(3, {})).ok());

  proxy.refuse_saves([](const ProxyConfig& saved) {
    return saved.routes[0].host.find("bad") != std::string::npos ? "a bad host" : "";
  });
  ProxyConfig bad = config(4, {});
  bad.routes[0].host = "bad.example.org";
  cr_expect(proxy.save(bad).error().fault == Fault::rejected);
  cr_expect_eq(proxy.saved().generation, 3);
  cr_expect(proxy.save(config(5, {})).ok());
}

Test(conformance_fake_proxy, one_that_others_manage_is_neither_started_nor_stopped) {
  FakeProxy proxy;
  proxy.set_managed_by_others(true);
  proxy.start_by_hand();
  cr_expect_eq(proxy.observe().value().generation, -1, "its own configuration");
  take(proxy, config(1, {at(1, true)}));

  cr_expect(proxy.start().error().fault == Fault::rejected);
  cr_expect(proxy.stop().error().fault == Fault::rejected);
  cr_expect(proxy.running());
  cr_expect_eq(proxy.generation(), 1);
}

Test(conformance_fake_proxy, a_certificate_that_is_gone_keeps_it_from_starting) {
  FakeProxy proxy;
  proxy.put_certificate("/certificates/one.pem", 1);
  ProxyConfig saved = config(1, {});
  saved.certificates = {"/certificates"};
  begin(proxy, saved);

  proxy.remove_certificate("/certificates/one.pem");
  cr_expect(!proxy.observe().value().certificates[0].error.empty());
  cr_expect(proxy.observe().value().files_moved);
  cr_expect(!proxy.reload().ok());
  cr_expect(proxy.running(), "a reload that fails leaves what runs");
  proxy.kill();
  cr_expect(!proxy.start().ok());
  cr_expect(proxy.save(saved).error().fault == Fault::rejected);
}
