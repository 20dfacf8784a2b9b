// What a job writes to has one writer at a time, unless its row says that it can be shared.
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::FaultPlan;
using rowlock::PlanWorld;

namespace {

constexpr const char* kWriters =
    "SELECT count(*) FROM instance WHERE container IN ('running', 'paused')";

// A job with a writable volume that has converged on good:1.
void converge(PlanWorld& world) {
  world.sql(
      "INSERT INTO job (name, image) VALUES ('db', 'good:1');"
      "INSERT INTO job_mount (job, path, source) VALUES ('db', '/data', 'data');");
  world.settle();
  world.pass_time(12000);
  cr_assert(world.text("SELECT state FROM status WHERE name = 'db'") == "converged");
}

std::string running_image(PlanWorld& world) {
  return world.text(
      "SELECT json_extract(s.body, '$.image') FROM instance AS i JOIN spec AS s ON s.id = i.spec "
      "WHERE i.container = 'running'");
}

std::string objections(PlanWorld& world) {
  return world.text("SELECT row_key FROM violation_now ORDER BY row_key");
}

std::string sentences(PlanWorld& world) { return world.text("SELECT message FROM violation_now"); }

}  // namespace

Test(mount_plan, a_writable_volume_never_has_two_writers_whatever_the_default_order) {
  PlanWorld world;
  converge(world);
  std::int64_t most = 0;
  world.after_step = [&] { most = std::max(most, world.number(kWriters)); };

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  world.pass_time(40000);

  cr_expect_eq(most, 1);
  cr_expect(running_image(world) == "good:2");
  cr_expect(world.text("SELECT state FROM status WHERE name = 'db'") == "converged");
}

Test(mount_plan, one_that_is_shared_follows_its_own_order) {
  PlanWorld world;
  converge(world);
  world.sql("UPDATE job_mount SET shared = 1");
  std::int64_t most = 0;
  world.after_step = [&] { most = std::max(most, world.number(kWriters)); };

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  world.pass_time(40000);

  cr_expect_eq(most, 2);
}

Test(mount_plan, a_volume_that_moves_to_another_job_waits_for_its_writer_to_end) {
  PlanWorld world;
  converge(world);
  std::int64_t most = 0;
  world.after_step = [&] { most = std::max(most, world.number(kWriters)); };
  world.engine().set_faults([](const std::string& call, const std::string&) {
    return call == "stop" ? FaultPlan::fail_before : FaultPlan::none;
  });

  world.sql(
      "DELETE FROM job; DELETE FROM job_mount; INSERT INTO job (name, image) VALUES ('next', "
      "'good:2');"
      "INSERT INTO job_mount (job, path, source) VALUES ('next', '/data', 'data');");
  world.settle();
  world.pass_time(5000);
  const std::string meanwhile = world.text("SELECT reason FROM why WHERE kind = 'instance'");
  world.engine().set_faults({});
  world.pass_time(20000);

  cr_expect(
      meanwhile.find("starts when the one whose place it takes has ended") != std::string::npos,
      "%s", meanwhile.c_str());
  cr_expect_eq(most, 1);
  cr_expect(running_image(world) == "good:2");
}

Test(mount_plan, nothing_stops_for_an_image_that_cannot_be_had) {
  PlanWorld world;
  converge(world);

  world.sql("UPDATE job SET image = 'nowhere:1'");
  world.settle();
  world.pass_time(5000);

  cr_expect(running_image(world) == "good:1");
  cr_expect_eq(world.number("SELECT count(*) FROM event WHERE what = 'stopped'"), 0);
}

Test(mount_plan, when_the_new_one_does_not_start_the_old_spec_runs_again_at_once) {
  PlanWorld world;
  converge(world);
  world.engine().exit_at_once("good:2", 1);

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  world.look_at_nodes();
  world.settle();
  world.pass_time(1000);

  cr_expect(running_image(world) == "good:1", "%s", running_image(world).c_str());
  cr_expect(world.text("SELECT state FROM status WHERE name = 'db'") == "failed");
}

Test(mount_plan, room_on_the_node_is_that_of_the_one_that_goes) {
  PlanWorld world;
  converge(world);
  world.sql("UPDATE job SET memory_mb = 4000");
  world.settle();
  world.pass_time(30000);

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  world.pass_time(30000);

  cr_expect(world.text("SELECT state FROM status WHERE name = 'db'") == "converged");
  cr_expect(running_image(world) == "good:2");
}

Test(mount_plan, what_is_everybodys_is_not_mounted) {
  PlanWorld world;
  converge(world);
  world.sql("UPDATE claimant SET folder = '/srv/rowlock'");
  const auto objections_to = [&](const std::string& source) {
    world.sql("SAVEPOINT edit");
    world.sql("UPDATE job_mount SET type = 'bind', source = '" + source + "'");
    std::string said = objections(world);
    world.sql("ROLLBACK TO edit; RELEASE edit");
    return said;
  };
  for (const char* forbidden : {"/",
                                "//",
                                "/proc",
                                "/proc/",
                                "/proc/1",
                                "/sys",
                                "/sys/fs/cgroup",
                                "/dev",
                                "/dev/shm",
                                "/dev/shm/rowlock-1",
                                "/var/lib/docker/volumes/x",
                                "/run",
                                "/run/rowlock-a1/web-1",
                                "/var/run",
                                "/srv",
                                "/srv/",
                                "/srv/rowlock",
                                "/srv/rowlock/rowlock.sock",
                                "/data/../proc",
                                "/data//x",
                                "/data/./x",
                                "/data/.."}) {
    cr_expect(!objections_to(forbidden).empty(), "accepted: %s", forbidden);
  }
  for (const char* allowed : {"/srv/rowlock2", "/srv/data", "/data", "/dev/net/tun", "/process",
                              "/run/user", "/data/.hidden", "/data/..x", "/data/a.b"}) {
    cr_expect(objections_to(allowed).empty(), "%s: %s", allowed, objections_to(allowed).c_str());
  }
  cr_expect(objections_to("/") == "db//data", "one is enough: %s", objections_to("/").c_str());
  world.sql("SAVEPOINT edit; UPDATE job_mount SET type = 'bind', source = '/srv'");
  cr_expect(
      sentences(world) ==
          "job db mounts /srv of the machine, with /srv/rowlock where Rowlock itself lives, "
          "and whoever opens its socket gives the orders: mount only the folder that it needs",
      "%s", sentences(world).c_str());
  world.sql("ROLLBACK TO edit; RELEASE edit");
  for (const char* path : {"/run/secrets", "/run/secrets/", "/run/secrets/mine"}) {
    world.sql(std::string("SAVEPOINT edit; UPDATE job_mount SET path = '") + path + "'");
    cr_expect(sentences(world).find("is where Rowlock puts its secrets") != std::string::npos,
              "%s: %s", path, sentences(world).c_str());
    world.sql("ROLLBACK TO edit; RELEASE edit");
  }
}

Test(mount_plan, two_writers_are_refused_in_one_job_and_in_two) {
  PlanWorld world;
  converge(world);
  for (const char* edit :
       {"UPDATE job SET count = 2",
        "INSERT INTO job (name, image) VALUES ('b', 'good:1');"
        "INSERT INTO job_mount (job, path, source) VALUES ('b', '/data', 'data')",
        "UPDATE job_mount SET type = 'bind', source = '/srv';"
        "INSERT INTO job (name, image) VALUES ('b', 'good:1');"
        "INSERT INTO job_mount (job, path, type, source) VALUES ('b', '/d', 'bind', '/srv/d')"}) {
    world.sql(std::string("SAVEPOINT edit; ") + edit);
    cr_expect(!objections(world).empty(), "accepted: %s", edit);
    for (const char* way_out : {"UPDATE job_mount SET shared = 1",
                                "UPDATE job_mount SET read_only = 1", "DELETE FROM job_mount"}) {
      world.sql(std::string("SAVEPOINT way; ") + way_out);
      cr_expect(objections(world).empty(), "%s; %s: %s", edit, way_out, objections(world).c_str());
      world.sql("ROLLBACK TO way; RELEASE way");
    }
    world.sql("ROLLBACK TO edit; RELEASE edit");
  }
}

Test(mount_plan, the_socket_of_an_engine_is_mounted_only_by_a_row_that_says_so) {
  PlanWorld world;
  converge(world);
  world.sql("INSERT INTO node (name, endpoint) VALUES ('far', 'unix:///srv/engine.sock')");
  for (const char* socket : {"/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock",
                             "/run/containerd/containerd.sock", "/srv/engine.sock"}) {
    world.sql(std::string("SAVEPOINT edit; UPDATE job_mount SET type = 'bind', source = '") +
              socket + "', read_only = 1");
    cr_expect(sentences(world).find("set job.engine_socket to 1") != std::string::npos, "%s: %s",
              socket, sentences(world).c_str());
    world.sql("UPDATE job SET engine_socket = 1");
    cr_expect(objections(world).empty(), "%s: %s", socket, sentences(world).c_str());
    cr_expect(world.text("SELECT kind || ' ' || reached_from || ' ' || what FROM exposure") ==
              std::string("job container rules its node by the engine's socket ") + socket);
    world.sql("ROLLBACK TO edit; RELEASE edit");
  }
}

Test(mount_plan, a_job_that_asks_for_the_secret_api_is_given_the_folder_of_its_socket) {
  PlanWorld world;
  converge(world);
  world.sql("UPDATE claimant SET folder = '/srv/rowlock'");
  const std::string before = world.text("SELECT body FROM job_spec");
  cr_expect(before.find("/run/rowlock") == std::string::npos);

  world.sql("UPDATE job SET secrets_api = 1");

  cr_expect(world.text("SELECT value FROM job_spec JOIN json_each(body, '$.mounts') "
                       "WHERE value LIKE '%/run/rowlock%'") ==
            R"({"path":"/run/rowlock","type":"bind","source":"/srv/rowlock/api","read_only":1})");
  cr_expect(objections(world).empty(), "%s", sentences(world).c_str());
  cr_expect(world.text("SELECT what FROM exposure") ==
            "asks the secret API by its socket, with the policies of the job");
  world.sql("UPDATE job_mount SET path = '/run/rowlock'");
  cr_expect(sentences(world).find("set job.secrets_api to 0") != std::string::npos, "%s",
            sentences(world).c_str());
}
