// Text as terminals and people see it: columns instead of bytes, and words that were nearly right.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

// How many columns a terminal takes to show it; combining marks and control characters take none.
// Any bytes may be given, and each that is not UTF-8 counts as the U+FFFD in its place.
std::size_t display_width(std::string_view text);

// The text, or as much of its beginning as fits into `width` columns with an ellipsis after it.
// Valid UTF-8.
std::string truncated(std::string_view text, std::size_t width);

// For "did you mean": the candidate fewest edits away, at most two and fewer than the word has
// letters; the first of equals. Nothing when none is that near.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace rowlock
