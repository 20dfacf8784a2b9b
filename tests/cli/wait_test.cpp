// What wait makes of what it sees, and of a home without a controller.
#include "controller/cli/look/wait.h"

#include "tests/cli/cli_home.h"

#include <memory>

using rowlock::Glance;
using rowlock::judge;
using rowlock::Row;
using rowlock::Verdict;
using rowlock_test::CliHome;

namespace {

Row standing(const std::string& name, const std::string& state) {
  return {std::make_shared<const std::vector<std::string>>(
              std::vector<std::string>{"kind", "name", "state", "detail"}),
          {std::string("job"), name, state, std::string("0/1 healthy")}};
}

}  // namespace

Test(cli_wait, converged_means_accepted_and_every_row_converged) {
  Glance glance;
  glance.status = {standing("web", "converged"), standing("api", "converging")};
  cr_expect(judge(glance, true).verdict == Verdict::going);

  glance.status[1] = standing("api", "converged");
  cr_expect(judge(glance, true).verdict == Verdict::converged);

  glance.is_pending = true;
  cr_expect(judge(glance, true).verdict == Verdict::going);
}

Test(cli_wait, states_that_may_pass_are_waited_for) {
  for (const char* state : {"converging", "waiting", "unknown"}) {
    Glance glance;
    glance.status = {standing("web", state)};
    cr_expect(judge(glance, true).verdict == Verdict::going, "%s", state);
  }
}

Test(cli_wait, a_failed_job_fails_the_wait_unless_a_new_deployment_is_due) {
  Glance glance;
  glance.status = {standing("web", "failed")};
  cr_expect(judge(glance, true).verdict == Verdict::failed);
  cr_expect(judge(glance, true).reason == "web: 0/1 healthy");

  glance.deploying = {"web"};
  cr_expect(judge(glance, true).verdict == Verdict::going);
}

Test(cli_wait, a_refusal_counts_once_the_controller_has_seen_the_edit) {
  Glance glance;
  glance.is_pending = true;
  glance.refusals = {"job web has no image"};

  cr_expect(judge(glance, false).verdict == Verdict::going);
  cr_expect(judge(glance, true).verdict == Verdict::failed);
}

Test(cli_wait, without_a_controller_there_is_nothing_to_wait_for) {
  const CliHome given;

  cr_expect(given.run({"wait"}).exit_code == rowlock::kExitUnreachable);
}

Test(cli_wait, an_applied_edit_stays_written_when_it_cannot_be_waited_for) {
  const CliHome given;
  const std::string file =
      given.file("web.sql", "INSERT INTO job (name, image) VALUES ('web', 'web:1')");

  const auto applied = given.run({"apply", file, "--wait"});

  cr_expect(applied.exit_code == rowlock::kExitUnreachable);
  cr_expect(given.desired("SELECT count(*) FROM job") == "1");
}
