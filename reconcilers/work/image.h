// The hands that deal with images: what a name stands for, fetching it, and looking whether a tag
// was moved. When each happens is decided in schema/work/image.sql and instance.sql.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

// Those of an instance: resolve and pull.
std::vector<Hand> instance_image_hands(Secrets& secrets);

// Those of a job's tag.
std::vector<Hand> tag_hands(Secrets& secrets);

}  // namespace rowlock
