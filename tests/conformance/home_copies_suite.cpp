// The cases of HomeCopies.
#include "tests/conformance/home_copies_suite.h"

#include "tests/backup/backup_files.h"
#include "tests/conformance/suite_case.h"

#include <fmt/format.h>

#include <thread>
#include <utility>

namespace rowlock {

namespace {

constexpr int kCopies = 20;  // While others write.
const std::atomic<bool> kNever = false;

// Keeps the members that it is given, and sees to the protocol.
class Kept final : public MemberWriter {
 public:
  Members members;
  bool is_orderly = true;
  std::string refusal;  // Of the next member, if any.

  Result<> begin(const std::string& name, std::int64_t size_bytes) override {
    if (!refusal.empty()) return Error{Fault::transient, Cause::other, refusal, ""};
    is_orderly = is_orderly && !is_open_ && size_bytes >= 0;
    is_open_ = true;
    size_bytes_ = static_cast<std::size_t>(size_bytes);
    members.emplace_back(name, "");
    return Done{};
  }
  Result<> write(std::string_view bytes) override {
    is_orderly = is_orderly && is_open_;
    members.back().second += bytes;
    return Done{};
  }
  Result<> end() override {
    is_orderly = is_orderly && is_open_ && members.back().second.size() == size_bytes_;
    is_open_ = false;
    return Done{};
  }
  Result<> add_piece(const std::string&, std::string_view) override {
    is_orderly = false;
    return Done{};
  }

 private:
  bool is_open_ = false;
  std::size_t size_bytes_ = 0;
};

class Case : public SuiteCase {
 public:
  Case(std::string title, HomeCopies& under_test, const HomeCopiesFixture& given)
      : SuiteCase(std::move(title)), copies(under_test), fixture(given) {}
  ~Case() { expect(fixture.left_behind().empty(), "nothing to be left behind"); }

  Members copy() const {
    Kept kept;
    succeeds(copies.copy(kept, kNever), "copy");
    const bool has_both = kept.members.size() >= 2 && kept.members[0].first == "desired.db" &&
                          kept.members[1].first == "state.db";
    expect(has_both, "desired.db, then state.db");
    expect(kept.is_orderly, "members one after the other, each as long as it was said to be");
    return has_both ? kept.members : Members{{"desired.db", ""}, {"state.db", ""}};
  }
  int value_in(const Members& members, std::size_t which) const {
    return fixture.value_in(members[which].first, members[which].second);
  }
  Result<> try_out(const std::string& file) const {
    auto opened = BackupFileReader::open(SecretBytes(kIdentities[0]), source_of(file, 10'000));
    if (!opened.ok()) return opened.error();
    return copies.try_out(*opened.value());
  }
  void is_corrupt(const std::string& file, const std::string& what) const {
    const Result<> tried = try_out(file);
    expect(!tried.ok() && tried.error().cause == Cause::corrupt && !tried.error().message.empty(),
           what + " to be corrupt" + (tried.ok() ? "" : ", not: " + tried.error().message));
  }

  HomeCopies& copies;
  const HomeCopiesFixture& fixture;
};

void a_copy_holds_what_was_written_before_it(const Case& c) {
  for (const int value : {1, 2}) {
    c.fixture.put(value);
    const Members members = c.copy();
    for (const std::size_t which : {0U, 1U}) {
      const int found = c.value_in(members, which);
      c.expect(found == value, fmt::format("{} in {}, not {}", value, members[which].first, found));
    }
  }
}

void a_copy_is_whole_while_both_are_written_to(const Case& c) {
  std::atomic<bool> is_over = false;
  std::thread writer([&] {
    for (int value = 10; !is_over; ++value) c.fixture.put(value);
  });
  int newest[] = {0, 0};
  for (int i = 0; i < kCopies; ++i) {
    const Members members = c.copy();
    for (const std::size_t which : {0U, 1U}) {
      const int found = c.value_in(members, which);
      c.expect(found >= newest[which], fmt::format("{} to follow {}", found, newest[which]));
      newest[which] = found;
    }
    c.succeeds(c.try_out(backup_of(home_header(), members)), "try out what was copied");
  }
  is_over = true;
  writer.join();
}

void one_that_is_to_end_is_broken_off(const Case& c) {
  const std::atomic<bool> ending = true;
  Kept kept;
  const Result<> copied = c.copies.copy(kept, ending);
  c.expect(!copied.ok() && copied.error().fault == Fault::transient, "an end, and another try");
}

void what_the_writer_says_is_passed_on(const Case& c) {
  Kept kept;
  kept.refusal = "the store is full";
  const Result<> copied = c.copies.copy(kept, kNever);
  c.expect(!copied.ok() && copied.error().message == kept.refusal, "what the writer said");
}

void a_copy_can_be_tried_out_more_than_once(const Case& c) {
  const std::string file = backup_of(home_header(), c.copy());
  for (int round = 0; round < 2; ++round) c.succeeds(c.try_out(file), "try out");
}

void what_is_no_home_is_corrupt(const Case& c) {
  const Members members = c.copy();
  for (const auto& member : members) {
    c.expect(!c.try_out(backup_of(home_header(), {member})).ok(), "no home of one member alone");
  }
  for (const std::size_t which : {0U, 1U}) {
    Members changed = members;
    changed[which].second = "no database at all, and a text that is as long as one page " +
                            std::string(members[which].second.size(), 'x');
    c.is_corrupt(backup_of(home_header(), changed), "another text as " + changed[which].first);
    changed[which].second = "";
    c.is_corrupt(backup_of(home_header(), changed), "an empty " + changed[which].first);
  }
}

void one_that_is_cut_off_is_no_copy(const Case& c) {
  const std::string file = backup_of(home_header(), c.copy());
  c.expect(!c.try_out(file.substr(0, file.size() - 100)).ok(), "a file that is cut off to fail");
}

}  // namespace

void check_home_copies(HomeCopies& copies, const HomeCopiesFixture& fixture) {
  const std::pair<const char*, void (*)(const Case&)> cases[] = {
      {"a copy holds what was written before it", a_copy_holds_what_was_written_before_it},
      {"a copy is whole while both are written to", a_copy_is_whole_while_both_are_written_to},
      {"one that is to end is broken off", one_that_is_to_end_is_broken_off},
      {"what the writer says is passed on", what_the_writer_says_is_passed_on},
      {"a copy can be tried out more than once", a_copy_can_be_tried_out_more_than_once},
      {"what is no home is corrupt", what_is_no_home_is_corrupt},
      {"one that is cut off is no copy", one_that_is_cut_off_is_no_copy},
  };
  for (const auto& [title, run] : cases) run(Case(title, copies, fixture));
}

}  // namespace rowlock
