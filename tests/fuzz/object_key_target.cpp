// A key never leads out of its folder, means itself in a URL, and can be found by its beginnings.
#include "controller/adapters/object_key.h"
#include "controller/base/check.h"
#include "controller/base/percent.h"
#include "tests/fuzz/targets.h"

#include <filesystem>

namespace rowlock {

void fuzz_object_key(std::string_view bytes) {
  const std::string key(bytes);
  CHECK(check_key(key).ok() == is_key(key));
  (void)check_key_prefix(key);
  if (!is_key(key)) return;
  const std::filesystem::path path = std::filesystem::path("/store") / key;
  CHECK(path.lexically_normal() == "/store/" + key);
  CHECK(percent_encoded(key, "/") == key);
  for (std::size_t size = 0; size < key.size(); ++size) {
    const bool is_full_part = key[size] == '/';  // One letter more can be one too many.
    CHECK(is_full_part || check_key_prefix(key.substr(0, size)).ok());
  }
}

}  // namespace rowlock
