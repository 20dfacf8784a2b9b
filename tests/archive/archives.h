// Archives in memory for the tests: as TarWriter makes them, and made up by hand, with headers that
// no honest program writes.
#pragma once

#include "controller/archive/tar_reader.h"
#include "controller/ports/streams.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

// Blocks of that size, then the end.
Source source_of(std::string bytes, std::size_t block = 1000);

// Name and content, in order.
using Members = std::vector<std::pair<std::string, std::string>>;

// By TarWriter; those whose names end with a '*' are of unknown size, and with a '+' a next piece.
std::string archive_of(const Members& members);

// All that TarReader gives of it; empty and the error's message, when it refuses.
struct ReadArchive {
  Members members;
  std::string refusal;
};
ReadArchive read_archive(const std::string& archive, std::size_t block = 1000);

// A member as POSIX ustar writes it: header, content, padding.
std::string tar_entry(const std::string& name, const std::string& content, char type = '0',
                      const std::string& link = "");
// The two blocks of zeros with which tar ends.
std::string tar_end();
std::string zstd_of(const std::string& plain);

// Bytes that zstd can do nothing with, the same for the same seed.
std::string noise(std::size_t size, unsigned seed = 1);

}  // namespace rowlock
