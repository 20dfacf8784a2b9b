// Lines: claims, what is wanted of them, a pattern, a text. The pattern is compared with a plain
// table of which beginnings fit which.
#include "controller/base/check.h"
#include "controller/secrets/claims.h"
#include "tests/fuzz/targets.h"

#include <vector>

namespace rowlock {

namespace {

bool fits_by_table(std::string_view text, std::string_view pattern) {
  std::vector<bool> fits(text.size() + 1, false);  // The beginning of `text` so long fits so far.
  fits[0] = true;
  for (const char want : pattern) {
    std::vector<bool> next(text.size() + 1, false);
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (want == '*') {
        next[i] = fits[i] || (i > 0 && next[i - 1]);
      } else {
        next[i] = i > 0 && fits[i - 1] && text[i - 1] == want;
      }
    }
    fits = next;
  }
  return fits[text.size()];
}

}  // namespace

void fuzz_claims(std::string_view bytes) {
  const auto [claims_text, after_claims] = first_line(bytes);
  const auto [wanted_text, after_wanted] = first_line(after_claims);
  const auto [pattern, text] = first_line(after_wanted.substr(0, 200));
  CHECK(fits_pattern(text, pattern) == fits_by_table(text, pattern));

  const auto claims = Json::parse(claims_text);
  const auto wanted = Json::parse(wanted_text);
  if (!claims.ok()) return;
  const auto registered = check_registered_claims(claims.value(), "https://issuer.example",
                                                  "rowlock", 1'795'600'000'000);
  CHECK(!registered.ok() || claims.value()["exp"].as_number() > 1'795'600'000);
  if (!wanted.ok()) return;
  const auto fits = check_wanted_claims(claims.value(), wanted.value());
  CHECK(fits.ok() || wanted.value().is_object());
}

}  // namespace rowlock
