// A real S3 service that nobody here wrote: OpenStack Swift, started by tools/swift, in a network
// of the test's own and in a tree of processes that ends with the test.
#pragma once

#include "controller/ports/object_store.h"
#include "tests/live/rowlock/rowlock_child.h"
#include "tests/store/files.h"

#include <memory>
#include <string>
#include <vector>

namespace rowlock {

class SwiftRig {
 public:
  // Skips the test where Swift is not installed or a network of its own cannot be had. Requires: no
  // other thread runs yet, since this moves the process into that network; and that the tests run
  // in the root of the tree.
  SwiftRig();

  // A bucket that is there, with the keys that work; `prefix` may be empty.
  StoreAddress address(const std::string& bucket, const std::string& prefix = "") const;

  // By the AWS command line: what it prints. Fails the test when it fails.
  std::string aws(const std::vector<std::string>& arguments) const;

  // By rclone, the same.
  std::string rclone(const std::vector<std::string>& arguments) const;

  void make_bucket(const std::string& bucket, bool is_versioned = false) const;
  std::string endpoint() const;

 private:
  std::string run(const std::vector<std::string>& command) const;

  std::string script_;
  TempFolder folder_;
  std::unique_ptr<rowlock_live::Child> servers_;
};

}  // namespace rowlock
