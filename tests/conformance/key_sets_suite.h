// What every KeySets must do, the fake and the real one alike.
#pragma once

#include "controller/ports/key_sets.h"

#include <functional>
#include <string>
#include <vector>

namespace rowlock {

struct KeySetsFixture {
  // Has that text stand somewhere of its own: a source of each sort, a file and a URL.
  std::function<std::vector<std::string>(const std::string& text)> put;
  std::vector<std::string> of_none;  // Sources at which there is nothing, or nobody.
  // Sources that are no text at all: a folder, a pipe that nobody writes to, a status of 404 or 302
  // before a key set, a connection that is cut.
  std::vector<std::string> unreadable;
};

// {"keys":[…]} with so many keys.
std::string key_set_of(int keys);

// Runs every case. Failures are reported through Criterion and name the case. A source that is read
// without end makes it stand still: give the test a timeout.
void check_key_sets(KeySets& sets, const KeySetsFixture& fixture);

}  // namespace rowlock
