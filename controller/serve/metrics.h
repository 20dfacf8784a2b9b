// Metrics as Prometheus reads them: the text format 0.0.4.
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
#pragma once

#include "controller/store/database.h"

#include <string>
#include <vector>

namespace rowlock {

// What to send as the Content-Type of it.
constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// One line for each row: name, help, type (counter, gauge …), labels (a JSON object of text, or
// ''), value (NULL: not known, and left out). A name's help and type stand above its first line and
// are taken from its first row. A row whose name is no metric's name, or whose labels are not
// readable, is left out, since one bad line makes Prometheus drop all. Requires: rows of one name
// stand together.
std::string metrics_text(const std::vector<Row>& rows);

}  // namespace rowlock
