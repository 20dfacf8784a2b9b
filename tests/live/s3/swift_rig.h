// A real S3 service that nobody here wrote: OpenStack Swift, started by the fixture beside this
// tree, in a network of the test's own and in a tree of processes that ends with the test.
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
  // Skips the test where the fixture or Swift is absent. The fixture is ../shared/fixtures/swift,
  // or that of the folder ROWLOCK_TEST_SHARED. Requires: no other thread runs yet, since this
  // moves the process into a network of its own.
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
