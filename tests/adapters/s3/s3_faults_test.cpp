// Writing to buckets that misbehave, on a stand-in: no half object is ever taken for a whole one,
// nothing is left behind, and the error is one sentence.
#include "controller/base/time.h"
#include "tests/adapters/s3/s3_case.h"

#include <thread>

using namespace rowlock;

namespace {

using Mishap = StandInS3::Mishap;

const std::string kSmall = sample_bytes(1000, 1);

std::string large() { return sample_bytes(kLargeObjectBytes, 2); }

std::string name_of(Mishap fault) { return "fault " + std::to_string(static_cast<int>(fault)); }

void is_stored(const S3Case& c, const std::string& bytes, const std::string& title) {
  const auto objects = c.s3.objects();
  cr_expect(objects.size() == 1 && objects.begin()->second == bytes, "%s: it is there whole",
            title.c_str());
  cr_expect(c.s3.pending_uploads().empty(), "%s: no upload is left", title.c_str());
}

void nothing_is_stored(const S3Case& c, const std::string& title) {
  cr_expect(c.s3.objects().empty(), "%s: no object", title.c_str());
  cr_expect(c.s3.pending_uploads().empty(), "%s: no upload", title.c_str());
}

ObjectStoreFixture fixture_of(S3Case& c) {
  ObjectStoreFixture fixture;
  fixture.leave_upload = [&](const std::string& key) { c.s3.leave_upload(key); };
  fixture.pending_uploads = [&] { return c.s3.pending_uploads(); };
  fixture.now_ms = system_now_ms();
  fixture.large_bytes = kLargeObjectBytes;
  return fixture;
}

}  // namespace

// ---- What is well ------------------------------------------------------------------------------

Test(s3_store, behaves_like_every_store, .timeout = 120) {
  S3Case c;

  check_object_store(*c.store, fixture_of(c));

  cr_expect(c.store->probe().value().has_conditions);
  cr_expect(!c.store->probe().value().is_versioned);
  cr_expect(c.s3.requests_with("x-amz-checksum") == 0 && c.s3.requests_with("x-amz-sdk") == 0);
  cr_expect(c.s3.requests_with("authorization") == c.s3.requests());
}

Test(s3_store, behaves_so_with_versions_and_leaves_none, .timeout = 120) {
  S3Case c;
  c.s3.is_versioned = true;

  check_object_store(*c.store, fixture_of(c));

  cr_expect(c.store->probe().value().is_versioned);
  cr_expect(c.s3.versions_kept() == 0, "%d versions", c.s3.versions_kept());
}

Test(s3_store, behaves_so_where_an_etag_is_no_md5_and_conditions_are_ignored, .timeout = 120) {
  S3Case c;
  c.s3.has_odd_etags = true;
  c.s3.heeds_conditions = false;

  cr_expect(!c.store->probe().value().has_conditions);
  // Without conditions, those who finish at the same time are told apart by a look alone.
  check_object_store(*c.store, fixture_of(c));
}

Test(s3_store, a_bucket_can_be_named_by_its_host, .timeout = 60) {
  S3Case c;
  StoreAddress address = c.s3.address("school");
  address.endpoint = "http://localhost:" + std::to_string(c.s3.port());
  address.is_path_style = false;
  c.store = S3Store::open(address, c.ending, kShortS3Deadlines).value();

  cr_expect(c.put("a/b", kSmall).ok());

  cr_expect(c.s3.objects().contains("school/a/b"));
  cr_expect(c.store->list("a/").value().size() == 1);
  cr_expect(c.store->read("a/b", 0, 1000).value() == kSmall);
  cr_expect(c.store->remove("a/b").ok() && c.s3.objects().empty());
}

// As the last parts of a very large object are.
Test(s3_store, parts_too_large_to_hold_two_are_filled_and_sent_by_turns, .timeout = 120) {
  constexpr std::size_t kMiB = 1024 * 1024;
  S3Deadlines ample = kShortS3Deadlines;  // Much is moved, on a machine that may be busy.
  ample.silence_ms = ample.answer_ms = ample.completion_silence_ms = 30'000;
  ample.transfer_ms = ample.completion_ms = 60'000;
  S3Case c(ample, [](int number) {
    return number <= 2 ? 5 * kMiB : number <= 3 ? 8 * kMiB : 16 * kMiB;
  });
  for (const std::size_t size : {18 * kMiB, 34 * kMiB, 34 * kMiB + 1, 61 * kMiB + 7}) {
    const std::string bytes = sample_bytes(size, 3);
    const std::string key = "large-" + std::to_string(size);
    const auto put = c.put(key, bytes);
    cr_assert(put.ok(), "%s", put.ok() ? "" : put.error().message.c_str());
    cr_expect(c.store->read(key, 0, static_cast<std::int64_t>(size) + 1).value() == bytes);
  }
}

Test(s3_store, a_store_that_knows_no_condition_is_asked_without, .timeout = 60) {
  S3Case c;
  c.s3.set_faults([](const StandInS3::Asked& asked) {
    return asked.headers.contains("if-none-match") ? Mishap::condition_unknown : Mishap::none;
  });

  cr_expect(c.put("small", kSmall).ok());
  cr_expect(c.put("large", large()).ok());
  cr_expect(c.put("small2", kSmall).ok());

  cr_expect(c.s3.objects().size() == 3);
  cr_expect(c.s3.asked("put") == 3, "once refused, and not asked again");
  fails_with(c.put("small", kSmall), "there is an object of that key already", "taken");
}

// ---- What passes -------------------------------------------------------------------------------

Test(s3_faults, what_passes_is_tried_again, .timeout = 300) {
  for (const Mishap fault : {Mishap::internal_error, Mishap::slow_down, Mishap::bad_gateway,
                             Mishap::dropped, Mishap::answer_lost, Mishap::answer_cut}) {
    for (const char* act : {"head", "get", "put"}) {
      S3Case c;
      c.fail_once(act, fault);
      const Result<> done = c.put("a", kSmall);
      const std::string title = std::string(act) + " with " + name_of(fault);
      cr_expect(done.ok(), "%s: %s", title.c_str(), done.ok() ? "" : done.error().message.c_str());
      is_stored(c, kSmall, title);
    }
    for (const char* act : {"create", "part", "complete"}) {
      S3Case c;
      c.fail_once(act, fault);
      const std::string bytes = large();
      const Result<> done = c.put("a", bytes);
      const std::string title = std::string(act) + " with " + name_of(fault);
      cr_expect(done.ok(), "%s: %s", title.c_str(), done.ok() ? "" : done.error().message.c_str());
      is_stored(c, bytes, title);
    }
  }
}

Test(s3_faults, an_error_in_an_answer_that_says_that_all_is_well_is_heard, .timeout = 60) {
  S3Case c;
  c.fail_once("complete", Mishap::error_in_200);
  const std::string bytes = large();
  cr_expect(c.put("a", bytes).ok());
  is_stored(c, bytes, "once");

  S3Case always;
  always.fail_always("complete", Mishap::error_in_200);
  fails_with(always.put("a", bytes), "InternalError", "always");
  nothing_is_stored(always, "always");
}

// ---- What stays --------------------------------------------------------------------------------

Test(s3_faults, what_stays_ends_in_one_sentence_and_leaves_nothing, .timeout = 300) {
  const std::pair<Mishap, const char*> faults[] = {
      {Mishap::internal_error, "HTTP 500 InternalError"},
      {Mishap::slow_down, "HTTP 503 SlowDown"},
      {Mishap::bad_gateway, "HTTP 502"},
      {Mishap::dropped, "broke off its answer"},
      {Mishap::full, "HTTP 507 InsufficientStorage"},
      {Mishap::too_large, "HTTP 400 EntityTooLarge"},
      {Mishap::skewed, " apart: this machine's says "},
      {Mishap::revoked, "HTTP 403 InvalidAccessKeyId"},
      {Mishap::denied, "HTTP 403 AccessDenied"}};
  const std::string bytes = large();
  for (const auto& [fault, words] : faults) {
    for (const char* act : {"put", "create", "part", "complete"}) {
      S3Case c;
      c.fail_always(act, fault);
      const std::string title = std::string(act) + " with " + name_of(fault);
      fails_with(c.put("a", std::string(act) == "put" ? kSmall : bytes), words, title);
      nothing_is_stored(c, title);
    }
  }
}

Test(s3_faults, one_that_falls_silent_is_given_up, .timeout = 120) {
  const std::string bytes = large();
  for (const char* act : {"put", "create", "part", "complete"}) {
    S3Case c;
    c.fail_always(act, Mishap::silent);
    fails_with(c.put("a", std::string(act) == "put" ? kSmall : bytes), "did not finish its answer",
               act);
    nothing_is_stored(c, act);
  }
}

Test(s3_faults, what_is_refused_is_not_tried_again, .timeout = 60) {
  for (const Mishap fault : {Mishap::revoked, Mishap::denied, Mishap::skewed, Mishap::too_large}) {
    S3Case c;
    c.fail_always("put", fault);
    cr_expect(!c.put("a", kSmall).ok());
    cr_expect(c.s3.asked("put") == 1, "%s", name_of(fault).c_str());
  }
}

Test(s3_faults, answers_that_are_always_lost_leave_nothing, .timeout = 120) {
  const std::string bytes = large();
  for (const char* act : {"create", "part"}) {
    S3Case c;
    c.fail_always(act, Mishap::answer_lost);
    fails_with(c.put("a", bytes), "broke off its answer", act);
    nothing_is_stored(c, act);
  }
  // What was done is found to be done, though nobody ever said so.
  S3Case put;
  put.fail_always("put", Mishap::answer_lost);
  cr_expect(put.put("a", kSmall).ok());
  is_stored(put, kSmall, "put");
  S3Case complete;
  complete.fail_always("complete", Mishap::answer_lost);
  cr_expect(complete.put("a", bytes).ok());
  is_stored(complete, bytes, "complete");
}

Test(s3_faults, one_that_cannot_be_looked_at_is_taken_back, .timeout = 120) {
  for (const std::string& bytes : {kSmall, large()}) {
    S3Case c;
    // It is there, and from then on nobody can look at it.
    c.s3.set_faults([is_there = false](const StandInS3::Asked& asked) mutable {
      if (asked.act() == "put" || asked.act() == "complete") is_there = true;
      return is_there && asked.act() == "head" ? Mishap::internal_error : Mishap::none;
    });
    cr_expect(!c.put("a", bytes).ok());
    nothing_is_stored(c, "not to be looked at");
  }
}

Test(s3_faults, a_store_that_changes_what_it_is_given_is_found_out, .timeout = 120) {
  for (const std::string& bytes : {kSmall, large()}) {
    S3Case changed;
    changed.s3.changes_bytes = true;
    changed.s3.has_odd_etags = true;
    fails_with(changed.put("a", bytes), "what is read back is not what was written", "changed");
    nothing_is_stored(changed, "changed");

    S3Case shorter;
    shorter.s3.loses_the_end = true;
    fails_with(shorter.put("a", bytes), " bytes of ", "shorter");
    nothing_is_stored(shorter, "shorter");
  }
}

Test(s3_faults, uploads_that_could_not_be_taken_back_are_so_later, .timeout = 60) {
  S3Case c;
  c.s3.set_faults([](const StandInS3::Asked& asked) {
    return asked.act() == "complete" || asked.act() == "abort" ? Mishap::dropped : Mishap::none;
  });
  cr_expect(!c.put("a/b", large()).ok());
  cr_expect(c.s3.objects().empty());
  cr_expect(c.s3.pending_uploads() == std::vector<std::string>{"a/b"});

  c.s3.set_faults(nullptr);
  cr_expect(c.store->abort_uploads("a/", system_now_ms() + 60'000).value() == 1);
  cr_expect(c.s3.pending_uploads().empty());
}

// ---- When Rowlock ends -------------------------------------------------------------------------

Test(s3_faults, an_upload_under_way_ends_with_rowlock, .timeout = 60) {
  S3Deadlines patient;  // Much longer than this test may take.
  patient.silence_ms = patient.answer_ms = patient.transfer_ms = 600'000;
  S3Case c(patient);
  c.fail_always("part", Mishap::silent);
  Result<std::unique_ptr<Upload>> begun = c.store->upload("a");
  cr_assert(begun.ok());
  std::unique_ptr<Upload> upload = std::move(begun).value();
  std::thread end([&] {
    while (c.s3.asked("part") == 0) std::this_thread::yield();
    c.ending = true;
  });

  const Result<> written = upload->write(large());
  const Result<> finished = written.ok() ? upload->finish() : written;
  end.join();

  fails_with(finished, "Rowlock is ending", "ending");
  upload.reset();
  nothing_is_stored(c, "ending");
}

Test(s3_faults, an_upload_keeps_to_its_pace, .timeout = 60) {
  S3Case c;
  StoreAddress address = c.s3.address();
  address.bytes_per_s = 1;  // It would take a quarter of an hour.
  c.store = S3Store::open(address, c.ending, S3Deadlines{}).value();
  std::thread end([&] {
    while (c.s3.asked("put") == 0) std::this_thread::yield();
    c.ending = true;
  });

  fails_with(c.put("a", kSmall), "Rowlock is ending", "paced");

  end.join();
  nothing_is_stored(c, "paced");
}

Test(s3_faults, an_upload_that_is_dropped_does_not_wait_for_what_is_sent, .timeout = 60) {
  S3Deadlines patient;
  patient.silence_ms = patient.answer_ms = patient.transfer_ms = 600'000;
  S3Case c(patient);
  c.fail_always("part", Mishap::silent);
  {
    Result<std::unique_ptr<Upload>> begun = c.store->upload("a");
    cr_assert(begun.ok());
    std::unique_ptr<Upload> upload = std::move(begun).value();
    cr_assert(upload->write(sample_bytes(9 * 1024 * 1024, 3)).ok());
    while (c.s3.asked("part") == 0) std::this_thread::yield();
  }
  nothing_is_stored(c, "dropped");
}
