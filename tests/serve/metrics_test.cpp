// The text format, line by line: one that Prometheus cannot read would cost all the others.
#include "controller/serve/metrics.h"

#include <criterion/criterion.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

using rowlock::metrics_text;
using rowlock::Row;
using rowlock::Value;

namespace {

Row row(const std::string& name, const std::string& help, const std::string& type,
        const std::string& labels, Value value) {
  const auto columns = std::make_shared<const std::vector<std::string>>(
      std::vector<std::string>{"name", "help", "type", "labels", "value"});
  return {columns, {name, help, type, labels, std::move(value)}};
}

Row gauge(const std::string& labels, Value value) {
  return row("m", "", "gauge", labels, std::move(value));
}

void assert_text(const std::vector<Row>& rows, const std::string& expected) {
  const std::string text = metrics_text(rows);
  cr_assert(text == expected);
}

}  // namespace

Test(serve_metrics, help_and_type_stand_once_above_the_lines_of_a_name) {
  assert_text({}, "");
  assert_text(
      {row("rowlock_jobs", "Jobs that are wanted.", "gauge", R"({"state":"healthy"})",
           std::int64_t{3}),
       row("rowlock_jobs", "Jobs that are wanted.", "gauge", R"({"state":"failed"})",
           std::int64_t{0}),
       row("rowlock_steps_total", "Steps done.", "counter", "", std::int64_t{12345678901234})},
      "# HELP rowlock_jobs Jobs that are wanted.\n"
      "# TYPE rowlock_jobs gauge\n"
      "rowlock_jobs{state=\"healthy\"} 3\n"
      "rowlock_jobs{state=\"failed\"} 0\n"
      "# HELP rowlock_steps_total Steps done.\n"
      "# TYPE rowlock_steps_total counter\n"
      "rowlock_steps_total 12345678901234\n");
}

Test(serve_metrics, texts_are_escaped_where_they_stand) {
  assert_text({row("m", "a \"b\" \\ c\nd\xff", "gauge", R"({"l":"a \"b\" \\ c\nd ü"})", 1.0)},
              "# HELP m a \"b\" \\\\ c\\nd\xEF\xBF\xBD\n"
              "# TYPE m gauge\n"
              "m{l=\"a \\\"b\\\" \\\\ c\\nd ü\"} 1\n");
}

Test(serve_metrics, labels_may_be_several_and_of_any_type) {
  const std::string type = "# TYPE m gauge\n";
  assert_text({gauge(R"({"b":2,"a":"1","_c9":true,"d":null,"e":0.5})", 1.0)},
              type + "m{_c9=\"true\",a=\"1\",b=\"2\",d=\"\",e=\"0.5\"} 1\n");
  assert_text({gauge("{}", 1.0)}, type + "m 1\n");
}

Test(serve_metrics, numbers_are_written_in_full) {
  const auto line = [](Value value) {
    const std::string text = metrics_text({gauge("", std::move(value))});
    return text.substr(text.find('\n') + 1);
  };
  cr_assert_eq(line(std::numeric_limits<std::int64_t>::max()), "m 9223372036854775807\n");
  cr_assert_eq(line(std::int64_t{-1}), "m -1\n");
  cr_assert_eq(line(0.1), "m 0.1\n");
  cr_assert_eq(line(1700000000.123456), "m 1700000000.123456\n");
  cr_assert_eq(line(1e300), "m 1e+300\n");
  cr_assert_eq(line(std::numeric_limits<double>::infinity()), "m +Inf\n");
  cr_assert_eq(line(-std::numeric_limits<double>::infinity()), "m -Inf\n");
}

Test(serve_metrics, what_prometheus_could_not_read_is_left_out) {
  std::vector<Row> rows;
  for (const char* name : {"", "9a", "a-b", "a b", "ä", "a\n"}) {
    rows.push_back(row(name, "", "gauge", "", 1.0));
  }
  for (const char* labels : {"{", "[]", "1", R"({"9":"x"})", R"({"a:b":"x"})", R"({"":"x"})"}) {
    rows.push_back(gauge(labels, 1.0));
  }
  rows.push_back(gauge("", std::monostate{}));
  rows.push_back(gauge("", "text"));
  assert_text(rows, "");

  rows.push_back(row("a:b_9", "", "odd", "", 1.0));
  assert_text(rows, "# TYPE a:b_9 untyped\na:b_9 1\n");
}
