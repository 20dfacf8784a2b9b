// A stand-in S3 service with a store on it, and deadlines as short as a test wants them.
#pragma once

#include "controller/adapters/s3/s3_store.h"
#include "tests/adapters/s3/stand_in_s3.h"
#include "tests/conformance/object_store_suite.h"

#include <criterion/criterion.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

namespace rowlock {

constexpr S3Deadlines kShortS3Deadlines = {.connect_ms = 2'000,
                                           .silence_ms = 1'000,
                                           .answer_ms = 1'000,
                                           .transfer_ms = 5'000,
                                           .completion_silence_ms = 1'000,
                                           .completion_ms = 1'000,
                                           .clean_up_ms = 1'000,
                                           .tries_max = 3,
                                           .backoff_ms = 1,
                                           .backoff_max_ms = 2};
constexpr std::size_t kLargeObjectBytes = 17 * 1024 * 1024 + 5;  // Three whole parts, and a rest.

struct S3Case {
  explicit S3Case(const S3Deadlines& deadlines = kShortS3Deadlines,
                  PartBytes part_bytes = s3_part_bytes)
      : store(S3Store::open(s3.address(), ending, deadlines, part_bytes).value()) {}

  using Mishap = StandInS3::Mishap;

  // The fault befalls every request of that act, or only the first.
  void fail_always(const std::string& act, Mishap fault) {
    s3.set_faults([act, fault](const StandInS3::Asked& asked) {
      return asked.act() == act ? fault : Mishap::none;
    });
  }
  void fail_once(const std::string& act, Mishap fault) {
    s3.set_faults([act, fault, is_over = false](const StandInS3::Asked& asked) mutable {
      if (is_over || asked.act() != act) return Mishap::none;
      is_over = true;
      return fault;
    });
  }

  // All of an upload, which has gone when this returns.
  Result<> put(const std::string& key, const std::string& bytes) {
    auto upload = store->upload(key);
    if (!upload.ok()) return upload.error();
    if (Result<> written = upload.value()->write(bytes); !written.ok()) return written;
    return upload.value()->finish();
  }

  StandInS3 s3;
  std::atomic<bool> ending = false;
  std::shared_ptr<ObjectStore> store;
};

// One sentence for a person, with the words in it, that ends nowhere in the middle.
template <typename T>
void fails_with(const Result<T>& result, const std::string& words, const std::string& title) {
  cr_expect(!result.ok(), "%s: expected an error with '%s'", title.c_str(), words.c_str());
  if (result.ok()) return;
  const std::string& message = result.error().message;
  cr_expect(message.find(words) != std::string::npos, "%s: expected '%s' in: %s", title.c_str(),
            words.c_str(), message.c_str());
  cr_expect(message.find('\n') == std::string::npos && message.find(". ") == std::string::npos &&
                message.size() < 400 && message.find("TellNobody") == std::string::npos,
            "%s: one sentence: %s", title.c_str(), message.c_str());
}

}  // namespace rowlock
