// SHA-256 and MD5 of bytes that come piece by piece. MD5 is what S3 calls an object's ETag; nothing
// is trusted to it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace rowlock {

class StreamDigest {
 public:
  enum class Method { sha256, md5 };

  explicit StreamDigest(Method method);
  ~StreamDigest();
  StreamDigest(StreamDigest&&) noexcept;
  StreamDigest& operator=(StreamDigest&&) noexcept;

  void add(std::string_view bytes);
  std::string end();  // The digest itself, in bytes. To be called once, last.

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256_hex(std::string_view bytes);
std::string md5_of(std::string_view bytes);  // 16 bytes.

}  // namespace rowlock
