// The SQL of the tree, carried inside the binary: one file to install, and no path to get wrong.
// The text is written to build/MODE/gen/embedded.cpp by tools/embed, from every .sql file in
// schema/ and migrations/.
#pragma once

#include <span>
#include <string_view>

namespace rowlock {

struct EmbeddedFile {
  std::string_view name;  // As in the tree: "schema/work/job.sql".
  std::string_view text;
};

// All of them, sorted by name byte by byte within each folder, migrations after schema. They live
// as long as the program.
std::span<const EmbeddedFile> embedded_files();

}  // namespace rowlock
