// A name that was taken apart and put together is taken apart in the same way, and its mirror's
// repository is the mirror's.
#include "controller/adapters/docker/docker_image.h"
#include "controller/base/check.h"
#include "tests/fuzz/targets.h"

#include <algorithm>

namespace rowlock {

void fuzz_docker_image(std::string_view bytes) {
  const auto [head, rest] = first_line(bytes);
  const std::string image(head);
  const ImageReference reference = image_reference(image);
  // What the engine refuses anyway may mean anything: a digest of another form than NAME:DIGITS.
  const std::size_t at = std::min(image.find('@'), image.size());
  const std::string digest = image.substr(at);
  const bool is_known = digest.starts_with("@sha256:") || digest.starts_with("@sha512:");
  const bool is_formed =
      at == image.size() || (is_known && (digest.size() == 8 + 64 || digest.size() == 8 + 128) &&
                             digest.find_first_not_of("0123456789abcdef", 8) == digest.npos);
  const ImageReference again = image_reference(reference.text());
  CHECK(!is_formed || (again.name == reference.name && again.tag == reference.tag));
  CHECK(!is_formed || again.registry == reference.registry);
  CHECK(is_same_repository(image, image));
  CHECK(is_same_repository(image, std::string(rest)) ==
        is_same_repository(std::string(rest), image));
  CHECK(mirrored(reference, "mirror.example:5000").registry == "mirror.example:5000");
}

}  // namespace rowlock
