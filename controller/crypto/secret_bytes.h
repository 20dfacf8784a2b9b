// Bytes that must not outlive their use, above all keys: in memory that is locked (never swapped),
// left out of core dumps, guarded at both ends, and wiped when it goes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace rowlock {

class SecretBytes {
 public:
  SecretBytes() = default;                 // Empty.
  explicit SecretBytes(std::size_t size);  // Zeros.
  explicit SecretBytes(std::string_view copied);
  static SecretBytes random(std::size_t size);
  ~SecretBytes();
  SecretBytes(SecretBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;

  SecretBytes copy() const { return SecretBytes(view()); }
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  unsigned char* data() { return data_; }
  const unsigned char* data() const { return data_; }
  // Valid as long as this is.
  std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  unsigned char* data_ = nullptr;
  std::size_t size_ = 0;
};

// Overwrites the characters, which the compiler may not leave out. For values in ordinary strings.
void wipe(std::string& text);

// In a time that does not depend on where they differ.
bool are_equal(std::string_view left, std::string_view right);

}  // namespace rowlock
