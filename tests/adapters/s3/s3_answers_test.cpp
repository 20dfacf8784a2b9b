// Reading from buckets that misbehave, and what their refusals are told as.
#include "controller/adapters/object_stores.h"
#include "controller/adapters/s3/s3_objects.h"
#include "controller/base/time.h"
#include "tests/adapters/s3/s3_case.h"
#include "tests/live/haproxy/web_server.h"

using namespace rowlock;

namespace {

using Mishap = StandInS3::Mishap;

const std::string kBytes = sample_bytes(200'000, 1);

HttpAnswer refusal(int status, const std::string& code, const std::string& more = "") {
  HttpAnswer answer;
  answer.status = status;
  answer.body = "<Error><Code>" + code + "</Code><Message>Said.</Message>" + more + "</Error>";
  answer.headers["date"] = "Wed, 25 Nov 2026 12:20:00 GMT";
  return answer;
}

constexpr std::int64_t kNoonMs = 1'795'608'000'000;  // 2026-11-25T12:00:00Z

}  // namespace

Test(s3_answers, a_read_that_is_cut_is_never_taken_for_the_end, .timeout = 60) {
  S3Case c;
  cr_assert(c.put("a", kBytes).ok());

  c.fail_once("get", Mishap::answer_cut);
  cr_expect(c.store->read("a", 0, 200'000).value() == kBytes);
  c.fail_always("get", Mishap::answer_cut);
  fails_with(c.store->read("a", 0, 200'000), "broke off its answer", "cut");
  c.fail_always("get", Mishap::silent);
  fails_with(c.store->read("a", 0, 100), "did not finish its answer", "silent");
}

Test(s3_answers, a_store_that_gives_another_part_is_found_out, .timeout = 60) {
  S3Case c;
  cr_assert(c.put("a", kBytes).ok());
  c.s3.ignores_ranges = true;

  cr_expect(c.store->read("a", 0, 200'000).value() == kBytes);
  fails_with(c.store->read("a", 100, 199'000), "no part of an object", "from the middle");
  fails_with(c.store->read("a", 0, 199'999), "no part of an object", "all but the last");
}

Test(s3_answers, a_list_comes_page_by_page_or_not_at_all, .timeout = 60) {
  S3Case c;
  for (int i = 0; i < 5; ++i) cr_assert(c.put("n/" + std::to_string(i), "x").ok());
  c.s3.page_keys_max = 2;

  const auto listed = c.store->list("n/");
  cr_assert(listed.ok());
  cr_expect(listed.value().size() == 5);
  c.fail_once("list", Mishap::answer_cut);
  cr_expect(c.store->list("n/").value().size() == 5);
  c.s3.set_faults(nullptr);
  c.s3.forgets_where = true;
  fails_with(c.store->list("n/"), "the list goes on, and not where", "forgetful");
  c.fail_always("list", Mishap::bad_gateway);
  fails_with(c.store->list("n/"), "HTTP 502", "a page for people");
}

Test(s3_answers, what_is_not_known_is_not_absent, .timeout = 60) {
  S3Case c;
  cr_assert(c.put("a", "x").ok());
  for (const Mishap fault : {Mishap::internal_error, Mishap::bad_gateway, Mishap::denied,
                             Mishap::dropped, Mishap::skewed}) {
    c.s3.set_faults([fault](const StandInS3::Asked&) { return fault; });
    cr_expect(!c.store->look("a").ok());
    cr_expect(!c.store->look("b").ok());
    cr_expect(!c.store->list("").ok());
    cr_expect(!c.store->remove("a").ok());
    cr_expect(!c.store->abort_uploads("", 0).ok());
    cr_expect(!c.store->probe().ok());
  }
  c.s3.set_faults(nullptr);
  cr_expect(c.s3.objects().size() == 1);
}

Test(s3_answers, a_removal_whose_answer_is_lost_is_made_again, .timeout = 60) {
  for (const bool is_versioned : {false, true}) {
    S3Case c;
    c.s3.is_versioned = is_versioned;
    cr_assert(c.put("a", "x").ok());
    c.fail_once("delete", Mishap::answer_lost);

    cr_expect(c.store->remove("a").ok());

    cr_expect(c.s3.versions_kept() == 0);
  }
}

Test(s3_answers, a_key_that_may_not_ask_for_versions_still_removes_them, .timeout = 60) {
  S3Case c;
  c.s3.is_versioned = true;
  c.fail_always("versioning", Mishap::denied);
  cr_assert(c.put("a", "x").ok());

  cr_expect(c.store->probe().value().is_versioned);
  cr_expect(c.store->remove("a").ok());

  cr_expect(c.s3.versions_kept() == 0);
}

Test(s3_answers, where_nobody_listens_it_is_unreachable, .timeout = 60) {
  StoreAddress address;
  address.url = "s3://backups";
  address.endpoint = "http://127.0.0.1:" + std::to_string(free_port());
  std::atomic<bool> ending = false;
  const auto store = S3Store::open(address, ending, kShortS3Deadlines).value();

  const auto looked = store->look("a");

  fails_with(looked, "it cannot be reached", "nobody");
  cr_expect(looked.error().fault == Fault::transient && looked.error().cause == Cause::unreachable);
}

Test(s3_answers, an_address_is_read_whole_or_rejected) {
  StoreAddress address;
  address.url = "s3://backups/school/of/";
  address.endpoint = "https://storage.example.org:443/";
  cr_expect(read_s3_place(address).value().path("a/b") == "/backups/school/of/a/b");
  cr_expect(read_s3_place(address).value().path("") == "/backups");
  cr_expect(read_s3_place(address).value().host == "storage.example.org");
  address.is_path_style = false;
  cr_expect(read_s3_place(address).value().path("a/b") == "/school/of/a/b");
  cr_expect(read_s3_place(address).value().path("") == "/");
  cr_expect(read_s3_place(address).value().host == "backups.storage.example.org");
  address.endpoint = "";
  address.region = "eu-central-1";
  cr_expect(read_s3_place(address).value().host == "backups.s3.eu-central-1.amazonaws.com");
  cr_expect(read_s3_place(address).value().scheme == "https");

  const auto is_rejected = [](StoreAddress odd) {
    const auto read = read_s3_place(odd);
    return !read.ok() && read.error().fault == Fault::rejected && !read.error().hint.empty();
  };
  for (const char* endpoint :
       {"storage.example.org", "ftp://x", "http://", "http://a/b", "http://a@b", "http://a\r\nb"}) {
    StoreAddress odd = address;
    odd.endpoint = endpoint;
    cr_expect(is_rejected(odd), "%s", endpoint);
  }
  StoreAddress odd = address;
  odd.access_key_id = "id";
  cr_expect(is_rejected(odd), "no secret");
  odd.secret_access_key = std::make_shared<const SecretBytes>(std::string_view("s"));
  cr_expect(!is_rejected(odd));
  odd.access_key_id = "id\nHost: other";
  cr_expect(is_rejected(odd), "a line's end");
}

// ---- Refusals ----------------------------------------------------------------------------------

Test(s3_answers, a_clock_that_is_off_is_told_with_both) {
  const Error error =
      refused("write a in s3://b", read_refusal(refusal(403, "RequestTimeTooSkewed"), kNoonMs));

  cr_expect(error.message ==
            std::string("write a in s3://b: the clocks are 20 min apart: this machine's says "
                        "2026-11-25T12:00:00.000Z, the store's 2026-11-25T12:20:00.000Z"));
  cr_expect(error.fault == Fault::broken && !error.hint.empty());
}

Test(s3_answers, whoever_can_mend_a_refusal_is_told_so) {
  const auto told = [](int status, const std::string& code, const std::string& more = "") {
    return refused("try", read_refusal(refusal(status, code, more), kNoonMs));
  };
  for (const char* code : {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied"}) {
    const Error error = told(403, code);
    cr_expect(error.fault == Fault::rejected && error.cause == Cause::denied && !error.hint.empty(),
              "%s", code);
  }
  cr_expect(told(404, "NoSuchBucket").fault == Fault::rejected);
  cr_expect(told(507, "").fault == Fault::transient && !told(507, "").hint.empty());
  cr_expect(told(403, "QuotaExceeded").fault == Fault::transient);
  cr_expect(told(500, "InternalError").fault == Fault::transient);
  cr_expect(told(400, "MalformedXML").fault == Fault::rejected);
  const Error elsewhere = told(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>");
  cr_expect(elsewhere.message.find("it is in eu-west-1") != std::string::npos);
  cr_expect(elsewhere.fault == Fault::rejected);
}

Test(s3_answers, only_what_may_pass_is_worth_another_try) {
  const auto passes = [](int status, const std::string& code) {
    return may_pass(read_refusal(refusal(status, code), kNoonMs));
  };
  cr_expect(passes(500, "InternalError") && passes(502, "") && passes(503, "SlowDown") &&
            passes(504, "") && passes(429, "") && passes(400, "RequestTimeout"));
  cr_expect(!passes(400, "BadDigest") && !passes(403, "AccessDenied") &&
            !passes(403, "RequestTimeTooSkewed") && !passes(404, "NoSuchKey") &&
            !passes(412, "PreconditionFailed") && !passes(501, "NotImplemented") &&
            !passes(507, "InsufficientStorage"));
}

Test(s3_answers, dates_are_read_as_the_store_writes_them) {
  cr_expect(xml_date_ms("2026-11-25T12:00:00.123Z") == kNoonMs + 123);
  cr_expect(xml_date_ms("2026-11-25T12:00:00Z") == kNoonMs);
  cr_expect(xml_date_ms("yesterday") == 0);
  cr_expect(http_date_ms("Wed, 25 Nov 2026 12:00:00 GMT") == kNoonMs);
  cr_expect(http_date_ms("yesterday") == 0);
}

Test(s3_answers, parts_grow_as_the_object_does) {
  std::int64_t most = 0;
  std::size_t largest = 0;
  for (int number = 1; number <= kPartsMax; ++number) {
    const std::size_t size = s3_part_bytes(number);
    cr_assert(size >= largest && size >= 5 * 1024 * 1024);
    largest = size;
    most += static_cast<std::int64_t>(largest);
  }
  cr_expect(largest <= 16 * 1024 * 1024, "one of them is held");
  cr_expect(most > std::int64_t{119} * 1024 * 1024 * 1024);
}
