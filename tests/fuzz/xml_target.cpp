// What was read is written so that it reads as the same again; a refusal is one line of text.
#include "controller/adapters/s3/s3_refusal.h"
#include "controller/adapters/s3/s3_xml.h"
#include "controller/base/check.h"
#include "controller/base/utf8.h"
#include "tests/fuzz/targets.h"

namespace rowlock {

namespace {

// The prefix keeps a name that has nothing but one from coming out empty.
std::string printed(const XmlElement& element) {
  std::string text = "<x:" + element.name + ">";
  for (const char each : element.text) {
    text += each == '<' ? "&lt;" : each == '&' ? "&amp;" : std::string(1, each);
  }
  for (const XmlElement& child : element.elements) text += printed(child);
  return text + "</x:" + element.name + ">";
}

bool are_same(const XmlElement& left, const XmlElement& right) {
  if (left.name != right.name || left.text != right.text) return false;
  if (left.elements.size() != right.elements.size()) return false;
  for (std::size_t i = 0; i < left.elements.size(); ++i) {
    if (!are_same(left.elements[i], right.elements[i])) return false;
  }
  return true;
}

}  // namespace

void fuzz_xml(std::string_view bytes) {
  HttpAnswer answer;
  answer.status = 400;
  answer.headers["date"] = std::string(first_line(bytes).first);
  answer.body = std::string(bytes);
  const S3Refusal refusal = read_refusal(answer, 0);
  CHECK(refusal.message.find('\n') == std::string::npos);
  CHECK(utf8_first_fault(refused("put", refusal).message) == std::string_view::npos);

  const auto read = read_xml(bytes);
  if (!read.ok()) return;
  const auto again = read_xml(printed(read.value()));
  CHECK(again.ok());
  CHECK(are_same(again.value(), read.value()));
}

}  // namespace rowlock
