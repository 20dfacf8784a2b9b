// The one door to JSON: what it must refuse, though picojson by itself would not, and what must
// come back as it went in.
#include "controller/base/json.h"

#include "controller/base/utf8.h"

#include <criterion/criterion.h>

#include <limits>

using rowlock::Json;
using rowlock::Result;

Test(json, texts_come_back_as_they_went_in) {
  const char* const texts[] = {
      "null",
      "true",
      "false",
      "0",
      "-7",
      "9223372036854775807",
      "-9223372036854775808",
      "0.1",
      "1.5e+300",
      "\"\"",
      "\"a/b\"",
      "\"\\\"\\\\\\n\\r\\t\\u0001\\u007f\"",
      "\"\xc3\xa9\xf0\x9f\x9a\xa3\"",
      "[]",
      "{}",
      "[1,[2,{\"a\":null}],\"x\"]",
      "{\"a\":1,\"b\":{\"c\":[true,false]}}",
  };
  for (const char* text : texts) {
    const Result<Json> json = Json::parse(text);
    cr_assert(json.ok(), "%s: %s", text, json.ok() ? "" : json.error().message.c_str());
    cr_expect(json.value().text() == text, "%s became %s", text, json.value().text().c_str());
  }
}

Test(json, what_is_not_one_valid_value_is_refused_with_its_place) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "byte 0"},
      {"  ", "byte 2"},
      {"nul", "byte"},
      {"[1,]", "byte"},
      {"{\"a\" 1}", "byte"},
      {"1 2", "byte 2"},
      {"{} x", "byte 3"},
      {"1e400", "byte"},
      {"-", "byte"},
      {"\"\xff\"", "byte 1"},
      {"\"\xc0\xaf\"", "byte 1"},
      {"\"\xed\xa0\x80\"", "byte 1"},
      {"\"\\ud800\"", "byte"},
      {"\"tab\there\"", "byte"},
      {"{\"a\":1,\"a\":2}", "byte"},
      {"\"open", "byte"},
      {"[\"\xe2\x82\"]", "byte 2"},
  };
  for (const auto& [text, place] : cases) {
    const Result<Json> json = Json::parse(text);
    cr_assert(!json.ok(), "'%s' was accepted", text);
    cr_expect(json.error().message.find(place) != std::string::npos, "'%s': %s", text,
              json.error().message.c_str());
  }
}

Test(json, nesting_is_bounded) {
  const std::string shallow = std::string(50, '[') + std::string(50, ']');
  const std::string deep = std::string(100000, '[');

  cr_expect(Json::parse(shallow).ok());
  cr_expect(!Json::parse(deep).ok());
}

Test(json, what_is_absent_or_of_another_type_reads_as_nothing) {
  const Json json =
      Json::parse(R"({"text":"a","number":3,"list":[1],"half":2.5,"yes":true})").value();

  cr_expect(json["absent"].is_null());
  cr_expect(json["absent"]["deeper"]["still"].is_null());
  cr_expect(json["number"].as_string("none") == "none");
  cr_expect_eq(json["text"].as_integer(9), 9);
  cr_expect_eq(json["half"].as_integer(), 2);
  cr_expect_eq(json["number"].as_number(), 3.0);
  cr_expect(json["text"].items().empty());
  cr_expect(json["list"].members().empty());
  cr_expect(json["yes"].as_boolean());
  cr_expect(!json["text"].as_boolean());
  cr_expect_eq(Json::parse("1e300").value().as_integer(-1), -1);
}

Test(json, values_can_be_built) {
  const Json json =
      Json::object({{"b", Json::array({Json::integer(1), Json::string("x/y"), Json()})},
                    {"a", Json::boolean(true)},
                    {"n", Json::number(0.5)},
                    {"i", Json::number(std::numeric_limits<double>::infinity())}});

  cr_expect(json.text() == R"({"a":true,"b":[1,"x/y",null],"i":null,"n":0.5})");
}

Test(utf8, bytes_that_are_no_text_are_replaced_one_by_one) {
  const std::string broken =
      "a\xff\xfe"
      "b\xc3\xa9\xe2\x82";
  const std::string mended =
      "a\xef\xbf\xbd\xef\xbf\xbd"
      "b\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd";

  cr_expect(rowlock::utf8_sanitised(broken) == mended);
  cr_expect(rowlock::utf8_sanitised("").empty());
}
