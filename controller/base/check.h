// CHECK stops the program when a programmer's assumption is wrong. It stays on in release builds,
// and nothing that a user types or the world answers may ever reach one.
#pragma once

namespace rowlock {

// Prints where and what to stderr, then aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* what);

}  // namespace rowlock

#define CHECK(condition)                                       \
  do {                                                         \
    if (!(condition)) {                                        \
      ::rowlock::check_failed(__FILE__, __LINE__, #condition); \
    }                                                          \
  } while (false)

#define UNREACHABLE() ::rowlock::check_failed(__FILE__, __LINE__, "unreachable")
