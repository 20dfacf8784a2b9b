// One case of a conformance suite at work: its title goes into every failure. A suite derives its
// own, with what its port needs.
#pragma once

#include "controller/base/result.h"

#include <criterion/criterion.h>

#include <string>
#include <utility>

namespace rowlock {

class SuiteCase {
 public:
  explicit SuiteCase(std::string title) : title_(std::move(title)) {}
  SuiteCase(const SuiteCase&) = delete;
  SuiteCase& operator=(const SuiteCase&) = delete;

  void expect(bool holds, const std::string& what) const {
    cr_expect(holds, "%s: expected %s", title_.c_str(), what.c_str());
  }

  template <typename T>
  void succeeds(const Result<T>& result, const std::string& what) const {
    cr_expect(result.ok(), "%s: %s: %s", title_.c_str(), what.c_str(),
              result.ok() ? "" : result.error().message.c_str());
  }

  template <typename T>
  void is_rejected(const Result<T>& result, const std::string& what) const {
    expect(!result.ok() && result.error().fault == Fault::rejected && !result.error().hint.empty(),
           "a rejection of " + what + " that says what to do" +
               (result.ok() ? "" : ", not: " + result.error().message));
  }

 protected:
  const std::string title_;
};

}  // namespace rowlock
