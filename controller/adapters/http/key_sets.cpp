// By libcurl, or from a plain file. Whoever can write what is read here makes the tokens that are
// believed: so it is read from where the row says and from nowhere else, whatever the row says.
#include "controller/adapters/http/key_sets.h"

#include "controller/adapters/http/authorities.h"
#include "controller/adapters/http/curl_trouble.h"
#include "controller/base/open_file.h"
#include "controller/base/own_trouble.h"
#include "controller/crypto/jwt.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/magic.h>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace rowlock {

namespace {

constexpr long kDeadlineMs = 10'000;

Error failed(const std::string& source, const std::string& what) {
  return {Fault::transient, Cause::other, "read " + source + ": " + what,
          "correct trust.keys, or wait until it is there"};
}

// What no waiting mends.
Error unfit(const std::string& source, const std::string& what, const std::string& hint) {
  return {Fault::rejected, Cause::other, "read " + source + ": " + what, hint};
}

Error too_large(const std::string& source) {
  return failed(source, "it is over 1 MB, which no key set is");
}

// ---- By HTTP

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string part_of(const Url& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, 0) != CURLUE_OK) {
    return "";
  }
  std::string copy(text);
  curl_free(text);
  return copy;
}

// Taken apart by the library that fetches it, which is then given the parts and not the text: there
// are no two opinions about which host it names.
Result<Url> url_of(const std::string& text) {
  constexpr const char* kHint =
      "trust.keys is the absolute path of a file, https://HOST/PATH, or http://127.0.0.1:PORT/PATH";
  Url url(curl_url(), &curl_url_cleanup);
  const bool is_plain =
      std::all_of(text.begin(), text.end(), [](char each) { return each >= '!' && each <= '~'; });
  const bool has_host =
      text.find(":///") == std::string::npos;  // curl takes a path's name for one.
  if (!is_plain || !has_host ||
      curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return unfit("trust.keys", "it is no URL and no absolute path", kHint);
  }
  // It is not repeated: what stands there is a password.
  if (!part_of(url, CURLUPART_USER).empty() || !part_of(url, CURLUPART_PASSWORD).empty() ||
      text.find('@') < text.find_first_of("/?#", text.find("//") + 2)) {
    return unfit("trust.keys", "it names a user: public keys are read without one", kHint);
  }
  const std::string scheme = part_of(url, CURLUPART_SCHEME);
  if (scheme != "https" && scheme != "http") {
    return unfit(text, "it is neither https nor a file", kHint);
  }
  if (scheme == "http" && part_of(url, CURLUPART_HOST) != "127.0.0.1") {
    return unfit(text, "by http, anybody on the way could give other keys", kHint);
  }
  return url;
}

std::size_t take(char* bytes, std::size_t size, std::size_t count, void* into) {
  auto& text = *static_cast<std::string*>(into);
  if (text.size() + size * count > KeySets::kBytesMax) {
    return 0;
  }
  text.append(bytes, size * count);
  return size * count;
}

// Redirects are not followed: whoever is trusted is named in the row.
Result<std::string> fetched(const std::string& source) {
  const auto url = url_of(source);
  if (!url.ok()) {
    return url.error();
  }
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  std::string text;
  curl_easy_setopt(curl.get(), CURLOPT_CURLU, url.value().get());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kDeadlineMs);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &take);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &text);
  if (source.starts_with("http:")) {
    curl_easy_setopt(curl.get(), CURLOPT_PROXY,
                     "");  // One would be asked for 127.0.0.1 of its own.
  }
  trust_authorities(curl.get());
  CurlTrouble trouble;
  trouble.watch(curl.get());
  const CURLcode ended = curl_easy_perform(curl.get());
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (const int own = ended == CURLE_OK ? 0 : trouble.own(curl.get(), ended); own != 0) {
    return own_trouble("read " + source, own);
  }
  if (ended == CURLE_WRITE_ERROR) {
    return too_large(source);
  }
  if (ended != CURLE_OK) {
    return failed(source, curl_easy_strerror(ended));
  }
  if (status >= 300 && status < 400) {
    return failed(source,
                  fmt::format("HTTP {}: it leads elsewhere, which is not followed", status));
  }
  if (status != 200) {
    return failed(source, fmt::format("HTTP {}", status));
  }
  return text;
}

// ---- From a file

// What the kernel makes up while it is read: lines of a log, the memory of a program.
bool is_made_up(int fd) {
  constexpr unsigned long kMadeUp[] = {PROC_SUPER_MAGIC,    SYSFS_MAGIC,      DEBUGFS_MAGIC,
                                       TRACEFS_MAGIC,       SECURITYFS_MAGIC, CGROUP_SUPER_MAGIC,
                                       CGROUP2_SUPER_MAGIC, BPF_FS_MAGIC,     PSTOREFS_MAGIC,
                                       EFIVARFS_MAGIC,      SELINUX_MAGIC};
  struct statfs about {};
  return ::fstatfs(fd, &about) != 0 ||
         std::find(std::begin(kMadeUp), std::end(kMadeUp),
                   static_cast<unsigned long>(about.f_type)) != std::end(kMadeUp);
}

// Why it is none that can be read to its end; nothing when it is one.
std::optional<std::string> unfit_file(int fd) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) return std::strerror(errno);
  if (S_ISDIR(about.st_mode)) return "it is a folder, not a file";
  if (S_ISFIFO(about.st_mode)) return "it is a pipe, not a plain file";
  if (!S_ISREG(about.st_mode)) return "it is a device or a socket, not a plain file";
  if (is_made_up(fd)) return "it is a file of the kernel's, not one on a disk";
  return std::nullopt;
}

Result<std::string> whole(const std::string& path, int fd) {
  std::string text(KeySets::kBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = ::read(fd, text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(path, std::strerror(errno));
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  text.resize(size);
  return size > KeySets::kBytesMax ? Result<std::string>(too_large(path)) : text;
}

// Looked at before it is opened, for to open some devices does something: the second open is of the
// same file by way of the first, whatever has taken its name by now.
Result<std::string> file_at(const std::string& path) {
  const auto not_opened = [&path](int code) {
    return is_own_trouble(code)
               ? own_trouble("read " + path, code)
               : failed(path, fmt::format("the file cannot be opened: {}", std::strerror(code)));
  };
  if (path.find('\0') != std::string::npos)
    return unfit(path, "a NUL is in the path", "correct it");
  const OpenFile seen(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!seen.is_open()) return not_opened(errno);
  if (const auto why = unfit_file(seen.fd())) {
    return unfit(path, *why, "trust.keys names a plain file that holds the key set");
  }
  const std::string same = fmt::format("/proc/self/fd/{}", seen.fd());
  const OpenFile file(::open(same.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file.is_open()) return not_opened(errno);
  return whole(path, file.fd());
}

}  // namespace

Result<std::string> KeySetReader::read(const std::string& source) {
  auto text = source.starts_with('/') ? file_at(source) : fetched(source);
  if (!text.ok()) {
    return text;
  }
  if (auto keys = JwtKeys::parse(text.value()); !keys.ok()) {
    Error error = failed(source, keys.error().message);
    error.fault = Fault::rejected;
    return error;
  }
  return text;
}

}  // namespace rowlock
