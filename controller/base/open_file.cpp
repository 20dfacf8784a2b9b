// Bytes in, bytes compared, and errno as an error that says whether trying again can help.
#include "controller/base/open_file.h"

#include "controller/base/own_trouble.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace rowlock {

Error file_error(const std::string& attempt, int code, std::string hint) {
  if (is_own_trouble(code)) return own_trouble(attempt, code);
  const bool no_room = code == ENOSPC || code == EDQUOT;
  return Error{no_room ? Fault::transient : Fault::broken, Cause::other,
               attempt + ": " + std::strerror(code), std::move(hint)};
}

Result<> write_all(const OpenFile& file, const std::string& attempt, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file.fd(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error(attempt, errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return Done{};
}

bool holds(const OpenFile& file, std::string_view bytes) {
  std::array<char, 4096> piece;
  bool is_same = true;
  while (is_same) {
    const ssize_t count = ::read(file.fd(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      is_same = count == 0 && bytes.empty();
      break;
    }
    const std::string_view read(piece.data(), static_cast<std::size_t>(count));
    is_same = bytes.starts_with(read);
    if (is_same) bytes.remove_prefix(read.size());
  }
  ::explicit_bzero(piece.data(), piece.size());  // It may have been a secret.
  return is_same;
}

}  // namespace rowlock
