// What other clients would see counts as much as what the port says: the fixture looks into the
// store by another way.
#include "tests/conformance/object_store_suite.h"

#include "tests/conformance/suite_case.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <memory>
#include <random>
#include <thread>
#include <utility>

namespace rowlock {

namespace {

using Keys = std::vector<std::string>;

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::size_t kPieceBytes = 100'000;

class Case : public SuiteCase {
 public:
  Case(std::string title, ObjectStore& under_test, const ObjectStoreFixture& given)
      : SuiteCase(std::move(title)), store(under_test), fixture(given) {}
  ~Case() {
    for (const std::string& key : keys()) succeeds(store.remove(key), "remove " + key);
    succeeds(store.abort_uploads("", fixture.now_ms + kHourMs), "abort uploads");
    expect(keys().empty() && fixture.pending_uploads().empty(), "nothing to be left");
  }

  std::unique_ptr<Upload> begin(const std::string& key) const {
    auto begun = store.upload(key);
    succeeds(begun, "upload " + key);
    cr_assert(begun.ok());
    return std::move(begun).value();
  }
  // In pieces, as a backup comes.
  void write(Upload& upload, const std::string& bytes) const {
    for (std::size_t at = 0; at < bytes.size(); at += kPieceBytes) {
      succeeds(upload.write(std::string_view(bytes).substr(at, kPieceBytes)), "write");
    }
  }
  void put(const std::string& key, const std::string& bytes) const {
    const auto upload = begin(key);
    write(*upload, bytes);
    succeeds(upload->finish(), "finish " + key);
  }
  std::string read(const std::string& key, std::int64_t offset, std::int64_t length) const {
    const auto bytes = store.read(key, offset, length);
    succeeds(bytes, "read " + key);
    return bytes.ok() ? bytes.value() : "";
  }
  std::string read_all(const std::string& key) const {
    constexpr std::int64_t kMost = 3'000'000;
    std::string all;
    while (true) {
      const std::string piece = read(key, static_cast<std::int64_t>(all.size()), kMost);
      if (piece.empty()) return all;
      all += piece;
    }
  }
  Keys keys(const std::string& prefix = "") const {
    const auto listed = store.list(prefix);
    succeeds(listed, "list");
    Keys found;
    if (listed.ok()) {
      for (const StoredObject& each : listed.value()) found.push_back(each.key);
    }
    return found;
  }
  bool has(const std::string& key) const {
    const auto seen = store.look(key);
    succeeds(seen, "look");
    return seen.ok() && seen.value().has_value();
  }

  ObjectStore& store;
  const ObjectStoreFixture& fixture;
};

void an_object_is_there_whole_and_read_in_parts(const Case& c) {
  const std::string bytes = sample_bytes(300'000, 1);
  c.put("a/b/one", bytes);
  const auto seen = c.store.look("a/b/one");
  c.succeeds(seen, "look");
  c.expect(seen.ok() && seen.value() && seen.value()->key == "a/b/one" &&
               seen.value()->size_bytes == 300'000 &&
               std::abs(seen.value()->stored_at_ms - c.fixture.now_ms) < kHourMs,
           "its key, its size and about this hour");
  c.expect(c.read("a/b/one", 0, 300'000) == bytes, "all of it");
  c.expect(c.read("a/b/one", 1000, 7) == bytes.substr(1000, 7), "some of it");
  c.expect(c.read("a/b/one", 299'990, 100) == bytes.substr(299'990), "its end");
  c.expect(c.read("a/b/one", 300'000, 100).empty(), "nothing at its end");
  c.expect(c.read("a/b/one", 400'000, 100).empty(), "nothing behind it");
  c.expect(c.read("a/b/one", 5, 0).empty(), "nothing of no length");
}

void an_object_can_be_empty(const Case& c) {
  c.put("empty", "");
  const auto seen = c.store.look("empty");
  c.expect(seen.ok() && seen.value() && seen.value()->size_bytes == 0, "it to be there");
  c.expect(c.read("empty", 0, 100).empty(), "nothing in it");
}

void a_large_object_keeps_its_bytes(const Case& c) {
  const std::string bytes = sample_bytes(c.fixture.large_bytes, 2);
  c.put("large", bytes);
  c.expect(c.read_all("large") == bytes, "the same bytes");
  c.expect(c.fixture.pending_uploads().empty(), "no upload to be left");
}

void nobody_sees_it_before_it_is_finished(const Case& c) {
  for (const std::size_t size : {std::size_t{10}, c.fixture.large_bytes}) {
    const auto upload = c.begin("late");
    c.write(*upload, sample_bytes(size, 3));
    c.expect(!c.has("late") && c.keys().empty(), "nothing to be seen");
    c.succeeds(upload->finish(), "finish");
    c.expect(c.keys() == Keys{"late"}, "it to be seen");
    c.succeeds(c.store.remove("late"), "remove");
  }
}

void what_is_not_finished_is_taken_back(const Case& c) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, c.fixture.large_bytes}) {
    {
      const auto upload = c.begin("half");
      c.write(*upload, sample_bytes(size, 4));
    }
    c.expect(!c.has("half") && c.keys().empty(), "no object");
    c.expect(c.fixture.pending_uploads().empty(), "no upload");
  }
}

void a_key_is_used_once(const Case& c) {
  c.put("once", "first");
  c.is_rejected(c.store.upload("once"), "a key that is taken");
  for (const std::size_t size : {std::size_t{10}, c.fixture.large_bytes}) {
    const std::string key = "race" + std::to_string(size);
    const auto loser = c.begin(key);
    c.write(*loser, sample_bytes(size, 5));
    c.put(key, "winner");
    c.is_rejected(loser->finish(), "a key that was taken meanwhile");
    c.expect(c.read(key, 0, 100) == "winner", "the first one");
  }
  c.expect(c.read("once", 0, 100) == "first", "the first one to stay");
  c.expect(c.keys().size() == 3, "no others");
}

void one_that_loses_takes_nothing_with_it(const Case& c) {
  for (const std::size_t size : {std::size_t{10}, c.fixture.large_bytes}) {
    const std::string key = "kept" + std::to_string(size);
    {
      const auto loser = c.begin(key);
      c.write(*loser, sample_bytes(size, 6));
      c.put(key, "winner");
      c.expect(!loser->finish().ok(), "a rejection");
    }
    c.expect(c.read(key, 0, 100) == "winner", "the first one, once the other is gone");
  }
}

void what_is_not_there_is_said_to_be_so(const Case& c) {
  c.expect(!c.has("none") && !c.has("no/such/folder"), "nothing");
  const auto read = c.store.read("none", 0, 10);
  c.expect(!read.ok() && read.error().cause == Cause::not_found, "no such object");
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.store.remove("none"), "remove");
    c.succeeds(c.store.remove("no/such/folder"), "remove");
  }
  c.expect(c.keys("none").empty(), "an empty list");
}

void lists_go_by_the_beginning_of_a_key(const Case& c) {
  for (const char* key : {"b/2", "a/b/1", "a/b-1", "a/bb/1", "a.b", "A/b"}) c.put(key, key);
  c.expect(c.keys() == Keys{"A/b", "a.b", "a/b-1", "a/b/1", "a/bb/1", "b/2"}, "all, by key");
  c.expect(c.keys("a/") == Keys{"a/b-1", "a/b/1", "a/bb/1"}, "those below a");
  c.expect(c.keys("a/b/") == Keys{"a/b/1"}, "the one below b");
  c.expect(c.keys("a/bb") == Keys{"a/bb/1"}, "what begins so");
  c.expect(c.keys("c").empty(), "none");
  const auto listed = c.store.list("b/");
  c.expect(listed.ok() && listed.value().size() == 1 && listed.value()[0].size_bytes == 3,
           "its size");
}

void that_one_alone_is_removed(const Case& c) {
  for (const char* key : {"x/1", "x/12", "x/1.2"}) c.put(key, key);
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.store.remove("x/1"), "remove");
    c.expect(c.keys() == Keys{"x/1.2", "x/12"}, "the others");
    c.expect(!c.has("x/1"), "it to be gone");
  }
  c.put("x/1", "anew");
  c.expect(c.read("x/1", 0, 100) == "anew", "its key to be free again");
}

void odd_keys_are_rejected(const Case& c) {
  for (const std::string& key :
       Keys{"", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/.", "a b", "a\nb", "a~b", "a%2Fb",
            "\xC3\xA4", std::string("a\0b", 3), std::string(200, 'a'), ".rowlock-part"}) {
    c.is_rejected(c.store.upload(key), "upload of '" + key + "'");
    c.is_rejected(c.store.look(key), "look for '" + key + "'");
    c.is_rejected(c.store.read(key, 0, 1), "read of '" + key + "'");
    c.is_rejected(c.store.remove(key), "remove of '" + key + "'");
  }
  for (const std::string& prefix : Keys{"/", "../", "a/../", "a*"}) {
    c.is_rejected(c.store.list(prefix), "list of '" + prefix + "'");
    c.is_rejected(c.store.abort_uploads(prefix, 0), "abort of '" + prefix + "'");
  }
}

void uploads_that_nobody_finishes_are_taken_back(const Case& c) {
  const std::int64_t later_ms = c.fixture.now_ms + kHourMs;
  c.fixture.leave_upload("a/left");
  c.fixture.leave_upload("b/left");
  const auto running = c.begin("a/running");
  c.write(*running, sample_bytes(c.fixture.large_bytes, 7));
  const auto abort = [&](const std::string& prefix, std::int64_t before_ms) {
    const auto count = c.store.abort_uploads(prefix, before_ms);
    c.succeeds(count, "abort uploads");
    return count.ok() ? count.value() : -1;
  };
  c.expect(c.keys().empty(), "none of them to be listed");
  c.expect(abort("a/", c.fixture.now_ms - 24 * kHourMs) == 0, "none, that long ago");
  c.expect(abort("c/", later_ms) == 0, "none of other keys");
  c.expect(abort("a/", later_ms) == 1, "the one that was left");
  c.expect(abort("a/", later_ms) == 0, "none any more");
  c.expect(c.fixture.pending_uploads() == Keys{"a/running", "b/left"}, "the others");
  c.succeeds(running->finish(), "finish");
  c.expect(c.keys() == Keys{"a/running"}, "the one that ran on");
}

void a_probe_tells_and_leaves_nothing(const Case& c) {
  for (int round = 0; round < 2; ++round) {
    const auto facts = c.store.probe();
    c.succeeds(facts, "probe");
    c.expect(facts.ok() && std::abs(facts.value().clock_ahead_ms) < 60'000, "a clock like ours");
    c.expect(c.keys().empty(), "nothing to be left");
  }
}

void several_are_stored_at_once(const Case& c) {
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&c, i] {
      const std::string key = "many/" + std::to_string(i);
      const std::string bytes = sample_bytes(200'000, static_cast<unsigned>(10 + i));
      c.put(key, bytes);
      c.expect(c.read_all(key) == bytes, "each its own");
    });
  }
  for (std::thread& thread : threads) thread.join();
  c.expect(c.keys("many/").size() == kThreads, "as many as threads");
}

constexpr std::pair<const char*, void (*)(const Case&)> kCases[] = {
    {"an object is there whole and read in parts", an_object_is_there_whole_and_read_in_parts},
    {"an object can be empty", an_object_can_be_empty},
    {"a large object keeps its bytes", a_large_object_keeps_its_bytes},
    {"nobody sees it before it is finished", nobody_sees_it_before_it_is_finished},
    {"what is not finished is taken back", what_is_not_finished_is_taken_back},
    {"a key is used once", a_key_is_used_once},
    {"one that loses takes nothing with it", one_that_loses_takes_nothing_with_it},
    {"what is not there is said to be so", what_is_not_there_is_said_to_be_so},
    {"lists go by the beginning of a key", lists_go_by_the_beginning_of_a_key},
    {"that one alone is removed", that_one_alone_is_removed},
    {"odd keys are rejected", odd_keys_are_rejected},
    {"uploads that nobody finishes are taken back", uploads_that_nobody_finishes_are_taken_back},
    {"a probe tells and leaves nothing", a_probe_tells_and_leaves_nothing},
    {"several are stored at once", several_are_stored_at_once},
};

}  // namespace

std::string sample_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

void check_object_store(ObjectStore& store, const ObjectStoreFixture& fixture) {
  for (const auto& [title, run] : kCases) run(Case(title, store, fixture));
}

}  // namespace rowlock
