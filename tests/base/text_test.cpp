// How wide text is in columns, and which word somebody meant who mistyped one.
#include "controller/base/text.h"

#include <criterion/criterion.h>

using rowlock::display_width;
using rowlock::nearest;
using rowlock::truncated;

Test(text, width_is_counted_in_columns) {
  cr_expect_eq(display_width(""), 0);
  cr_expect_eq(display_width("web"), 3);
  cr_expect_eq(display_width("größe"), 5);
  cr_expect_eq(display_width("e\u0301"), 1, "a combining accent takes no column");
  cr_expect_eq(display_width("日本"), 4);
  cr_expect_eq(display_width("\xFF"), 1);
}

Test(text, text_is_cut_to_columns_with_an_ellipsis) {
  cr_expect(truncated("converged", 9) == "converged");
  cr_expect(truncated("converged", 5) == "conv…");
  cr_expect(truncated("converged", 1) == "…");
  cr_expect(truncated("converged", 0) == "");
  cr_expect(truncated("日本語", 4) == "日…", "half a character is never shown");
  cr_expect(truncated("e\u0301e\u0301e\u0301", 2) == "e\u0301…");
  cr_expect(truncated("\xFF", 1) == "\uFFFD");
}

Test(text, the_nearest_word_is_at_most_two_edits_away) {
  const std::vector<std::string> verbs = {"plan", "apply", "status", "sql", "why", "wait"};

  cr_expect(nearest("plann", verbs) == "plan");
  cr_expect(nearest("stauts", verbs) == "status");
  cr_expect(nearest("aply", verbs) == "apply");
  cr_expect(nearest("wiat", verbs) == "wait");
  cr_expect(nearest("plan", verbs) == "plan");
  cr_expect(nearest("destroy", verbs) == std::nullopt);
  cr_expect(nearest("ls", verbs) == std::nullopt, "nearly every short word is two edits from it");
  cr_expect(nearest("", verbs) == std::nullopt);
  cr_expect(nearest("plan", {}) == std::nullopt);
  cr_expect(nearest(std::string(100000, 'x'), verbs) == std::nullopt);
}
