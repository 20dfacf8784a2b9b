// The fake stores against the suite that real ones pass, and the faults that only a fake can have.
#include "tests/fakes/fake_object_store.h"

#include "tests/conformance/object_store_suite.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <atomic>

using namespace rowlock;

namespace {

constexpr char kUrl[] = "s3://backups/school";
constexpr std::int64_t kNowMs = 1'000'000'000;

struct Stores {
  FakeObjectStores fakes{[] { return kNowMs; }};
  std::atomic<bool> ending = false;
  std::shared_ptr<ObjectStore> store = fakes.open({kUrl}, ending);

  std::unique_ptr<Upload> begin(const std::string& key) {
    auto begun = store->upload(key);
    cr_assert(begun.ok());
    return std::move(begun).value();
  }
};

}  // namespace

Test(conformance_fake_object_store, behaves_like_every_store) {
  Stores stores;
  ObjectStoreFixture fixture;
  fixture.leave_upload = [&](const std::string& key) {
    stores.fakes.set_faults([](const std::string& call, const std::string&) {
      return call == "abort" ? FaultPlan::fail_before : FaultPlan::none;
    });
    (void)stores.store->upload(key);
    stores.fakes.set_faults(nullptr);
  };
  fixture.pending_uploads = [&] {
    auto keys = stores.fakes.pending_uploads(kUrl);
    std::sort(keys.begin(), keys.end());
    return keys;
  };
  fixture.now_ms = kNowMs;
  fixture.large_bytes = 1'000'000;

  check_object_store(*stores.store, fixture);
}

Test(conformance_fake_object_store, faults_lose_the_object_or_only_the_answer) {
  Stores stores;
  FaultPlan plan = FaultPlan::fail_before;
  stores.fakes.set_faults([&](const std::string& call, const std::string&) {
    return call == "finish" ? plan : FaultPlan::none;
  });

  {
    const auto upload = stores.begin("a");
    cr_expect(upload->write("x").ok());
    cr_expect(upload->finish().error().fault == Fault::transient);
    cr_expect(stores.fakes.keys(kUrl).empty());
    plan = FaultPlan::lose_answer;
    cr_expect(upload->finish().error().cause == Cause::deadline);
    cr_expect(stores.fakes.object(kUrl, "a")->bytes == "x");
  }
  cr_expect(stores.fakes.keys(kUrl).empty());

  stores.fakes.set_reachable(false);
  cr_expect(stores.store->list("").error().cause == Cause::unreachable);
}

Test(conformance_fake_object_store, stores_are_told_apart_by_their_url) {
  Stores stores;
  const auto other = stores.fakes.open({"file:///backups"}, stores.ending);
  stores.fakes.put(kUrl, "a", "x");

  cr_expect(stores.fakes.open({kUrl}, stores.ending)->list("").value().size() == 1);
  cr_expect(other->list("").value().empty());
  stores.fakes.set_away(kUrl, true);
  cr_expect(stores.store->list("").error().cause == Cause::unreachable);
  cr_expect(other->list("").ok());
  const auto odd = stores.fakes.open({"ftp://backups"}, stores.ending);
  cr_expect(odd->probe().error().fault == Fault::rejected);
}

Test(conformance_fake_object_store, what_is_in_one_can_go_bad_and_full) {
  Stores stores;
  stores.fakes.put(kUrl, "a", "a");
  stores.fakes.flip_bit(kUrl, "a", 1);
  stores.fakes.set_room(3);

  cr_expect(stores.store->read("a", 0, 10).value() == "c");
  const auto upload = stores.begin("b");
  cr_expect(upload->write("xx").ok());
  const auto full = upload->write("x");
  cr_expect(!full.ok() && full.error().message.find("No space") != std::string::npos);
  stores.ending = true;
  cr_expect(!upload->finish().ok());
}
