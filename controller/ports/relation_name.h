// The name of a table, as SQL writes it and as it is.
#pragma once

#include <string>
#include <utility>

namespace rowlock {

// Schema and name of what SQL writes as public."Odd name".
std::pair<std::string, std::string> plain_relation(const std::string& written);

}  // namespace rowlock
