// The script runs as the first process of a namespace: when it goes, the kernel ends all of them.
#include "tests/live/s3/swift_rig.h"

#include "controller/adapters/process/command.h"

#include <criterion/criterion.h>

#include <chrono>
#include <filesystem>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace rowlock {

namespace fs = std::filesystem;

namespace {

constexpr int kPort = 6443;  // In a network of its own, where it is free.
constexpr char kKeyId[] = "test:tester";
constexpr char kSecret[] = "testing";
constexpr char kScript[] = "tools/swift";
constexpr auto kStartPatience = std::chrono::seconds(180);
constexpr std::int64_t kClientMs = 60'000;

void enter_own_network() {
  if (::unshare(CLONE_NEWNET) != 0) cr_skip_test("only root can have a network of its own");
  const int any = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq loopback{};
  loopback.ifr_name[0] = 'l';
  loopback.ifr_name[1] = 'o';
  loopback.ifr_flags = IFF_UP;
  cr_assert(::ioctl(any, SIOCSIFFLAGS, &loopback) == 0);
  ::close(any);
}

// Before there is anything to clear away, since a skipped test ends where it is.
std::string usable_script() {
  if (program_path("swift-proxy-server").empty()) cr_skip_test("Swift is not installed");
  enter_own_network();
  return fs::absolute(kScript).string();
}

}  // namespace

SwiftRig::SwiftRig() : script_(usable_script()) {
  fs::permissions(folder_.path(), fs::perms{0755});  // Its servers are not root.
  servers_ = std::make_unique<rowlock_live::Child>(
      std::vector<std::string>{program_path("unshare"), "--pid", "--fork", "--kill-child", "--",
                               "/bin/bash", "-c", R"("$0" start "$1" "$2" && echo is up && read _)",
                               script_, folder_ / "swift", std::to_string(kPort)},
      folder_ / "output");
  const auto until = std::chrono::steady_clock::now() + kStartPatience;
  while (contents(folder_ / "output").find("is up") == std::string::npos) {
    cr_assert(!servers_->has_ended() && std::chrono::steady_clock::now() < until, "%s",
              contents(folder_ / "output").c_str());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::string SwiftRig::endpoint() const { return "http://127.0.0.1:" + std::to_string(kPort); }

StoreAddress SwiftRig::address(const std::string& bucket, const std::string& prefix) const {
  StoreAddress address;
  address.url = "s3://" + bucket + (prefix.empty() ? "" : "/" + prefix);
  address.endpoint = endpoint();
  address.access_key_id = kKeyId;
  address.secret_access_key = std::make_shared<const SecretBytes>(std::string_view(kSecret));
  return address;
}

std::string SwiftRig::run(const std::vector<std::string>& command) const {
  const auto ran = run_command(command, kClientMs);
  cr_assert(ran.ok(), "%s", ran.ok() ? "" : ran.error().message.c_str());
  cr_assert(ran.value().exit_code == 0, "%s", ran.value().output.c_str());
  return ran.value().output;
}

std::string SwiftRig::aws(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {"/usr/bin/env",
                                      "-i",
                                      "PATH=/usr/bin:/bin",
                                      "HOME=" + folder_.path(),
                                      std::string("AWS_ACCESS_KEY_ID=") + kKeyId,
                                      std::string("AWS_SECRET_ACCESS_KEY=") + kSecret,
                                      "AWS_DEFAULT_REGION=us-east-1",
                                      "AWS_EC2_METADATA_DISABLED=true",
                                      "/usr/bin/aws",
                                      "--endpoint-url",
                                      endpoint(),
                                      "--output",
                                      "text"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run(command);
}

std::string SwiftRig::rclone(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {
      "/usr/bin/env",
      "-i",
      "PATH=/usr/bin:/bin",
      "HOME=" + folder_.path(),
      "RCLONE_CONFIG_SWIFT_TYPE=s3",
      "RCLONE_CONFIG_SWIFT_PROVIDER=Other",
      "RCLONE_CONFIG_SWIFT_ENDPOINT=" + endpoint(),
      "RCLONE_CONFIG_SWIFT_REGION=us-east-1",
      std::string("RCLONE_CONFIG_SWIFT_ACCESS_KEY_ID=") + kKeyId,
      std::string("RCLONE_CONFIG_SWIFT_SECRET_ACCESS_KEY=") + kSecret,
      "/usr/bin/rclone",
      "--quiet"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run(command);
}

void SwiftRig::make_bucket(const std::string& bucket, bool is_versioned) const {
  aws({"s3", "mb", "s3://" + bucket});
  if (!is_versioned) return;
  aws({"s3api", "put-bucket-versioning", "--bucket", bucket, "--versioning-configuration",
       "Status=Enabled"});
}

}  // namespace rowlock
