// Buckets of a real S3 service against the suite that every store passes, what other clients see of
// what is stored there, and what a real service refuses.
#include "controller/adapters/object_stores.h"
#include "controller/adapters/s3/s3_objects.h"
#include "controller/adapters/s3/s3_store.h"
#include "controller/base/time.h"
#include "tests/conformance/object_store_suite.h"
#include "tests/live/s3/swift_rig.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <atomic>
#include <sstream>

using namespace rowlock;

namespace {

constexpr std::size_t kMiB = 1024 * 1024;
constexpr std::size_t kLargeBytes = 17 * kMiB + 12'345;  // Three whole parts, and a rest.

const std::atomic<bool> kNeverEnding = false;

std::shared_ptr<S3Client> client_of(const StoreAddress& address) {
  return std::make_shared<S3Client>(read_s3_place(address).value(), address.access_key_id,
                                    address.secret_access_key, kNeverEnding, S3Deadlines{});
}

// The keys of uploads that nobody has finished, as the AWS command line sees them.
std::vector<std::string> pending_in(const SwiftRig& swift, const std::string& bucket,
                                    const std::string& prefix) {
  std::istringstream lines(swift.aws(
      {"s3api", "list-multipart-uploads", "--bucket", bucket, "--query", "Uploads[].[Key]"}));
  std::vector<std::string> keys;
  for (std::string line; std::getline(lines, line);) {
    if (line != "None" && !line.empty()) keys.push_back(line.substr(prefix.size()));
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

ObjectStoreFixture fixture_of(const SwiftRig& swift, const std::string& bucket,
                              const std::string& prefix) {
  ObjectStoreFixture fixture;
  fixture.leave_upload = [&swift, bucket, prefix](const std::string& key) {
    swift.aws({"s3api", "create-multipart-upload", "--bucket", bucket, "--key", prefix + key});
  };
  fixture.pending_uploads = [&swift, bucket, prefix] { return pending_in(swift, bucket, prefix); };
  fixture.now_ms = system_now_ms();
  fixture.large_bytes = kLargeBytes;
  return fixture;
}

void put(ObjectStore& store, const std::string& key, const std::string& bytes) {
  auto upload = store.upload(key);
  cr_assert(upload.ok(), "%s", upload.ok() ? "" : upload.error().message.c_str());
  cr_assert(upload.value()->write(bytes).ok());
  const Result<> finished = upload.value()->finish();
  cr_assert(finished.ok(), "%s", finished.ok() ? "" : finished.error().message.c_str());
}

template <typename T>
void is_refused(const Result<T>& result, Cause cause, const std::string& words) {
  cr_expect(!result.ok(), "expected an error with: %s", words.c_str());
  if (result.ok()) return;
  const Error& error = result.error();
  cr_expect(error.fault == Fault::rejected && error.cause == cause && !error.hint.empty(), "%s",
            error.message.c_str());
  cr_expect(error.message.find(words) != std::string::npos, "expected '%s' in: %s", words.c_str(),
            error.message.c_str());
}

}  // namespace

Test(live_swift, a_bucket_behaves_like_every_store, .timeout = 300) {
  SwiftRig swift;
  swift.make_bucket("plain");
  const auto store = object_store_of(swift.address("plain"), kNeverEnding);

  check_object_store(*store, fixture_of(swift, "plain", ""));

  cr_expect(store->probe().value().has_conditions);
  cr_expect(!store->probe().value().is_versioned);
  cr_expect(swift.aws({"s3api", "list-objects-v2", "--bucket", "plain"}).find("CONTENTS") ==
            std::string::npos);
}

Test(live_swift, a_prefix_of_a_versioned_bucket_behaves_like_every_store, .timeout = 300) {
  SwiftRig swift;
  swift.make_bucket("versioned", true);
  swift.aws({"s3api", "put-object", "--bucket", "versioned", "--key", "school-of-others/a"});
  const auto store = object_store_of(swift.address("versioned", "school/of"), kNeverEnding);

  check_object_store(*store, fixture_of(swift, "versioned", "school/of/"));

  cr_expect(store->probe().value().is_versioned);
  // All that is left is what was never ours: no version, and nothing that hides one.
  const std::string left = swift.aws({"s3api", "list-object-versions", "--bucket", "versioned",
                                      "--query", "[Versions[].Key, DeleteMarkers[].Key]"});
  cr_expect(left.find("school-of-others/a") != std::string::npos, "%s", left.c_str());
  cr_expect(left.find("school/of") == std::string::npos, "%s", left.c_str());
}

Test(live_swift, other_clients_list_and_read_what_was_uploaded, .timeout = 300) {
  SwiftRig swift;
  TempFolder folder;
  swift.make_bucket("shared");
  const auto store = object_store_of(swift.address("shared", "home"), kNeverEnding);
  const std::string small = sample_bytes(1234, 1);
  const std::string large = sample_bytes(kLargeBytes, 2);

  put(*store, "a/small", small);
  put(*store, "a/large", large);

  const std::string listed = swift.aws({"s3", "ls", "--recursive", "s3://shared/home/"});
  cr_expect(listed.find("1234 home/a/small") != std::string::npos, "%s", listed.c_str());
  cr_expect(listed.find(std::to_string(kLargeBytes) + " home/a/large") != std::string::npos);
  swift.aws({"s3", "cp", "--only-show-errors", "s3://shared/home/a/large", folder / "by-aws"});
  cr_expect(contents(folder / "by-aws") == large);
  cr_expect(swift.rclone({"lsf", "-R", "swift:shared"}).find("home/a/small") != std::string::npos);
  swift.rclone({"copy", "swift:shared/home/a", folder / "by-rclone"});
  cr_expect(contents(folder / "by-rclone/small") == small);
  cr_expect(contents(folder / "by-rclone/large") == large);
}

Test(live_swift, what_other_clients_upload_is_listed_and_read, .timeout = 300) {
  SwiftRig swift;
  TempFolder folder;
  swift.make_bucket("shared");
  write(folder / "theirs", "by hand");
  swift.aws({"s3", "cp", "--only-show-errors", folder / "theirs", "s3://shared/a/theirs"});
  swift.aws({"s3", "cp", "--only-show-errors", folder / "theirs", "s3://shared/a/odd name"});
  const auto store = object_store_of(swift.address("shared"), kNeverEnding);

  const auto listed = store->list("a/");

  cr_assert(listed.ok());
  cr_expect(listed.value().size() == 1 && listed.value()[0].key == "a/theirs");
  cr_expect(store->read("a/theirs", 0, 100).value() == "by hand");
}

Test(live_swift, a_list_of_many_pages_is_whole, .timeout = 300) {
  SwiftRig swift;
  swift.make_bucket("many");
  const auto store = object_store_of(swift.address("many"), kNeverEnding);
  for (int i = 0; i < 5; ++i) put(*store, "n/" + std::to_string(i), "x");
  const auto client = client_of(swift.address("many"));

  const auto listed = list_objects(*client, "n/", 2);

  cr_assert(listed.ok(), "%s", listed.ok() ? "" : listed.error().message.c_str());
  cr_expect(listed.value().size() == 5);
  cr_expect(listed.value().front().key == "n/0" && listed.value().back().key == "n/4");
}

Test(live_swift, what_a_real_service_refuses_is_one_sentence, .timeout = 300) {
  SwiftRig swift;
  swift.make_bucket("plain");
  StoreAddress revoked = swift.address("plain");
  revoked.secret_access_key = std::make_shared<const SecretBytes>(std::string_view("revoked"));
  StoreAddress unknown = swift.address("plain");
  unknown.access_key_id = "nobody";
  StoreAddress elsewhere = swift.address("plain");
  elsewhere.region = "eu-central-1";

  for (const StoreAddress& address : {revoked, unknown}) {
    const auto store = object_store_of(address, kNeverEnding);
    is_refused(store->probe(), Cause::denied, "HTTP 403");
    is_refused(store->upload("a"), Cause::denied, "HTTP 403");
    is_refused(store->look("a"), Cause::denied, "HTTP 403");
    is_refused(store->list(""), Cause::denied, "HTTP 403");
  }
  const auto absent = object_store_of(swift.address("absent"), kNeverEnding);
  is_refused(absent->probe(), Cause::not_found, "NoSuchBucket");
  is_refused(absent->look("a"), Cause::not_found, "NoSuchBucket");
  is_refused(object_store_of(elsewhere, kNeverEnding)->list(""), Cause::other,
             "it is in us-east-1");
}
