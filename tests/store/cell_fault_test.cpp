// JSON in cells: what SQLite takes and others would not.
#include "controller/store/cell_fault.h"

#include <criterion/criterion.h>

using rowlock::json_fault;

Test(cell_fault, a_number_that_no_type_holds_is_refused_wherever_it_stands) {
  for (const char* text : {"1e999", "[1,-1e999]", R"({"a":{"b":[1e999]}})", "[1e-999]"}) {
    const auto fault = json_fault(std::string(text));

    cr_assert(fault.has_value(), "%s", text);
    cr_expect(fault->find("a number in it is too large") != std::string::npos, "%s",
              fault->c_str());
  }
  for (const char* text : {"1e300", "[0, -0.0, 12345678901234567890]", "[true, null, \"1e999\"]"}) {
    cr_expect(!json_fault(std::string(text)).has_value(), "%s", text);
  }
}

Test(cell_fault, a_name_given_twice_is_refused) {
  const auto fault = json_fault(std::string(R"({"a":1,"a":2})"));

  cr_assert(fault.has_value());
  cr_expect(fault->find("the name \"a\" is given twice") != std::string::npos, "%s",
            fault->c_str());
}
