// Files of KEY=VALUE lines, as docker, compose and the dotenv libraries read them:
//
//   # a comment
//   export USER=app            the word export does nothing; a comment may follow after a blank
//   PASSWORD='all is literal until the next quote: \ and line ends too'
//   KEY="escapes: \n \r \t \" \\ \$"
//
// Nothing is put in for $NAME or ${NAME}: what stands there is the value.
#pragma once

#include "controller/base/result.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

using KeyValues = std::vector<std::pair<std::string, std::string>>;

// In the order of the file. The error names the line, and never shows what stands there.
Result<KeyValues> read_dotenv(std::string_view text);

// Whether a line can begin with it: letters, digits, '_', '.' and '-', no digit first.
bool is_dotenv_key(std::string_view key);

// Lines that read_dotenv() reads back as these. Requires: keys for which is_dotenv_key() holds.
std::string dotenv_text(const KeyValues& values);

}  // namespace rowlock
