// Where the objects of a bucket are, as URLs.
#pragma once

#include "controller/base/result.h"
#include "controller/ports/object_store.h"

#include <string>

namespace rowlock {

struct S3Place {
  std::string scheme;  // http | https
  std::string host;    // As the header of that name has it: with the port, unless it goes without.
  std::string bucket;
  std::string prefix;  // Of every key; empty, or with a slash at its end.
  std::string region;
  bool is_path_style = true;
  std::string ca_file;  // Of the authorities that say who the host is; empty: the usual ones.

  // From the slash on, encoded. Empty `key`: of the bucket itself.
  std::string path(const std::string& key) const;
};

// Rejected, with what to correct, when the address is none of S3.
Result<S3Place> read_s3_place(const StoreAddress& address);

}  // namespace rowlock
