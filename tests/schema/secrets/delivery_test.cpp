// What instances are given: rows and secrets in, files and the ledger out.
#include "controller/secrets/secrets.h"
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>

using rowlock::Actor;
using rowlock::Json;
using rowlock::PlanWorld;
using rowlock::SecretBytes;

namespace {

const Actor kOperator{"user 0", "[]", true};

// A world whose secret store is open, with one job that may read what it needs.
struct Armed : PlanWorld {
  SecretBytes key;

  Armed() {
    sql("SAVEPOINT init");
    auto kit = secrets().seal.init(1, 1, kOperator, now_ms());
    cr_assert(kit.ok());
    key = std::move(kit).value().unseal_key;
    sql("RELEASE init");
    settle();
  }

  void put(const std::string& path, const std::string& data) {
    const auto parsed = Json::parse(data);
    cr_assert(parsed.ok());
    const auto written = secrets().store.write(path, parsed.value(), {}, kOperator, now_ms());
    cr_assert(written.ok(), "%s", written.ok() ? "" : written.error().message.c_str());
  }

  void seal() { cr_assert(secrets().seal.seal(kOperator, now_ms()).ok()); }
  void unseal() { cr_assert(secrets().seal.unseal(key, "test", now_ms()).ok()); }

  void insert_job(const std::string& columns = "", const std::string& values = "") {
    sql("INSERT INTO job (name, image, min_healthy_ms" + columns +
        ") VALUES ('web', 'good:1', 1000" + values +
        ");"
        "INSERT INTO policy (name, path) VALUES ('web', 'db/*');"
        "INSERT INTO job_policy (job, policy) VALUES ('web', 'web')");
  }
  std::string file(const std::string& name, int nth = 0) {
    const std::string instance =
        text("SELECT name FROM instance WHERE run = 1 ORDER BY id LIMIT 1 OFFSET " +
             std::to_string(nth));
    const auto found = fake_secret_folders().file(instance, name);
    return found.has_value() ? found->content : "(none)";
  }
  std::string why() {
    return text("SELECT reason FROM why WHERE name = 'web' AND kind = 'delivery'");
  }
};

}  // namespace

Test(delivery, an_instance_is_made_only_after_its_secrets_are_there_and_mounts_them) {
  Armed world;
  world.put("db/prod", R"({"password":"s3cret","port":5432})");
  world.insert_job();
  world.sql(
      "INSERT INTO job_secret (job, path, key, name) VALUES ('web', 'db/prod', 'password', 'pw')");
  world.sql(
      "INSERT INTO job_secret (job, path, key, \"as\", name) "
      "VALUES ('web', 'db/prod', 'port', 'env', 'DB_PORT')");

  world.settle();
  world.pass_time(2000);

  cr_assert(world.file("pw") == "s3cret");
  cr_expect(world.file(".environment") == std::string("DB_PORT=5432\0", 13));
  cr_expect(world.file("rowlock.jwt") != "(none)");
  const auto spec = world.engine().spec(world.text("SELECT name FROM instance WHERE run = 1"));
  cr_assert(spec.has_value());
  cr_expect(!spec->secrets_folder.empty() && !spec->launcher.empty());
  cr_expect(world.text("SELECT path, version FROM secret_use WHERE until_ms IS NULL") ==
            "db/prod|1");
  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
}

Test(delivery, what_is_missing_or_forbidden_is_said_with_what_to_do_and_heals_by_itself) {
  Armed world;
  world.insert_job();
  world.sql(
      "INSERT INTO job_secret (job, path, key, name) VALUES ('web', 'db/prod', 'password', 'pw')");

  world.settle();
  cr_expect(world.why().find("secret db/prod does not exist: rowlock secret put db/prod") !=
                std::string::npos,
            "%s", world.why().c_str());
  world.put("db/prod", R"({"user":"x"})");
  world.settle();
  cr_expect(
      world.why().find("has no key 'password' in version 1: it has user") != std::string::npos,
      "%s", world.why().c_str());
  world.put("db/prod", R"({"password":"x"})");
  world.sql("DELETE FROM job_policy");
  world.settle();
  cr_expect(
      world.why().find("no policy of job web allows it to read db/prod: INSERT INTO policy") !=
          std::string::npos,
      "%s", world.why().c_str());
  cr_expect_eq(world.number("SELECT count(*) FROM instance WHERE container <> 'none'"), 0);

  world.sql("INSERT INTO job_policy (job, policy) VALUES ('web', 'web')");
  world.settle();
  world.pass_time(2000);

  cr_expect(world.file("pw") == "x");
  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
}

Test(delivery, while_the_store_is_sealed_those_that_need_a_secret_wait_and_others_do_not) {
  Armed world;
  world.put("db/prod", R"({"password":"s3cret"})");
  world.seal();
  world.insert_job();
  world.sql(
      "INSERT INTO job_secret (job, path, key, name) VALUES ('web', 'db/prod', 'password', 'pw');"
      "INSERT INTO job (name, image, min_healthy_ms) VALUES ('plain', 'good:1', 1000)");

  world.settle();
  world.pass_time(700000);

  cr_expect(world.text("SELECT state FROM status WHERE name = 'plain'") == "converged", "%s",
            world.text("SELECT reason FROM why WHERE name = 'plain'").c_str());
  cr_expect_eq(
      world.number("SELECT count(*) FROM instance WHERE job = 'web' AND container <> 'none'"), 0);
  cr_expect(world.why().find("the secret store is sealed") != std::string::npos, "%s",
            world.why().c_str());
  cr_expect(world.text("SELECT state FROM deployment WHERE job = 'web'") == "running");

  world.unseal();
  world.settle();
  world.pass_time(2000);

  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
  const std::string plain = world.text("SELECT name FROM instance WHERE job = 'plain'");
  cr_expect(world.fake_secret_folders().file(plain, "rowlock.jwt").has_value(),
            "its identity came later");
}

Test(delivery, a_new_version_is_rolled_out_by_new_instances_under_the_update_policy) {
  Armed world;
  world.put("db/prod", R"({"password":"one"})");
  world.insert_job(", count", ", 3");
  world.sql(
      "INSERT INTO job_secret (job, path, key, name) VALUES ('web', 'db/prod', 'password', 'pw')");
  world.settle();
  world.pass_time(10000);

  world.put("db/prod", R"({"password":"two"})");
  std::int64_t live_min = 3;
  world.after_step = [&] {
    live_min = std::min(live_min, world.number("SELECT count(*) FROM instance WHERE run = 1 AND "
                                               "container = 'running'"));
    // Whoever has a folder with a version is in the ledger.
    cr_assert_eq(world.number("SELECT count(*) FROM delivery AS d WHERE d.state = 'there' AND NOT "
                              "EXISTS (SELECT 1 FROM secret_use AS u WHERE u.instance = d.instance "
                              "AND u.until_ms IS NULL)"),
                 0);
  };
  world.settle();
  world.pass_time(60000);

  cr_expect_eq(live_min, 3);
  cr_expect(world.text("SELECT DISTINCT version FROM secret_use WHERE until_ms IS NULL") == "2");
  for (int nth = 0; nth < 3; ++nth) {
    cr_expect(world.file("pw", nth) == "two");
  }
  cr_expect_eq(world.fake_secret_folders().folders().size(), 3, "the old ones are gone");
}

Test(delivery, files_are_replaced_and_signalled_one_instance_after_the_other) {
  Armed world;
  world.put("db/prod", R"({"password":"one"})");
  world.insert_job(", count", ", 3");
  world.sql(
      "INSERT INTO job_secret (job, path, key, name, on_change) "
      "VALUES ('web', 'db/prod', 'password', 'pw', 'signal');"
      "INSERT INTO job_template (job, name, text, escaping, on_change) VALUES ('web', 'conf', "
      "'p = \"{{ secret \"db/prod\" \"password\" }}\"', 'json', 'replace')");
  world.settle();
  world.pass_time(10000);
  const std::string before = world.text("SELECT id FROM instance WHERE run = 1");

  world.put("db/prod", R"({"password":"t\"wo"})");
  world.settle();
  const std::string first =
      world.text("SELECT version, count(*) FROM secret_use WHERE until_ms IS NULL GROUP BY 1");
  world.pass_time(10000);

  cr_expect(first == "1|2 2|1", "not all at once: %s", first.c_str());
  cr_expect(world.text("SELECT id FROM instance WHERE run = 1") == before);
  for (int nth = 0; nth < 3; ++nth) {
    cr_expect(world.file("pw", nth) == "t\"wo");
    cr_expect(world.file("conf", nth) == "p = \"t\\\"wo\"");
    const std::string name =
        world.text("SELECT name FROM instance WHERE run = 1 ORDER BY id LIMIT 1 OFFSET " +
                   std::to_string(nth));
    cr_expect_eq(world.engine().signals(name).size(), 1);
  }
}

Test(delivery, what_an_instance_holds_is_not_destroyed_and_its_folder_goes_with_it) {
  Armed world;
  world.put("db/prod", R"({"password":"one"})");
  world.insert_job();
  world.sql(
      "INSERT INTO job_secret (job, path, key, name) VALUES ('web', 'db/prod', 'password', 'pw')");
  world.settle();
  world.pass_time(3000);
  const std::string holder = world.text("SELECT name FROM instance WHERE run = 1");

  const auto refused =
      world.secrets().store.destroy_versions("db/prod", {1}, kOperator, world.now_ms());
  world.sql("DELETE FROM job");
  world.settle();
  world.pass_time(3000);
  const auto destroyed =
      world.secrets().store.destroy_versions("db/prod", {1}, kOperator, world.now_ms());

  cr_assert(!refused.ok());
  cr_expect(refused.error().message.find(holder) != std::string::npos, "%s",
            refused.error().message.c_str());
  cr_expect(world.fake_secret_folders().folders().empty());
  cr_expect_eq(world.number("SELECT count(*) FROM delivery"), 0);
  cr_expect(destroyed.ok());
}

Test(delivery, an_identity_is_renewed_and_a_folder_that_was_lost_is_made_anew) {
  Armed world;
  world.put("db/prod", R"({"password":"one"})");
  world.insert_job();
  world.sql(
      "INSERT INTO job_secret (job, path, key, name) VALUES ('web', 'db/prod', 'password', 'pw')");
  world.settle();
  world.pass_time(3000);
  const std::string first = world.file("rowlock.jwt");

  world.pass_time(1900000);
  cr_expect(world.file("rowlock.jwt") != first && world.file("rowlock.jwt") != "(none)");
  world.fake_secret_folders().lose_all();
  world.sql("UPDATE delivery SET state = 'unseen'");
  world.settle();

  cr_expect(world.file("pw") == "one");
}

Test(delivery, a_newer_version_that_cannot_be_given_keeps_nothing_else_from_being_done) {
  Armed world;
  world.put("db/prod", R"({"password":"one"})");
  world.insert_job();
  world.sql(
      "INSERT INTO job_secret (job, path, key, name, on_change) "
      "VALUES ('web', 'db/prod', 'password', 'pw', 'signal')");
  world.settle();
  world.pass_time(3000);
  const std::string first = world.file("rowlock.jwt");

  world.put("db/prod", R"({"user":"it has no password"})");
  world.settle();
  world.pass_time(1900000);

  cr_expect(world.file("pw") == "one");
  cr_expect(world.file("rowlock.jwt") != first, "its identity is renewed all the same");
  cr_expect(world.why().find("has no key 'password'") != std::string::npos);
}

Test(delivery, one_that_waits_for_a_secret_does_not_hold_up_the_others) {
  Armed world;
  world.put("db/prod", R"({"password":"one"})");
  world.insert_job(", count, progress_deadline_ms, auto_revert", ", 2, 86400000, 0");
  world.sql(
      "INSERT INTO job_secret (job, path, key, name, on_change) "
      "VALUES ('web', 'db/prod', 'password', 'pw', 'signal')");
  world.settle();
  world.pass_time(10000);
  // An instance of a new spec that asks for what is not there.
  world.sql(
      "INSERT INTO job_secret (job, path, key, name) VALUES ('web', 'db/none', 'password', 'no')");
  world.settle();

  world.put("db/prod", R"({"password":"two"})");
  world.settle();
  world.pass_time(10000);

  const std::string held = world.text(
      "SELECT DISTINCT version FROM secret_use WHERE until_ms IS NULL AND path = 'db/prod'");
  cr_expect(held == "2", "%s", held.c_str());
}

Test(delivery, a_value_that_would_be_two_variables_is_not_given) {
  Armed world;
  world.put("db/prod", R"({"password":"a\u0000LD_PRELOAD=/evil"})");
  world.insert_job();
  world.sql(
      "INSERT INTO job_secret (job, path, key, \"as\", name) "
      "VALUES ('web', 'db/prod', 'password', 'env', 'PW')");
  world.settle();

  cr_expect(world.file(".environment") == "(none)");
  cr_expect(world.why().find("has a NUL in it") != std::string::npos, "%s", world.why().c_str());
  world.put("db/prod", R"({"password":"a"})");
  world.settle();
  world.pass_time(70000);
  cr_expect(world.file(".environment") == std::string("PW=a\0", 5));
}

Test(delivery, a_number_is_given_as_it_was_written) {
  Armed world;
  world.put("db/prod", R"({"id":12345678901234567890,"rate":1.0,"far":1e999,"in":[0.10]})");
  world.insert_job();
  world.sql(
      "INSERT INTO job_secret (job, path, key, name) VALUES ('web', 'db/prod', 'id', 'id'), "
      "('web', 'db/prod', '', 'all');"
      "INSERT INTO job_secret (job, path, key, \"as\", name) "
      "VALUES ('web', 'db/prod', 'rate', 'env', 'RATE');"
      "INSERT INTO job_template (job, name, text) VALUES ('web', 'conf', "
      "'{{ secret \"db/prod\" \"far\" }} {{ secret \"db/prod\" \"in\" }}')");

  world.settle();
  world.pass_time(2000);

  cr_expect(world.file("id") == "12345678901234567890", "%s", world.file("id").c_str());
  cr_expect(world.file("all") ==
            R"({"far":1e999,"id":12345678901234567890,"in":[0.10],"rate":1.0})");
  cr_expect(world.file(".environment") == std::string("RATE=1.0\0", 9));
  cr_expect(world.file("conf") == "1e999 [0.10]", "%s", world.file("conf").c_str());
}

Test(delivery, one_on_its_way_out_keeps_what_it_has_and_is_asked_for_nothing_more) {
  Armed world;
  world.put("db/prod", R"({"password":"one"})");
  world.insert_job();
  world.sql(
      "INSERT INTO job_secret (job, path, key, name, on_change) "
      "VALUES ('web', 'db/prod', 'password', 'pw', 'replace')");
  world.settle();
  world.pass_time(3000);

  world.sql(
      "UPDATE instance SET run = 0, verdict = 'stopped';"
      "INSERT INTO retry (kind, target, name, step, tries, retry_at_ms, detail, rejected, "
      "since_ms) "
      "SELECT 'instance', CAST(id AS TEXT), job, 'stop', 1, 9000000000000, '', 0, 0 FROM instance");
  world.put("db/prod", R"({"password":"two"})");
  world.sql("UPDATE delivery SET identity_at_ms = 0");
  const std::string planned = world.text(
      "SELECT step FROM plan WHERE kind = 'delivery' AND target IN (SELECT id FROM instance WHERE "
      "run = 0) AND step <> 'wait'");

  cr_expect(planned.empty(), "%s", planned.c_str());
}

// It was exchanged in the file, and the program kept the address that it had read at its start.
Test(delivery, an_address_that_moved_brings_new_instances_where_a_template_says_restart) {
  Armed world;
  world.insert_job(", count", ", 2");
  world.sql(
      "INSERT INTO job (name, image, min_healthy_ms) VALUES ('db', 'good:2', 1000);"
      "INSERT INTO job_port (job, label, port) VALUES ('db', 'sql', 5432);"
      "INSERT INTO job_template (job, name, text) VALUES ('web', 'conf', "
      "'at {{ service \"db\" \"sql\" }}'), ('web', 'plain', 'x');"
      "INSERT INTO job_template (job, name, text, on_change) VALUES ('web', 'told', "
      "'at {{ service \"db\" \"sql\" }}', 'signal')");
  world.settle();
  world.pass_time(30000);
  const auto address = [&] {
    return "at " + world.text("SELECT address || ':' || port FROM service WHERE job = 'db'");
  };
  const std::string first_address = address();
  const std::string first = world.text("SELECT id FROM instance WHERE job = 'web' AND run = 1");
  const std::string first_file = world.file("conf", 1);
  const std::int64_t before = world.number("SELECT count(*) FROM event WHERE what = 'outdated'");

  world.edit("UPDATE job SET restart = 1 WHERE name = 'db'");
  world.settle();
  world.pass_time(60000);
  const std::string second = world.text("SELECT id FROM instance WHERE job = 'web' AND run = 1");
  world.pass_time(60000);

  cr_expect(first_file.find("at ") == 0, "%s", first_file.c_str());
  cr_expect(address() != first_address, "%s", address().c_str());
  cr_expect(world.number("SELECT count(*) FROM instance WHERE job = 'web' AND run = 1") == 2);
  cr_expect(second != first, "%s", second.c_str());
  cr_expect(world.text("SELECT id FROM instance WHERE job = 'web' AND run = 1") == second,
            "once is enough");
  cr_expect(world.text("SELECT DISTINCT state FROM status WHERE kind = 'job'") == "converged", "%s",
            world.text("SELECT name, state, detail FROM status").c_str());
  cr_expect(world.number("SELECT count(*) FROM event WHERE what = 'outdated'") == before + 2, "%s",
            world.text("SELECT what, detail FROM event WHERE kind = 'instance'").c_str());
  cr_expect(world.number("SELECT count(*) FROM deployment WHERE job = 'web'") == 1,
            "the spec is the same");
}

Test(delivery, templates_that_would_restart_each_other_for_ever_are_refused) {
  Armed world;
  world.insert_job();
  world.sql(
      "INSERT INTO job (name, image) VALUES ('db', 'good:2');"
      "INSERT INTO job_port (job, label, port) VALUES ('db', 'sql', 5432), ('web', 'http', 80);"
      "INSERT INTO job_template (job, name, text) VALUES "
      "('web', 'conf', '{{ service \"db\" \"sql\" }}')");
  const std::string one_way = world.text("SELECT message FROM violation_now");

  world.sql(
      "INSERT INTO job_template (job, name, text) VALUES "
      "('db', 'conf', '{{ service \"web\" \"http\" }}')");
  const std::string both = world.text("SELECT message FROM violation_now");
  world.sql("UPDATE job_template SET on_change = 'signal' WHERE job = 'db'");

  cr_expect(one_way.empty(), "%s", one_way.c_str());
  cr_expect(both.find("they would restart each other for ever") != std::string::npos, "%s",
            both.c_str());
  cr_expect(world.text("SELECT message FROM violation_now").empty());
}
