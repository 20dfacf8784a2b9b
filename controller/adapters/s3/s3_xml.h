// XML as S3 services answer it: elements and text. Strict, and small on purpose: a document type,
// and with it entities of its own, is refused, and nothing is ever fetched.
#pragma once

#include "controller/base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct XmlElement {
  std::string name;  // Without its prefix; attributes are read over.
  std::string text;  // What stands in it, but for its elements.
  std::vector<XmlElement> elements;

  // The text of the first element of that name; empty when there is none.
  std::string value(std::string_view name) const;
  const XmlElement* find(std::string_view name) const;  // Null when there is none.
};

// The one element that the whole document is.
Result<XmlElement> read_xml(std::string_view document);

}  // namespace rowlock
