// The list, and how each of them reads.
#include "controller/base/own_trouble.h"

#include "controller/base/open_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/resource.h>

namespace rowlock {

namespace {

// The words of the second begin those of the first.
constexpr int kOwn[] = {ENFILE, EMFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL};

const char* hint_for(int code) {
  switch (code) {
    case EMFILE: return "raise it with LimitNOFILE= in the unit of the service, or ulimit -n";
    case ENFILE: return "raise the sysctl fs.file-max, or end what holds so many files open";
    case EADDRNOTAVAIL: return "widen the sysctl net.ipv4.ip_local_port_range";
  }
  return "give this machine more memory, or run less on it";
}

}  // namespace

bool is_own_trouble(int code) {
  for (const int each : kOwn) {
    if (each == code) {
      return true;
    }
  }
  return false;
}

std::string own_trouble_in_words(int code) {
  switch (code) {
    case EMFILE: {
      rlimit limit = {};
      ::getrlimit(RLIMIT_NOFILE, &limit);
      return fmt::format("too many open files: this process may have {}", limit.rlim_cur);
    }
    case ENFILE: return "too many open files: this machine has no more to give";
    case ENOMEM: return "out of memory: this machine has no more to give";
    case ENOBUFS: return "no buffer space: this machine has no more to give";
    case EADDRNOTAVAIL: return "no local address or port is left on this machine to connect from";
  }
  return std::strerror(code);
}

Error own_trouble(const std::string& attempt, int code) {
  return {Fault::broken, Cause::other, attempt + ": " + own_trouble_in_words(code), hint_for(code)};
}

int own_trouble_now() {
  const OpenFile probe(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return !probe.is_open() && is_own_trouble(errno) ? errno : 0;
}

int own_trouble_of(std::string_view words) {
  for (const int each : kOwn) {
    if (words.find(std::strerror(each)) != std::string_view::npos) {
      return each;
    }
  }
  return 0;
}

}  // namespace rowlock
