// A reader in another process that does not end, and what is said of it.
#include "controller/service/wal_watch.h"

#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <filesystem>
#include <sys/wait.h>
#include <unistd.h>

using namespace rowlock;

namespace {

constexpr std::int64_t kHeldBytes = 1'000'000;

// A child that has begun to read and goes on until it is told to end.
class Reader {
 public:
  explicit Reader(const std::string& path) {
    int begun[2];
    int ending[2];
    cr_assert(pipe(begun) == 0 && pipe(ending) == 0);
    process_ = fork();
    if (process_ == 0) {
      close(ending[1]);
      Shell shell(path);
      shell.run("BEGIN");
      shell.value("SELECT count(*) FROM event");
      char byte = '.';
      if (write(begun[1], &byte, 1) != 1 || read(ending[0], &byte, 1) < 0) _exit(1);
      _exit(0);
    }
    close(begun[1]);
    close(ending[0]);
    char byte = 0;
    cr_assert_eq(read(begun[0], &byte, 1), 1);
    ending_ = ending[1];
  }
  ~Reader() { end(); }
  void end() {
    if (ending_ < 0) return;
    close(ending_);
    ending_ = -1;
    waitpid(process_, nullptr, 0);
  }
  int process() const { return process_; }

 private:
  int process_ = 0;
  int ending_ = -1;
};

void write_much(Database& state) {
  for (int i = 0; i < 300; ++i) {
    cr_assert(state
                  .run("INSERT INTO event (at_ms, kind, name, target, what, detail) VALUES (0, "
                       "'k', 'n', 't', 'w', hex(zeroblob(8000)))")
                  .ok());
  }
}

std::int64_t size_of_wal(const MadeHome& made) {
  return static_cast<std::int64_t>(std::filesystem::file_size(made.home.state_path() + "-wal"));
}

}  // namespace

Test(wal_watch, a_reader_that_does_not_end_is_named_and_it_is_over_when_it_ends) {
  MadeHome made;
  Database state = made.state();
  WalWatch watch(made.home.state_path(), kHeldBytes);
  Reader reader(made.home.state_path());
  write_much(state);

  cr_expect(!watch.look(1'000'000).has_value(), "it may be a large transaction");
  cr_expect(!watch.look(1'006'000).has_value());
  const auto held = watch.look(1'012'000);
  cr_assert(held.has_value());
  cr_assert(state.run("BEGIN").ok());
  cr_assert(made.schema.script(held->first) != nullptr);
  Values values = held->second;
  values.emplace_back("now_ms", std::int64_t{1'012'000});
  cr_assert(state.run(*made.schema.script(held->first), values).ok());
  cr_assert(state.run("COMMIT").ok());
  const std::string said = text_of(
      state.scalar("SELECT state || ': ' || detail FROM status WHERE kind = 'state'").value());
  cr_expect(said.find(fmt::format("process {} (", reader.process())) != std::string::npos, "%s",
            said.c_str());
  cr_expect(!watch.look(1'018'000).has_value(), "said once in a while");

  reader.end();
  // As the controller goes on to write: with what is left the file is begun anew, and cut.
  cr_assert(state.query("PRAGMA journal_size_limit=100000").ok());
  write_much(state);
  state.query("PRAGMA wal_checkpoint(RESTART)").ok();
  cr_assert(state.run("UPDATE clock SET now_ms = now_ms + 1").ok());
  cr_expect_leq(size_of_wal(made), kHeldBytes);
  const auto free = watch.look(1'024'000);
  cr_expect(free.has_value() && free->first == "wal.free");
}

Test(wal_watch, without_a_reader_the_file_is_cut_to_its_limit) {
  MadeHome made;
  Database state = made.state();
  cr_assert(text_of(state.scalar("PRAGMA journal_size_limit").value()) == "16777216");
  cr_assert(state.run("BEGIN").ok());
  for (int i = 0; i < 10; ++i) write_much(state);
  cr_assert(state.run("COMMIT").ok());
  cr_assert_geq(size_of_wal(made), 40'000'000);

  for (int i = 0; i < 3; ++i) cr_assert(state.run("UPDATE clock SET now_ms = now_ms + 1").ok());

  cr_expect_leq(size_of_wal(made), 16'777'216);
}

Test(wal_watch, no_reader_is_found_where_there_is_none) {
  MadeHome made;
  Database state = made.state();

  cr_expect(readers_of(made.home.state_path()) == "a process that cannot be seen from here");
  cr_expect(readers_of("/no/such/file") == "a process that cannot be seen from here");
}
