// A file that passes for a certificate with its key has a fingerprint, and is kept as it is.
#include "controller/adapters/haproxy/haproxy_certificate.h"
#include "controller/base/check.h"
#include "tests/fuzz/targets.h"

#include <algorithm>
#include <sys/mman.h>
#include <unistd.h>

namespace rowlock {

void fuzz_pem(std::string_view bytes) {
  const int file = ::memfd_create("pem", MFD_CLOEXEC);
  CHECK(file >= 0);
  CHECK(::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  const auto read = read_certificate("/proc/self/fd/" + std::to_string(file));
  ::close(file);
  if (!read.ok()) return;
  CHECK(read.value().pem == bytes);
  CHECK(read.value().fingerprint.size() == 40);
  CHECK(read.value().fingerprint.find_first_not_of("0123456789ABCDEF") == std::string::npos);
}

}  // namespace rowlock
