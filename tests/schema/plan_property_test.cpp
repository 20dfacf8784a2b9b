// What must hold at every moment of any story: edits, deaths and healths in an order from a seed,
// looked at after every single step.
#include "tests/schema/plan_world.h"
#include "tests/soak.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <random>

using rowlock::PlanWorld;

namespace {

const auto kSeeds = static_cast<unsigned int>(rowlock::soaked(15, 1000));
constexpr int kEvents = 25;

class Story {
 public:
  Story(unsigned int seed, const std::string& order) : random_(seed), order_(order) {
    count_ = below(4) + 1;
    max_parallel_ = below(2) + 1;
    world_.engine().add_image("bad:1");
    world_.engine().exit_at_once("bad:1", 1);
    world_.sql(fmt::format(
        "INSERT INTO job (name, image, count, max_parallel, update_order, min_healthy_ms) "
        "VALUES ('web', 'good:1', {}, {}, '{}', 3000)",
        count_, max_parallel_, order));
    world_.after_step = [this, seed] { look(seed); };
    world_.settle();
    world_.pass_time(5000);
  }

  void play() {
    for (int i = 0; i < kEvents; ++i) {
      happen();
      world_.pass_time(1000 * (below(4) + 1));
    }
  }

  // The last word: a good spec, and time.
  std::string end() {
    world_.sql("UPDATE job SET image = 'good:3'");
    world_.settle();
    world_.pass_time(400000);
    return world_.text("SELECT state || ' ' || detail FROM status WHERE name = 'web'");
  }

  PlanWorld& world() { return world_; }

 private:
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }

  void happen() {
    switch (below(6)) {
      case 0: world_.sql("UPDATE job SET image = 'good:2'"); break;
      case 1: world_.sql("UPDATE job SET image = 'good:1'"); break;
      case 2: world_.sql("UPDATE job SET image = 'bad:1'"); break;
      case 3: world_.sql("UPDATE job SET restart = restart + 1"); break;
      case 4: die(); return;
      default: break;
    }
    proven_before_ = 0;
    world_.settle();
  }

  void die() {
    const auto containers = world_.engine().containers();
    const auto& victim =
        containers[static_cast<std::size_t>(below(static_cast<int>(containers.size())))];
    world_.engine().kill(victim.name, 1);
    world_.look_at_nodes();
  }

  void look(unsigned int seed) {
    const std::string shared = world_.text(
        "SELECT job, slot FROM instance WHERE run = 1 GROUP BY job, slot HAVING count(*) > 1");
    cr_assert(shared.empty(), "seed %u: two live instances in slot %s", seed, shared.c_str());

    const std::int64_t most = count_ + max_parallel_;
    const std::int64_t live = world_.number("SELECT count(*) FROM instance WHERE run = 1");
    cr_assert_leq(live, most, "seed %u: %ld live, %s with count %d", seed, live, order_.c_str(),
                  count_);
    if (order_ == "stop_first") {
      const std::int64_t running =
          world_.number("SELECT count(*) FROM instance WHERE container IN ('running', 'paused')");
      cr_assert_leq(running, static_cast<std::int64_t>(count_),
                    "seed %u: %ld run, stop_first with count %d", seed, running, count_);
    }

    // So many proven ones may be taken away by a step, and no more: deaths are not Rowlock's doing.
    const std::int64_t least = count_ - (order_ == "stop_first" ? max_parallel_ : 0);
    const std::string retired = world_.text(
        "SELECT id FROM instance WHERE verdict = 'stopped' AND container = 'running' AND "
        "healthy_at_ms IS NOT NULL "
        "AND healthy_at_ms + 3000 <= ended_at_ms AND ended_at_ms >= (SELECT now_ms FROM clock)");
    const std::int64_t proven = world_.number(
        "SELECT count(*) FROM instance WHERE run = 1 AND container = 'running' "
        "AND healthy_at_ms + 3000 <= (SELECT now_ms FROM clock)");
    if (!retired.empty()) {
      cr_assert_geq(proven, std::min(least, proven_before_),
                    "seed %u: %ld proven after %s was retired, count %d", seed, proven,
                    retired.c_str(), count_);
    }
    proven_before_ = proven;
  }

  std::mt19937 random_;
  PlanWorld world_;
  std::string order_;
  int count_ = 1;
  int max_parallel_ = 1;
  std::int64_t proven_before_ = 0;
};

}  // namespace

Test(plan_property, start_first_keeps_its_promises_whatever_happens_and_ends_converged) {
  for (unsigned int seed = 0; seed < kSeeds; ++seed) {
    Story story(seed, "start_first");
    story.play();
    const std::string end = story.end();
    cr_expect(end.starts_with("converged"), "seed %u: %s", seed, end.c_str());
  }
}

Test(plan_property, stop_first_keeps_its_promises_whatever_happens_and_ends_converged) {
  for (unsigned int seed = 0; seed < kSeeds; ++seed) {
    Story story(seed, "stop_first");
    story.play();
    const std::string end = story.end();
    cr_expect(end.starts_with("converged"), "seed %u: %s", seed, end.c_str());
  }
}

Test(plan_property, the_same_story_ends_in_the_same_rows) {
  const std::string rows =
      "SELECT id, slot, spec, run, container, verdict, placed_at_ms, healthy_at_ms, ended_at_ms "
      "FROM instance ORDER BY id";
  Story first(7, "start_first");
  Story second(7, "start_first");
  first.play();
  second.play();

  cr_expect(first.world().text(rows) == second.world().text(rows));
}
