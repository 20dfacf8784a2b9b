// The disks of a server on this machine: what is free on them, and whether it is little.
#pragma once

#include "controller/ports/database_dumps.h"

#include <cstdint>
#include <optional>
#include <string>

namespace rowlock {

struct PostgresDisks {
  std::string data;                // Its folder,
  std::string log;                 // and that of its write-ahead log, often on another disk.
  std::int64_t log_max_bytes = 0;  // As ServerRoom has it.
  std::int64_t bytes_max = 0;      // That its folder may hold; 0: no bound.

  // Absent when they cannot be looked at.
  std::optional<ServerRoom> room() const;

  // Which of them has so little left that the server may soon be in need, with the figures; "":
  // none.
  std::string shortage() const;

  // That its folder holds more than it may, with the figures; "": it does not. Looks at every file.
  std::string excess() const;
};

}  // namespace rowlock
