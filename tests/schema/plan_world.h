// Plays the world for plan tests: rows go in, the schema's own scripts make the steps of the plan
// on a fake engine, and rows come out. One step after the other on one thread, with a clock that
// the test moves.
#pragma once

#include "controller/ports/clock.h"
#include "controller/store/database.h"
#include "controller/store/home.h"
#include "controller/store/schema.h"
#include "reconcilers/registry.h"
#include "tests/fakes/fake_world.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rowlock {

class PlanWorld : public FakeWorld {
 public:
  // Begins with the nodes named (none of them looked at yet), at 1,000,000 ms, with the images
  // good:1, good:2 and good:3.
  explicit PlanWorld(const std::vector<std::string>& nodes = {"local"});

  // -- Rows in. A statement that fails ends the test.
  void sql(const std::string& statements);

  // An edit that is accepted, or a secret that is put: what waits for one that concerns its name is
  // tried again.
  void edit(const std::string& text);

  // -- Rows out: cells separated by '|', rows by a blank.
  std::string text(const std::string& query);
  std::int64_t number(const std::string& query);
  // The steps of the plan as "kind.step" in the order of kind, name and target, waits left out.
  std::string steps();

  // Makes the steps of the plan until it is empty or waits. Ends the test when that has no end.
  void settle();
  // Makes the steps that the plan names now, each once.
  bool turn();
  // Lets the time go by in slices of a second, settling after each.
  void pass_time(std::int64_t ms);
  void pass_time_without_settling(std::int64_t ms);
  void begin_again();                       // As a controller that starts on these rows.
  void set_wall_clock(std::int64_t by_ms);  // Forth, or back.
  void look_away(std::int64_t ms);          // Time goes by, and nobody looks.

  // -- Eyes.
  void check_passes(const std::string& job, const std::string& check);
  void check_fails(const std::string& job, const std::string& check,
                   const std::string& detail = "HTTP 503");
  void check_unasked(const std::string& job, const std::string& check);
  void look_at_nodes();                // Every node is observed again, now.
  void lose(const std::string& node);  // It does not answer from now on.
  void find(const std::string& node);

  FakeRuntime& engine(const std::string& node = "local");
  std::int64_t now_ms() const { return now_ms_; }
  Database& rows() { return rows_; }
  Secrets& secrets() { return secrets_; }
  const Schema& schema() const { return schema_; }

  ContainerRuntime& runtime(const std::string& driver, const std::string& endpoint) override;
  Clock& clock() override { return clock_; }

  // Called after every single step, for properties that must hold at all times.
  std::function<void()> after_step;

 private:
  class RowClock final : public Clock {
   public:
    RowClock(const std::int64_t& ms, const std::int64_t& ahead_ms) : ms_(ms), ahead_ms_(ahead_ms) {}
    std::int64_t now_ms() const override { return ms_; }
    std::int64_t wall_ms() const override { return ms_ + ahead_ms_; }

   private:
    const std::int64_t& ms_;
    const std::int64_t& ahead_ms_;
  };

  void set_clock();
  void make(const Row& planned);
  void run(const std::string& script, const Values& values);

  std::int64_t now_ms_ = 1'000'000;
  std::int64_t started_at_ms_ = 1'000'000;
  std::int64_t wall_ahead_ms_ = 0;
  Schema schema_;
  Database rows_;
  Secrets secrets_{rows_, schema_};
  Reconcilers reconcilers_ = all_reconcilers(secrets_, rows_, schema_);
  std::map<std::string, std::unique_ptr<FakeRuntime>> engines_;  // By endpoint: unix:///NODE.
  std::set<std::string> lost_;
  RowClock clock_{now_ms_, wall_ahead_ms_};
};

}  // namespace rowlock
