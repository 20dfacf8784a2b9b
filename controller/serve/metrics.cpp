// What is measured is a view (schema/kernel/metric.sql); here rows become text. A row that would
// break the format is left out, since Prometheus drops the whole page for one bad line.
#include "controller/serve/metrics.h"

#include "controller/base/json.h"
#include "controller/base/utf8.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

namespace rowlock {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_label_name(std::string_view name) {
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

// As a label's, with colons.
bool is_metric_name(std::string name) {
  std::replace(name.begin(), name.end(), ':', '_');
  return is_label_name(name);
}

std::string known_type(const std::string& type) {
  for (const char* known : {"counter", "gauge", "histogram", "summary"}) {
    if (type == known) return type;
  }
  return "untyped";
}

// A help text keeps its quotes; the value of a label stands in some.
std::string escaped(std::string_view text, bool is_quoted) {
  std::string result;
  for (const char c : utf8_sanitised(text)) {
    if (c == '\n') {
      result += "\\n";
    } else {
      if (c == '\\' || (c == '"' && is_quoted)) result += '\\';
      result += c;
    }
  }
  return result;
}

// {name="value",…}, or "" when there are none. Nothing when they cannot be read.
std::optional<std::string> labels_of(const std::string& json) {
  if (json.empty()) return "";
  const Result<Json> labels = Json::parse(json);
  if (!labels.ok() || !labels.value().is_object()) return std::nullopt;
  std::string list;
  for (const auto& [name, value] : labels.value().members()) {
    if (!is_label_name(name)) return std::nullopt;
    const std::string text =
        value.is_null() || value.is_string() ? value.as_string() : value.text();
    list += (list.empty() ? "" : ",") + name + "=\"" + escaped(text, true) + "\"";
  }
  return list.empty() ? "" : "{" + list + "}";
}

std::optional<std::string> number_of(const Value& value) {
  if (std::holds_alternative<std::int64_t>(value)) return text_of(value);
  const double* number = std::get_if<double>(&value);
  if (number == nullptr) return std::nullopt;
  if (std::isinf(*number)) return *number > 0 ? "+Inf" : "-Inf";
  return text_of(value);
}

}  // namespace

std::string metrics_text(const std::vector<Row>& rows) {
  std::string result;
  std::string above;  // The name whose help and type were written last.
  for (const Row& row : rows) {
    const std::string name = row.text("name");
    const std::optional<std::string> labels = labels_of(row.text("labels"));
    const std::optional<std::string> number = number_of(row.at("value"));
    if (!is_metric_name(name) || !labels || !number) continue;
    if (name != above) {
      const std::string help = escaped(row.text("help"), false);
      if (!help.empty()) result += "# HELP " + name + " " + help + "\n";
      result += "# TYPE " + name + " " + known_type(row.text("type")) + "\n";
      above = name;
    }
    result += name + *labels + " " + *number + "\n";
  }
  return result;
}

}  // namespace rowlock
