// Only what std::mt19937_64 itself gives is used: its distributions differ between libraries.
#include "tests/fuzz/mutation.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace rowlock {

namespace {

constexpr std::array<std::string_view, 20> kMarks = {std::string_view("\0", 1),
                                                     "\n",
                                                     "\r\n\r\n",
                                                     "%00",
                                                     "%",
                                                     "\"",
                                                     "\\",
                                                     "{",
                                                     "[",
                                                     "<",
                                                     "=",
                                                     "-1",
                                                     "2147483648",
                                                     "9223372036854775807",
                                                     "1e999",
                                                     "\xff",
                                                     "\xed\xa0\x80",
                                                     "..",
                                                     "*",
                                                     "-0"};

std::size_t below(std::size_t bound, std::mt19937_64& random) {
  return bound == 0 ? 0 : static_cast<std::size_t>(random() % bound);
}

std::string piece_of(const std::string& text, std::mt19937_64& random) {
  const std::size_t at = below(text.size(), random);
  return text.substr(at, 1 + below(std::min<std::size_t>(text.size() - at, 32), random));
}

void change(std::string& bytes, const std::string& other, std::mt19937_64& random) {
  const std::size_t at = below(bytes.size(), random);
  switch (random() % 6) {
    case 0:
      if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
      break;
    case 1:
      if (!bytes.empty()) bytes[at] = static_cast<char>(random() % 256);
      break;
    case 2: bytes.erase(at, 1 + below(16, random)); break;
    case 3: bytes.insert(at, piece_of(bytes, random)); break;
    case 4: bytes.insert(at, piece_of(other, random)); break;
    case 5: bytes.insert(at, kMarks[below(kMarks.size(), random)]); break;
  }
}

}  // namespace

std::string mutated(const std::vector<std::string>& seeds, std::mt19937_64& random) {
  std::string bytes = seeds[below(seeds.size(), random)];
  for (std::uint64_t left = 1 + random() % 4; left > 0; --left) {
    change(bytes, seeds[below(seeds.size(), random)], random);
  }
  return bytes;
}

}  // namespace rowlock
