// Replaces words; knows nothing of SQL.
#include "controller/store/filled_text.h"

#include <fmt/format.h>

namespace rowlock {

std::string filled_in(std::string text,
                      const std::vector<std::pair<std::string, std::string>>& places) {
  for (const auto& [name, value] : places) {
    const std::string place = "{" + name + "}";
    for (std::size_t at = text.find(place); at != std::string::npos;
         at = text.find(place, at + value.size())) {
      text.replace(at, place.size(), value);
    }
  }
  return text;
}

std::string joined(const std::vector<std::string>& columns, const std::string& format,
                   const std::string& between) {
  std::string all;
  for (const std::string& column : columns) {
    all += (all.empty() ? "" : between) + fmt::format(fmt::runtime(format), column);
  }
  return all;
}

}  // namespace rowlock
