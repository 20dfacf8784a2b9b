// What the stock shell says to the engineer who writes a row that cannot be: one sentence that says
// what to do instead.
#include "tests/store/files.h"

#include <criterion/criterion.h>

using rowlock::MadeHome;
using rowlock::Shell;

namespace {

struct Case {
  const char* edit;
  const char* said;
};

void expect_all(const std::vector<Case>& cases) {
  MadeHome made;
  Shell shell(made.home.desired_path());
  cr_assert(
      shell
          .run("INSERT INTO job (name, image) VALUES ('web', 'a:1');"
               "INSERT INTO job_env (job, name) VALUES ('web', 'A');"
               "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
               "INSERT INTO job_mount (job, path, source) VALUES ('web', '/data', 'data');"
               "INSERT INTO job_constraint (job, attribute, value) VALUES ('web', 'site', 'local');"
               "INSERT INTO job_check (job, name, type, port) VALUES ('web', 'up', 'tcp', 'http')")
          .empty());
  for (const Case& bad : cases) {
    const std::string said = shell.run(bad.edit);
    cr_expect(said.find(bad.said) != std::string::npos, "%s: '%s'", bad.edit, said.c_str());
  }
}

}  // namespace

Test(guard, a_job) {
  expect_all({
      {"INSERT INTO job (name, image) VALUES ('My Job', 'a')",
       "job.name must be 1 to 40 of a-z, 0-9 and '-'"},
      {"INSERT INTO job (name, image) VALUES ('', 'a')", "job.name must be"},
      {"INSERT INTO job (name, image) VALUES ('-x', 'a')", "job.name must be"},
      {"INSERT INTO job (name, image) VALUES ('größe', 'a')", "job.name must be"},
      {"INSERT INTO job (name, image) VALUES ('a/../b', 'a')", "job.name must be"},
      {"INSERT INTO job (name, image) VALUES ('x' || hex(zeroblob(20)), 'a')", "job.name must be"},
      {"INSERT INTO job (name, image) VALUES ('web', 'a')", "UNIQUE constraint failed: job.name"},
      {"INSERT INTO job (name) VALUES ('x')", "NOT NULL constraint failed: job.image"},
      {"UPDATE job SET image = ''", "job.image must name an image"},
      {"UPDATE job SET image = 'a b'", "job.image must name an image"},
      {"UPDATE job SET type = 'daemon'", "job.type must be 'service', 'batch' or 'system'"},
      {"UPDATE job SET count = -1", "job.count must be a whole number from 0 to 500"},
      {"UPDATE job SET count = 'three'", "job.count must be a whole number from 0 to 500"},
      {"UPDATE job SET count = 1.5", "job.count must be a whole number from 0 to 500"},
      {"UPDATE job SET count = 501", "job.count must be a whole number from 0 to 500"},
      {"UPDATE job SET command = 'sleep 60'", "job.command must be a JSON array of strings"},
      {"UPDATE job SET command = '\"sleep\"'", "job.command must be a JSON array of strings"},
      {"UPDATE job SET command = '{}'", "job.command must be a JSON array of strings"},
      {"UPDATE job SET command = '[]'", "job.command must be a JSON array of strings"},
      {"UPDATE job SET command = '[\"sleep\", 60]'",
       "put quotes around every item, numbers included"},
      {"INSERT INTO job (name, image, command) VALUES ('x', 'a', '[null]')",
       "put quotes around every item"},
      {"UPDATE job SET user = ''", "job.user must be"},
      {"UPDATE job SET network = 'container:x'", "job.network must be"},
      {"UPDATE job SET cpus = 'many'", "job.cpus must be a number from 0"},
      {"UPDATE job SET memory_mb = 5",
       "job.memory_mb must be 0 (memory_max_mb is the limit) or a whole number of at least 6"},
      {"UPDATE job SET memory_max_mb = 5",
       "job.memory_max_mb must be 0 (no limit) or a whole number of at least 6"},
      {"UPDATE job SET cpu_shares = 1", "job.cpu_shares must be 0 (the engine's own)"},
      {"UPDATE job SET read_only_tmpfs = 'yes'", "job.read_only_tmpfs must be 0 or 1"},
      {"UPDATE job SET memory_mb = '64M'", "job.memory_mb must be"},
      {"UPDATE job SET pids_max = -1", "job.pids_max must be"},
      {"UPDATE job SET capabilities = 'NET_ADMIN'", "job.capabilities must be a JSON array"},
      {"UPDATE job SET new_privileges = 'yes'", "job.new_privileges must be 0 or 1"},
      {"UPDATE job SET read_only_root = 2", "job.read_only_root must be 0 or 1"},
      {"UPDATE job SET restart = 'now'", "job.restart must be a whole number"},
      {"UPDATE job SET update_order = 'both'",
       "job.update_order must be 'start_first' or 'stop_first'"},
      {"UPDATE job SET max_parallel = 0", "job.max_parallel must be a whole number from 1 to 500"},
      {"UPDATE job SET min_healthy_ms = '10s'",
       "job.min_healthy_ms must be a whole number of milliseconds"},
      {"UPDATE job SET min_healthy_ms = 700000", "must be less than progress_deadline_ms"},
      {"UPDATE job SET healthy_deadline_ms = 0", "job.healthy_deadline_ms must be"},
      {"UPDATE job SET progress_deadline_ms = 0", "job.progress_deadline_ms must be"},
      {"UPDATE job SET failures_max = 0", "job.failures_max must be"},
      {"UPDATE job SET auto_revert = 'yes'", "job.auto_revert must be 0 or 1"},
      {"UPDATE job SET restart_delay_ms = -1", "job.restart_delay_ms must be"},
      {"UPDATE job SET restart_delay_max_ms = -1", "job.restart_delay_max_ms must be"},
      {"UPDATE job SET restart_reset_ms = -1", "job.restart_reset_ms must be"},
      {"UPDATE job SET stop_signal = 'TERM'", "job.stop_signal must be a signal's name"},
      {"UPDATE job SET stop_timeout_ms = 3600001", "job.stop_timeout_ms must be"},
  });
}

Test(guard, what_a_job_has) {
  expect_all({
      {"INSERT INTO job_env (job, name) VALUES ('none', 'A')",
       "job_env.job names no job: INSERT INTO job first"},
      {"UPDATE job_env SET job = 'none'", "job_env.job names no job"},
      {"UPDATE job_env SET name = '1A'", "job_env.name must be letters, digits and '_'"},
      {"UPDATE job_env SET name = 'A=B'", "job_env.name must be letters, digits and '_'"},
      {"INSERT INTO job_port (job, label, port) VALUES ('none', 'a', 1)",
       "job_port.job names no job"},
      {"UPDATE job_port SET job = 'none'", "job_port.job names no job"},
      {"UPDATE job_port SET label = 'HTTP'", "job_port.label must be"},
      {"UPDATE job_port SET port = 0", "job_port.port must be a whole number from 1 to 65535"},
      {"UPDATE job_port SET port = 'http'", "job_port.port must be a whole number from 1 to 65535"},
      {"UPDATE job_port SET protocol = 'sctp'", "job_port.protocol must be 'tcp' or 'udp'"},
      {"UPDATE job_port SET host_port = 70000",
       "job_port.host_port must be NULL (not published), 0 (any free one)"},
      {"UPDATE job_port SET host_ip = 'localhost'", "job_port.host_ip must be an IP address"},
      {"INSERT INTO job_mount (job, path, source) VALUES ('none', '/a', 'a')",
       "job_mount.job names no job"},
      {"UPDATE job_mount SET job = 'none'", "job_mount.job names no job"},
      {"UPDATE job_mount SET path = 'data'", "job_mount.path must be absolute"},
      {"UPDATE job_mount SET path = '/'", "job_mount.path must be absolute"},
      {"UPDATE job_mount SET type = 'nfs'", "job_mount.type must be 'volume', 'bind' or 'tmpfs'"},
      {"UPDATE job_mount SET source = '/srv'", "use type 'bind' for a folder"},
      {"UPDATE job_mount SET type = 'bind'",
       "job_mount.source must be an absolute folder for type 'bind'"},
      {"UPDATE job_mount SET read_only = 'no'", "job_mount.read_only must be 0 or 1"},
      {"INSERT INTO job_constraint (job, attribute, value) VALUES ('none', 'site', 'x')",
       "job_constraint.job names no job"},
      {"UPDATE job_constraint SET job = 'none'", "job_constraint.job names no job"},
      {"UPDATE job_constraint SET attribute = 'rack'",
       "job_constraint.attribute must be 'node', 'site' or 'arch'"},
      {"UPDATE job_constraint SET operator = '>'", "job_constraint.operator must be '=' or '!='"},
  });
}

Test(guard, secrets_and_who_may_read_them) {
  const std::string secret =
      "INSERT INTO job_secret (job, path, key, name, mode, owner, signal, on_change, \"as\") "
      "VALUES ";
  const std::string policy = "INSERT INTO policy (name, path, capabilities) VALUES ";
  const std::string trust =
      "INSERT INTO trust (name, issuer, audience, claims, policies, keys) VALUES ";
  const std::vector<std::pair<std::string, const char*>> all = {
      {secret + "('none','a','k','n','0400','0:0','SIGHUP','restart','file')",
       "job_secret.job names no job"},
      {secret + "('web','/a','k','n','0400','0:0','SIGHUP','restart','file')",
       "job_secret.path must be"},
      {secret + "('web','a','k','../n','0400','0:0','SIGHUP','restart','file')",
       "job_secret.name must be"},
      {secret + "('web','a','k','rowlock.jwt','0400','0:0','SIGHUP','restart','file')",
       "job_secret.name must be"},
      {secret + "('web','a','k','n','4755','0:0','SIGHUP','restart','file')",
       "job_secret.mode must be"},
      {secret + "('web','a','k','n','0000','0:0','SIGHUP','restart','file')",
       "job_secret.mode must be"},
      {secret + "('web','a','k','n','0400','app','SIGHUP','restart','file')",
       "job_secret.owner must be"},
      {secret + "('web','a','k','n','0400','4294967296:0','SIGHUP','restart','file')",
       "job_secret.owner must be"},
      {secret + "('web','a','k','n','0400','0:0','SIGNONSENSE','restart','file')",
       "job_secret.signal must be SIGHUP"},
      {secret + "('web','a','k','n','0400','0:0','SIGHUP','reload','file')",
       "job_secret.on_change must be"},
      {secret + "('web','a','','N','0400','0:0','SIGHUP','restart','env')", "needs a key"},
      {secret + "('web','a','k','N','0400','0:0','SIGHUP','signal','env')", "needs a key"},
      {"INSERT INTO job_template (job, name, text, escaping) VALUES ('web', 'c', 'x', 'xml')",
       "job_template.escaping must be"},
      {policy + "('p','a/*/b','read')", "policy.path must be"},
      {policy + "('p','a+','read')", "policy.path must be"},
      {policy + "('p','/a','read')", "policy.path must be"},
      {policy + "('p','a','sudo')", "policy.capabilities must be"},
      {policy + "('p','a','')", "policy.capabilities must be"},
      {policy + "('p','secret/data/a','read')", "leave 'secret/data/' out"},
      {"INSERT INTO job_policy VALUES ('none', 'p')", "job_policy.job names no job"},
      {"INSERT INTO trust (name, issuer, audience, keys) VALUES ('ci','https://ci','us','/k')",
       "trust.claims must say whose tokens"},
      {trust + "('ci','https://ci','us','[]','[]','/k')", "trust.claims must say whose tokens"},
      {trust + "('ci','https://ci','us','{ }','[]','/k')", "trust.claims must say whose tokens"},
      {trust + "('ci','https://ci','us','{\"sub\":\"*\"}','deploy','/k')",
       "trust.policies must be"},
      {trust + "('ci','https://ci','us','{\"sub\":\"*\"}','[]','http://ci/k')",
       "trust.keys must be"},
      {trust + "('ci','https://ci','us','{\"sub\":\"*\"}','[]','http://127.0.0.1:1@elsewhere/')",
       "trust.keys must be"},
      {trust + "('ci','https://ci','us','{\"sub\":\"*\"}','[]','https://one.test\\@other.test/')",
       "trust.keys must be"},
      {"INSERT INTO api (listen) VALUES ('0.0.0.0:8200')",
       "api.listen must be ADDRESS:PORT of loopback"},
      {"INSERT INTO api (issuer) VALUES ('rowlock')", "api.issuer must be a URL"},
      {"INSERT INTO api (name) VALUES ('other')", "api.name must be 'api'"},
  };
  std::vector<Case> edits;
  for (const auto& [edit, said] : all) edits.push_back({edit.c_str(), said});
  expect_all(edits);
}

Test(guard, a_check) {
  expect_all({
      {"INSERT INTO job_check (job, name, type, port) VALUES ('none', 'up', 'tcp', '80')",
       "job_check.job names no job"},
      {"UPDATE job_check SET job = 'none'", "job_check.job names no job"},
      {"UPDATE job_check SET name = 'is it up?'", "job_check.name must be"},
      {"UPDATE job_check SET type = 'ping'", "job_check.type must be 'http', 'tcp' or 'exec'"},
      {"UPDATE job_check SET port = NULL", "job_check.port must name a port of the job"},
      {"UPDATE job_check SET path = 'health'", "job_check.path must begin with '/'"},
      {"UPDATE job_check SET type = 'exec'",
       "job_check.command must be a JSON array of strings for type 'exec'"},
      {"UPDATE job_check SET type = 'exec', command = 'true'",
       "job_check.command must be a JSON array of strings"},
      {"UPDATE job_check SET interval_ms = 99", "job_check.interval_ms must be"},
      {"UPDATE job_check SET timeout_ms = 0", "job_check.timeout_ms must be"},
      {"UPDATE job_check SET grace_ms = 'none'", "job_check.grace_ms must be NULL or"},
      {"UPDATE job_check SET passes = 0", "job_check.passes must be a whole number from 1 to 100"},
      {"UPDATE job_check SET failures = 0",
       "job_check.failures must be a whole number from 1 to 100"},
  });
}

Test(guard, the_rest) {
  expect_all({
      {"INSERT INTO node (name) VALUES ('Big Box')", "node.name must be"},
      {"UPDATE node SET driver = 'podman'", "node.driver must be 'docker' or 'process'"},
      {"UPDATE node SET endpoint = '/var/run/docker.sock'",
       "node.endpoint must be empty, unix:///path"},
      {"UPDATE node SET arch = 'x86 64'", "node.arch must be NULL or a name such as"},
      {"UPDATE node SET eligible = 'no'", "node.eligible must be 0 or 1"},
      {"INSERT INTO invariant VALUES ('a', 'DELETE FROM job', 'x')",
       "invariant.query must be one SELECT"},
      {"INSERT INTO invariant VALUES ('a', 'SELECT 1', '')",
       "invariant.message must say what is wrong"},
      {"INSERT INTO approval (revision, table_name, deletes) VALUES ('last', 'job', 1)",
       "approval.revision must be the number"},
      {"INSERT INTO approval (revision, table_name, deletes) VALUES (1, 'job', 0)",
       "approval.deletes must be the number"},
  });
}

Test(guard, a_renamed_job_keeps_its_rows_and_a_deleted_one_takes_them_along) {
  MadeHome made;
  Shell shell(made.home.desired_path());
  const char* const children =
      "SELECT (SELECT count(*) FROM job_env WHERE job = 'api') + (SELECT count(*) FROM job_port "
      "WHERE job = 'api') + "
      "(SELECT count(*) FROM job_check WHERE job = 'api') + (SELECT count(*) FROM job_mount WHERE "
      "job = 'api') + "
      "(SELECT count(*) FROM job_constraint WHERE job = 'api')";
  cr_assert(
      shell
          .run("INSERT INTO job (name, image) VALUES ('web', 'a:1'); INSERT INTO job_env (job, "
               "name) VALUES ('web', 'A');"
               "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
               "INSERT INTO job_mount (job, path, source) VALUES ('web', '/data', 'data');"
               "INSERT INTO job_constraint (job, attribute, value) VALUES ('web', 'site', 'local');"
               "INSERT INTO job_check (job, name, type, port) VALUES ('web', 'up', 'tcp', 'http')")
          .empty());

  const std::string renaming = shell.run("UPDATE job SET name = 'api'");
  const std::string kept = shell.value(children);
  const std::string deleting = shell.run("DELETE FROM job");

  cr_expect(renaming.empty(), "%s", renaming.c_str());
  cr_expect(kept == "5", "%s", kept.c_str());
  cr_expect(deleting.empty(), "%s", deleting.c_str());
  cr_expect(shell.value(children) == "0");
}
