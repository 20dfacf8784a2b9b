// The one door to JSON: what it must refuse, and what must come back as it went in.
#include "controller/base/json.h"

#include "controller/base/utf8.h"

#include <criterion/criterion.h>

#include <functional>
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
      "1.0",
      "-0",
      "1E5",
      "0.1000000000000000000000000001",
      "12345678901234567890",
      "3.14159265358979323846264338327950288",
      "1e999",
      "-1e-999",
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
      {"-", "byte 1"},
      {"01", "byte 2"},
      {"-01", "byte 3"},
      {"1.", "byte 2"},
      {".5", "byte 0"},
      {"+1", "byte 0"},
      {"1e", "byte 2"},
      {"1e+", "byte 3"},
      {"0x10", "byte 1"},
      {"NaN", "byte 0"},
      {"Infinity", "byte 0"},
      {"tru", "byte 3"},
      {"[1 2]", "byte 3"},
      {"[", "byte 1"},
      {"{", "byte 1"},
      {"{\"a\":", "byte 5"},
      {"{\"a\":1,}", "byte 7"},
      {"{a:1}", "byte 1"},
      {"'a'", "byte 0"},
      {"\"\\x\"", "byte 3"},
      {"\"\\u12\"", "byte 5"},
      {"\"\\udc00\\ud800\"", "byte"},
      {"\"\\ud83d\\u0041\"", "byte"},
      {"// a\n1", "byte 0"},
      {"\"\xff\"", "byte 1"},
      {"\"\xc0\xaf\"", "byte 1"},
      {"\"\xed\xa0\x80\"", "byte 1"},
      {"\"\\ud800\"", "byte"},
      {"\"tab\there\"", "byte"},
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

Test(json, escapes_are_read_as_the_characters_they_stand_for) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("\"\\\/\b\f\n\r\t")", "\"\\/\b\f\n\r\t"},
      {R"("\u0041\u00e9\u20AC")", "A\xc3\xa9\xe2\x82\xac"},
      {R"("\ud83d\uDEA3x")", "\xf0\x9f\x9a\xa3x"},
      {R"("\uffff")", "\xef\xbf\xbf"},
  };
  for (const auto& [text, value] : cases) {
    const Result<Json> json = Json::parse(text);
    cr_assert(json.ok(), "%s: %s", text, json.ok() ? "" : json.error().message.c_str());
    cr_expect(json.value().as_string() == value, "%s", text);
  }
}

Test(json, nesting_is_bounded) {
  const auto lists = [](int depth) {
    const auto count = static_cast<std::size_t>(depth);
    return std::string(count, '[') + std::string(count, ']');
  };
  const auto objects = [](int depth) {
    std::string text = "1";
    for (int i = 0; i < depth; ++i) text = "{\"a\":" + text + "}";
    return text;
  };

  for (const auto& make : {std::function(lists), std::function(objects)}) {
    cr_expect(Json::parse(make(Json::kDepthMax)).ok());
    const auto deep = Json::parse(make(Json::kDepthMax + 1));
    cr_assert(!deep.ok());
    cr_expect(deep.error().message.find("nested more than 128 deep") != std::string::npos, "%s",
              deep.error().message.c_str());
    cr_expect(Json::parse(make(2), {Json::Repeated::refused, 2}).ok());
    cr_expect(!Json::parse(make(3), {Json::Repeated::refused, 2}).ok());
  }
  cr_expect(!Json::parse(std::string(1000000, '[')).ok());
}

Test(json, so_many_values_are_read_and_no_more) {
  Json::Reading three;
  three.values_max = 3;
  for (const char* text : {"[1,2]", R"({"a":{"b":null}})", "[[]]", "1"}) {
    cr_expect(Json::parse(text, three).ok(), "%s", text);
  }
  for (const char* text : {"[1,2,3]", R"({"a":{"b":null},"c":1})", "[[],[],[]]"}) {
    const auto refused = Json::parse(text, three);
    cr_assert(!refused.ok(), "%s", text);
    cr_expect(refused.error().message.starts_with("more than 3 values at byte"), "%s",
              refused.error().message.c_str());
  }
}

Test(json, a_name_given_twice_is_refused_or_the_last_one_counts) {
  const char* const text = R"({"a":1,"b":{"c":[1],"\u0063":{"d":2}},"a":{"x":3}})";

  const auto refused = Json::parse(text);
  const auto last = Json::parse(text, {Json::Repeated::last_wins, Json::kDepthMax});

  cr_assert(!refused.ok());
  cr_expect(refused.error().message == "the name \"c\" is given twice, again at byte 29", "%s",
            refused.error().message.c_str());
  cr_assert(last.ok());
  cr_expect(last.value().text() == R"({"a":{"x":3},"b":{"c":{"d":2}}})");
  const std::string name(1000, 'n');
  const auto cut = Json::parse("{\"" + name + "\":1,\"" + name + "\":2}");
  cr_expect(!cut.ok() && cut.error().message.size() < 100);
}

Test(json, a_number_reads_as_what_the_type_can_hold_and_else_as_nothing) {
  struct Case {
    const char* text;
    std::int64_t integer;
    double number;
  };
  for (const Case& each : std::vector<Case>{
           {"9223372036854775807", 9223372036854775807, 9223372036854775807.0},
           {"9223372036854775808", -7, 9223372036854775808.0},
           {"1.0", 1, 1},
           {"1e3", 1000, 1000},
           {"-2.9", -2, -2.9},
           {"-0", 0, 0},
           {"1e999", -7, -7},
           {"-1e999", -7, -7},
           {"0.1000000000000000000000000001", 0, 0.1},
       }) {
    const Json json = Json::parse(each.text).value();
    cr_expect_eq(json.as_integer(-7), each.integer, "%s", each.text);
    cr_expect_eq(json.as_number(-7), each.number, "%s", each.text);
  }
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
