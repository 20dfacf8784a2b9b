// The first byte says where the stream is cut in two. Lines are the same wherever it was, and the
// tail of a container's output is text of a bounded length, the same when all of it was ASCII.
#include "controller/adapters/docker/docker_stream.h"
#include "controller/base/check.h"
#include "controller/base/utf8.h"
#include "tests/fuzz/targets.h"

#include <algorithm>
#include <vector>

namespace rowlock {

namespace {

constexpr std::size_t kTailMax = 64;

std::vector<std::string> lines_of(std::initializer_list<std::string_view> pieces) {
  std::vector<std::string> lines;
  LineSplitter splitter([&lines](std::string_view line) { lines.emplace_back(line); });
  for (const std::string_view piece : pieces) splitter.feed(piece);
  return lines;
}

std::string tail_of(std::initializer_list<std::string_view> pieces) {
  OutputTail tail(kTailMax);
  for (const std::string_view piece : pieces) tail.feed(piece);
  return tail.text();
}

}  // namespace

void fuzz_docker_stream(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t cut = static_cast<unsigned char>(bytes.front());
  bytes.remove_prefix(1);
  const std::string_view head = bytes.substr(0, cut);
  const std::string_view rest = bytes.substr(head.size());
  CHECK(lines_of({bytes}) == lines_of({head, rest}));

  const std::string whole = tail_of({bytes});
  const std::string in_pieces = tail_of({head, rest});
  for (const std::string& text : {whole, in_pieces}) {
    CHECK(text.size() <= kTailMax);
    CHECK(utf8_first_fault(text) == std::string_view::npos);
  }
  const auto is_ascii = [](char each) { return static_cast<unsigned char>(each) < 0x80; };
  if (std::all_of(bytes.begin(), bytes.end(), is_ascii)) CHECK(whole == in_pieces);
}

}  // namespace rowlock
