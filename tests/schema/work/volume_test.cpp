// What an image declares as data outlives its container: whoever takes an ordinal is given what the
// one before it had there, and never at the same time.
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <map>
#include <set>

using rowlock::Container;
using rowlock::ContainerState;
using rowlock::FaultPlan;
using rowlock::PlanWorld;

namespace {

// A world whose images declare /data.
struct Keeping : PlanWorld {
  explicit Keeping(const std::vector<std::string>& nodes = {"local"}) : PlanWorld(nodes) {
    for (const std::string& node : nodes) {
      for (const char* image : {"good:1", "good:2", "good:3"}) {
        engine(node).declare_volumes(image, {"/data"});
      }
    }
    after_step = [this, nodes] {
      for (const std::string& node : nodes) look(node);
    };
  }

  void converge(const std::string& columns = "", const std::string& values = "") {
    sql(fmt::format("INSERT INTO job (name, image{}) VALUES ('db', 'good:1'{})", columns, values));
    settle();
    pass_time(12000);
    is_converged();
  }

  void is_converged(const std::string& job = "db") {
    const std::string state = text(fmt::format(
        "SELECT state || ' ' || detail FROM status WHERE kind = 'job' AND name = '{}'", job));
    cr_expect(state.starts_with("converged"), "%s", state.c_str());
  }

  // ORDINAL:SOURCE of what runs.
  std::string running() {
    return text(
        "SELECT i.ordinal || ':' || m.source FROM instance AS i "
        "JOIN instance_mount AS m ON m.instance = i.id "
        "WHERE i.container = 'running' AND i.run = 1 ORDER BY i.ordinal");
  }

  std::string sources() { return text("SELECT source FROM job_volume ORDER BY source"); }

  // At every moment.
  std::size_t fewest = 100;
  bool watches = false;

 private:
  void look(const std::string& node) {
    std::set<std::string> written;
    std::size_t active = 0;
    for (const Container& container : engine(node).containers()) {
      if (container.state != ContainerState::running) continue;
      ++active;
      for (const auto& kept : engine(node).kept(container.name)) {
        cr_assert(written.insert(kept.source).second, "two write to %s", kept.source.c_str());
      }
    }
    if (watches) fewest = std::min(fewest, active);
  }
};

}  // namespace

Test(volume_plan, a_restart_finds_what_was_written) {
  Keeping world;
  world.converge();
  const std::string before = world.running();

  world.engine().kill(world.engine().containers().front().name, 1);
  world.look_at_nodes();
  world.settle();
  world.pass_time(20000);

  cr_expect(before.starts_with("1:rowlock-") && before.ends_with("-db-1-data"), "%s",
            before.c_str());
  cr_expect(world.running() == before, "%s", world.running().c_str());
  cr_expect_eq(world.number("SELECT count(*) FROM instance WHERE ordinal = 1"), 2);
  cr_expect(world.text("SELECT detail FROM event WHERE what = 'volume'") ==
            "keeps /data in volume " + before.substr(2));
}

Test(volume_plan, an_update_hands_each_ordinal_on_and_goes_one_by_one) {
  for (const char* order : {"start_first", "stop_first"}) {
    for (const int most : {1, 2}) {
      Keeping world;
      world.converge(", count, max_parallel, update_order",
                     fmt::format(", 3, {}, '{}'", most, order));
      const std::string before = world.running();
      world.watches = true;

      world.sql("UPDATE job SET image = 'good:2'");
      world.settle();
      world.pass_time(90000);

      world.is_converged();
      cr_expect(world.running() == before, "%s, then %s", before.c_str(), world.running().c_str());
      cr_expect_eq(world.fewest, static_cast<std::size_t>(3 - most), "%s: only %zu ran", order,
                   world.fewest);
      cr_expect_eq(world.number("SELECT count(*) FROM job_volume"), 3);
    }
  }
}

Test(volume_plan, an_update_goes_on_when_old_ones_have_died) {
  Keeping world;
  world.converge(", count, max_parallel", ", 3, 1");
  const std::string before = world.running();

  world.sql("UPDATE job SET image = 'good:2'");
  world.turn();
  const auto dead = world.text(
      "SELECT name FROM instance WHERE ordinal = 2 AND container = 'running' ORDER BY id");
  world.engine().kill(dead, 1);
  world.look_at_nodes();
  world.settle();
  world.pass_time(120000);

  world.is_converged();
  cr_expect(world.running() == before, "%s, then %s", before.c_str(), world.running().c_str());
}

Test(volume_plan, a_revert_finds_what_was_written) {
  Keeping world;
  world.converge(", count", ", 2");
  const std::string before = world.running();
  world.engine().exit_at_once("good:2", 1);

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  world.look_at_nodes();
  world.settle();
  world.pass_time(60000);

  cr_expect(world.text("SELECT cause FROM deployment WHERE current = 1") == "revert");
  cr_expect(world.running() == before, "%s, then %s", before.c_str(), world.running().c_str());
}

Test(volume_plan, what_was_made_unheard_is_made_again_and_told) {
  for (const bool is_seen : {false, true}) {
    Keeping world;
    int left = 2;
    world.engine().set_faults([&](const std::string& call, const std::string&) {
      return call == "create" && left-- > 0 ? FaultPlan::lose_answer : FaultPlan::none;
    });

    world.sql("INSERT INTO job (name, image) VALUES ('db', 'good:1')");
    world.settle();
    if (is_seen) world.look_at_nodes();
    world.pass_time(30000);

    world.is_converged();
    cr_expect_eq(world.number("SELECT count(*) FROM job_volume"), 1);
    cr_expect(world.running() == "1:" + world.sources(), "%s", world.running().c_str());
  }
}

Test(volume_plan, two_that_are_made_at_once_are_made_for_one_volume) {
  Keeping world;
  world.sql("INSERT INTO job (name, image) VALUES ('db', 'good:1')");
  world.engine().set_faults([](const std::string& call, const std::string&) {
    return call == "create" ? FaultPlan::fail_before : FaultPlan::none;
  });
  world.settle();
  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  world.engine().set_faults({});
  world.pass_time(60000);

  world.is_converged();
  cr_expect_eq(world.number("SELECT count(DISTINCT source) FROM job_volume"), 1);
}

Test(volume_plan, a_path_that_a_mount_covers_is_nobodys_data) {
  Keeping world;
  world.sql(
      "INSERT INTO job (name, image) VALUES ('db', 'good:1');"
      "INSERT INTO job_mount (job, path, type) VALUES ('db', '/data', 'tmpfs')");
  world.settle();
  world.pass_time(12000);

  cr_expect_eq(world.number("SELECT count(*) FROM job_volume"), 0);
  cr_expect(world.text("SELECT update_order FROM job_order") == "start_first");
  cr_expect(world.engine().kept(world.engine().containers().front().name).empty());
}

Test(volume_plan, a_job_that_comes_back_finds_what_was_written) {
  Keeping world;
  world.converge(", count", ", 2");
  const std::string before = world.running();

  world.sql("UPDATE job SET count = 0");
  world.settle();
  world.pass_time(5000);
  world.sql("DELETE FROM job");
  world.settle();
  world.pass_time(5000);
  cr_expect_eq(world.number("SELECT count(*) FROM instance"), 0);
  cr_expect_eq(world.number("SELECT count(*) FROM job_volume"), 2);
  world.converge(", count", ", 2");

  cr_expect(world.running() == before, "%s, then %s", before.c_str(), world.running().c_str());
}

// As an accepted revision has it.
Test(volume_plan, a_job_that_has_another_name_keeps_what_it_kept) {
  for (const bool is_alike : {true, false}) {
    Keeping world;
    world.converge(", count", ", 2");
    const std::string before = world.running();
    std::string row = "'{\"name\":\"' || name || '\",\"image\":\"' || image || '\"}'";

    world.sql(
        "INSERT INTO revision (id, at_ms, changes) VALUES (7, 0, 2);"
        "INSERT INTO change (revision, table_name, row_key, before) "
        "SELECT 7, 'job', json_array(name), " +
        row +
        " FROM job;"
        "UPDATE job SET name = 'store';" +
        (is_alike ? "" : "UPDATE job SET image = 'good:2';") +
        "INSERT INTO change (revision, table_name, row_key, after) "
        "SELECT 7, 'job', json_array(name), " +
        row + " FROM job;");
    world.settle();
    world.pass_time(40000);

    world.is_converged("store");
    cr_expect((world.running() == before) == is_alike, "%s, then %s", before.c_str(),
              world.running().c_str());
    cr_expect_eq(world.number("SELECT count(*) FROM job_volume WHERE job = 'store'"), 2);
    cr_expect_eq(world.number("SELECT count(*) FROM job_volume WHERE job = 'db'"),
                 is_alike ? 0 : 2);
  }
}

Test(volume_plan, fewer_are_those_of_the_highest_ordinals) {
  Keeping world;
  world.converge(", count", ", 3");
  const std::string before = world.running();

  world.sql("UPDATE job SET count = 1");
  world.settle();
  world.pass_time(20000);
  const std::string few = world.running();
  world.sql("UPDATE job SET count = 3, image = 'good:2'");
  world.settle();
  world.pass_time(90000);

  cr_expect(few == before.substr(0, before.find(' ')), "%s", few.c_str());
  cr_expect(world.running() == before, "%s, then %s", before.c_str(), world.running().c_str());
}

Test(volume_plan, data_is_waited_for_on_its_node) {
  Keeping world({"east", "west"});
  world.look_at_nodes();
  world.converge();
  const std::string node = world.text("SELECT node FROM job_volume");
  const std::string other = node == "east" ? "west" : "east";

  world.sql("UPDATE node SET eligible = 0 WHERE name = '" + node + "'");
  world.engine(node).kill(world.text("SELECT name FROM instance"), 1);
  world.look_at_nodes();
  world.settle();
  world.pass_time(5000);
  const std::string why = world.text("SELECT reason FROM why WHERE kind = 'job'");
  world.sql("INSERT INTO job_constraint (job, attribute, value) VALUES ('db', 'node', '" + other +
            "')");
  world.settle();
  world.pass_time(30000);

  cr_expect(why.find("does not have the volumes with its data") != std::string::npos, "%s",
            why.c_str());
  cr_expect(world.text("SELECT node FROM instance WHERE container = 'running'") == other);
  cr_expect_eq(world.number("SELECT count(*) FROM job_volume"), 2);
}

Test(volume_plan, rows_of_an_older_version_are_given_ordinals) {
  PlanWorld world;
  world.sql("INSERT INTO job (name, image, count) VALUES ('db', 'good:1', 2)");
  world.settle();
  world.pass_time(12000);
  world.sql("UPDATE instance SET ordinal = 0, volume_prefix = ''");

  world.begin_again();

  cr_expect(world.text("SELECT ordinal FROM instance WHERE run = 1 ORDER BY ordinal") == "1 2");
}
