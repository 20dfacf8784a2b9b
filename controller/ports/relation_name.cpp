// Within quotes a point is part of a name, and two quotes are one.
#include "controller/ports/relation_name.h"

namespace rowlock {

std::pair<std::string, std::string> plain_relation(const std::string& written) {
  std::string schema;
  std::string name;
  bool is_quoted = false;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const char c = written[i];
    if (c == '"' && is_quoted && i + 1 < written.size() && written[i + 1] == '"') {
      name += written[++i];
    } else if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == '.' && !is_quoted && schema.empty()) {
      schema.swap(name);
    } else {
      name += c;
    }
  }
  return {schema, name};
}

}  // namespace rowlock
