// The cases of KeySets.
#include "tests/conformance/key_sets_suite.h"

#include "tests/conformance/suite_case.h"

#include <fmt/format.h>

#include <utility>

namespace rowlock {

namespace {

class Case : public SuiteCase {
 public:
  Case(std::string title, KeySets& under_test, const KeySetsFixture& given)
      : SuiteCase(std::move(title)), sets(under_test), fixture(given) {}

  void fails(const std::string& source, const std::string& what) const {
    const Result<std::string> read = sets.read(source);
    expect(!read.ok(), what + " to be an error");
    if (read.ok()) return;
    expect(read.error().message.starts_with("read " + source + ": "),
           "what was tried in: " + read.error().message);
    expect(!read.error().hint.empty(), "what to do about " + what);
  }

  KeySets& sets;
  const KeySetsFixture& fixture;
};

void what_stands_there_is_read_to_the_letter(const Case& c) {
  const std::string set = key_set_of(2);
  for (const std::string& text : {set, "\n " + set + "\n"}) {
    for (const std::string& source : c.fixture.put(text)) {
      const Result<std::string> read = c.sets.read(source);
      c.succeeds(read, source);
      c.expect(read.ok() && read.value() == text, "what stands at " + source);
    }
  }
}

void what_is_no_key_set_is_rejected(const Case& c) {
  for (const std::string text :
       {"", "hello", "{}", "[]", R"({"keys":1})", R"({"keys":[]})", R"({"keys":[1]})",
        R"({"keys":[{"kty":"oct","k":"AAAA"}]})", R"({"keys":[)"}) {
    for (const std::string& source : c.fixture.put(text)) {
      c.is_rejected(c.sets.read(source), "'" + text + "' at " + source);
    }
  }
}

void nothing_there_is_an_error_that_is_tried_again(const Case& c) {
  for (const std::string& source : c.fixture.of_none) {
    const Result<std::string> read = c.sets.read(source);
    c.fails(source, source);
    c.expect(!read.ok() && read.error().fault == Fault::transient, source + " to be tried again");
  }
}

void one_that_is_too_large_is_an_error(const Case& c) {
  const std::string set = key_set_of(1);
  const std::string just(KeySets::kBytesMax - set.size(), ' ');
  for (const std::string& source : c.fixture.put(set + just)) {
    c.succeeds(c.sets.read(source), "the largest one, " + source);
  }
  for (const std::string& source : c.fixture.put(set + just + " ")) {
    c.fails(source, "one byte more, " + source);
  }
}

void what_is_no_text_is_an_error_and_does_not_hang(const Case& c) {
  for (const std::string& source : c.fixture.unreadable) c.fails(source, source);
}

}  // namespace

std::string key_set_of(int keys) {
  std::string all;
  for (int i = 0; i < keys; ++i) {
    all += fmt::format(R"({}{{"kty":"OKP","crv":"Ed25519","kid":"{}","x":"{}"}})",
                       all.empty() ? "" : ",", i, std::string(43, 'A'));
  }
  return R"({"keys":[)" + all + "]}";
}

void check_key_sets(KeySets& sets, const KeySetsFixture& fixture) {
  const std::pair<const char*, void (*)(const Case&)> cases[] = {
      {"what stands there is read to the letter", what_stands_there_is_read_to_the_letter},
      {"what is no key set is rejected", what_is_no_key_set_is_rejected},
      {"nothing there is an error that is tried again",
       nothing_there_is_an_error_that_is_tried_again},
      {"one that is too large is an error", one_that_is_too_large_is_an_error},
      {"what is no text is an error and does not hang",
       what_is_no_text_is_an_error_and_does_not_hang},
  };
  for (const auto& [title, run] : cases) run(Case(title, sets, fixture));
}

}  // namespace rowlock
