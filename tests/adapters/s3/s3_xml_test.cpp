// XML from services, and from whoever pretends to be one.
#include "controller/adapters/s3/s3_xml.h"

#include <criterion/criterion.h>

#include <string>

using namespace rowlock;

namespace {

constexpr char kList[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a list -->\n"
    "<s3:List xmlns:s3=\"http://s3.amazonaws.com/doc/2006-03-01/\" odd='a>b'>\n"
    "  <Contents><Key>a&amp;b &lt;&#x41;&#228;&gt;</Key><Size>5</Size></Contents>\n"
    "  <Contents><Key><![CDATA[<raw> & ]]></Key><Empty/></Contents>\n"
    "</s3:List>\n";

}  // namespace

Test(s3_xml, elements_and_their_text_are_read) {
  const auto read = read_xml(kList);

  cr_assert(read.ok());
  const XmlElement& list = read.value();
  cr_expect(list.name == "List" && list.elements.size() == 2);
  cr_expect(list.elements[0].value("Key") == "a&b <A\xC3\xA4>");
  cr_expect(list.elements[0].value("Size") == "5");
  cr_expect(list.elements[1].value("Key") == "<raw> & ");
  cr_expect(list.elements[1].find("Empty") != nullptr);
  cr_expect(list.elements[1].find("Missing") == nullptr && list.value("Missing").empty());
}

Test(s3_xml, a_document_that_is_cut_off_anywhere_is_none) {
  const std::string whole = kList;
  const std::size_t end = whole.rfind('>') + 1;
  for (std::size_t size = 0; size < end; ++size) {
    cr_assert(!read_xml(whole.substr(0, size)).ok(), "cut at %zu", size);
  }
  cr_expect(read_xml(whole.substr(0, end)).ok());
}

Test(s3_xml, what_is_no_document_of_s3_is_refused) {
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "<a>";
  for (const std::string& odd :
       {std::string(),
        std::string("text"),
        std::string("<a>"),
        std::string("<a></b>"),
        std::string("<a/><b/>"),
        std::string("<a>&nbsp;</a>"),
        std::string("<a>&#0;</a>"),
        std::string("<a>&#xD800;</a>"),
        std::string("<a>&#1114112;</a>"),
        std::string("<a>& </a>"),
        std::string("<a b></a>"),
        std::string("<a b=c></a>"),
        std::string("<a b=\"c></a>"),
        std::string("<a>\xFF</a>"),
        std::string("<a>\0</a>", 8),
        std::string("<!DOCTYPE a><a/>"),
        std::string("<a><!DOCTYPE a></a>"),
        std::string("<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>"),
        std::string("<a><?php ?></a>"),
        std::string("<a>x"),
        std::string("{\"a\": 1}"),
        deep}) {
    cr_expect(!read_xml(odd).ok(), "%s", odd.substr(0, 60).c_str());
  }
}
