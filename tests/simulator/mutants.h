// Rules and facts with one thing wrong in each, to prove that the checkers see. A mutant is a
// substitution in the text of the schema; everything else is as in the product.
#pragma once

#include "controller/store/schema.h"

#include <cstdint>
#include <string>
#include <vector>

namespace rowlock::simulator {

struct Substitution {
  std::string_view file;  // "schema/work/instance.sql"
  std::string_view from;  // Must be there.
  std::string_view to;
};

struct Mutant {
  std::string_view name;
  std::vector<Substitution> substitutions;
  std::uint64_t caught_by = 0;  // A seed that has caught it: tried first.
};

std::vector<Mutant> all_mutants();

// The embedded files with the mutant's substitutions made, and the schema that they are.
class MutatedSchema {
 public:
  explicit MutatedSchema(const Mutant& mutant);

  const std::string& missing() const { return missing_; }  // A text that was not found, or "".
  Schema schema() const { return Schema(files_); }

 private:
  std::vector<std::string> texts_;
  std::vector<EmbeddedFile> files_;
  std::string missing_;
};

}  // namespace rowlock::simulator
