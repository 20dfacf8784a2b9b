// Every target on its seeds and on changes of them that are the same every time, so that none of
// them rots between two runs of libFuzzer. Each runs in a process of its own, and what it died of
// is told by the bytes that it was given last.
#include "tests/fuzz/mutation.h"
#include "tests/fuzz/targets.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace rowlock {

namespace {

constexpr char kSeeds[] = "tests/fuzz/seeds";

std::vector<std::string> seeds_of(std::string_view target) {
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(fmt::format("{}/{}", kSeeds, target)))
    files.push_back(file.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return seeds;
}

// How long a process may look at one input before it counts as one that never returns.
constexpr unsigned kPatienceS = 60;

// What the child was given last, in memory that outlives it.
struct LastInput {
  std::size_t size;
  char bytes[64 * 1024];
};

void run_all(const FuzzTarget& target, const std::vector<std::string>& seeds, LastInput& last) {
  const auto run = [&](const std::string& bytes) {
    last.size = std::min(bytes.size(), sizeof last.bytes);
    std::memcpy(last.bytes, bytes.data(), last.size);
    ::alarm(kPatienceS);
    target.run(bytes);
  };
  run("");
  for (const std::string& seed : seeds) run(seed);
  std::mt19937_64 random(1);
  for (int i = 0; i < target.tries; ++i) run(mutated(seeds, random));
}

std::string in_hex(const LastInput& last) {
  std::string text;
  for (std::size_t i = 0; i < last.size; ++i) {
    text += fmt::format("{:02x}", static_cast<unsigned char>(last.bytes[i]));
  }
  return text;
}

void check_target(const FuzzTarget& target) {
  const std::vector<std::string> seeds = seeds_of(target.name);
  cr_assert(!seeds.empty(), "%s has no seeds", target.name.data());
  void* const shared =
      ::mmap(nullptr, sizeof(LastInput), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  cr_assert(shared != MAP_FAILED);
  auto& last = *static_cast<LastInput*>(shared);
  const pid_t child = ::fork();
  cr_assert(child >= 0);
  if (child == 0) {
    run_all(target, seeds, last);
    ::_exit(0);
  }
  int status = 0;
  cr_assert_eq(::waitpid(child, &status, 0), child);
  cr_expect(status == 0, "%s: status %d, on the bytes %s", target.name.data(), status,
            in_hex(last).c_str());
  ::munmap(shared, sizeof(LastInput));
}

}  // namespace

Test(fuzz, every_target_bears_its_seeds_and_changes_of_them, .timeout = 600) {
  for (const FuzzTarget& target : fuzz_targets()) check_target(target);
}

Test(fuzz, every_target_is_in_the_list) {
  std::vector<std::string> named;
  for (const FuzzTarget& target : fuzz_targets()) named.emplace_back(target.name);
  std::vector<std::string> there;
  for (const auto& file : std::filesystem::directory_iterator("tests/fuzz")) {
    const std::string name = file.path().filename();
    constexpr std::string_view kEnd = "_target.cpp";
    if (name.ends_with(kEnd)) there.push_back(name.substr(0, name.size() - kEnd.size()));
  }
  std::sort(there.begin(), there.end());
  cr_assert(named == there, "tests/fuzz/targets.cpp lists %zu of %zu targets", named.size(),
            there.size());
}

}  // namespace rowlock
