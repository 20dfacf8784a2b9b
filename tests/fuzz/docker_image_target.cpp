// Any text is taken apart; whether two are of one repository does not hang on their order, and what
// is fetched by a mirror is fetched there.
#include "controller/adapters/docker/docker_image.h"
#include "controller/base/check.h"
#include "tests/fuzz/targets.h"

namespace rowlock {

void fuzz_docker_image(std::string_view bytes) {
  const auto [head, rest] = first_line(bytes);
  const std::string image(head);
  const ImageReference reference = image_reference(image);
  CHECK(is_same_repository(image, image));
  CHECK(is_same_repository(image, std::string(rest)) ==
        is_same_repository(std::string(rest), image));
  CHECK(mirrored(reference, "mirror.example:5000").registry == "mirror.example:5000");
}

}  // namespace rowlock
