// An image that declares a path as data, for as long as this lives; and the volumes of a home.
#pragma once

#include <string>

namespace rowlock {

class DeclaringImage {
 public:
  DeclaringImage(std::string endpoint, const std::string& path);
  ~DeclaringImage();
  DeclaringImage(const DeclaringImage&) = delete;
  DeclaringImage& operator=(const DeclaringImage&) = delete;

  std::string name() const { return repository_ + ":1"; }

 private:
  std::string endpoint_;
  std::string repository_;
};

// Removes all that carry the home's label but for claims, and returns their names, sorted, each on
// a line.
std::string remove_volumes_of(const std::string& endpoint, const std::string& home);

}  // namespace rowlock
