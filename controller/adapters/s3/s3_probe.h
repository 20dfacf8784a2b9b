// What an S3 service can do, found out by doing it with an object that goes again.
#pragma once

#include "controller/adapters/s3/s3_client.h"
#include "controller/ports/object_store.h"

namespace rowlock {

Result<StoreFacts> probe_bucket(S3Client& client);

}  // namespace rowlock
