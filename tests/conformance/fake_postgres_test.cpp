// The fake PostgreSQL against the suite that a real server passes, and the faults that only a fake
// can have.
#include "tests/fakes/fake_postgres.h"

#include "tests/conformance/postgres_suite.h"

#include <criterion/criterion.h>

using namespace rowlock;

namespace {

constexpr char kUrl[] = "postgresql://admin@127.0.0.1:5432/app";
constexpr std::int64_t kNowMs = 1'000'000'000;

PostgresAddress server() { return {kUrl, nullptr}; }

PostgresRole role(const std::string& name) {
  return {name,
          std::make_shared<const SecretBytes>(std::string_view("Secret1")),
          kNowMs,
          {"CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"}};
}

}  // namespace

Test(conformance_fake_postgres, behaves_like_every_server) {
  FakePostgres postgres;
  postgres.set_admin_password(kUrl, "Admin1");
  PostgresFixture fixture;
  fixture.server = {kUrl, std::make_shared<const SecretBytes>(std::string_view("Admin1"))};
  fixture.url_of_none = "postgresql://admin@nowhere.invalid:5432/app";
  postgres.set_away(fixture.url_of_none);
  fixture.now_ms = kNowMs;
  fixture.can_log_in = [&](const std::string& name, const std::string& password) {
    return postgres.can_log_in(kUrl, name, password, kNowMs);
  };
  fixture.open_session = [&](const std::string& name, const std::string& password) {
    return postgres.open_session(kUrl, name, password, kNowMs);
  };
  fixture.sessions = [&](const std::string& name) {
    const auto found = postgres.role(kUrl, name);
    return found ? found->sessions : 0;
  };

  check_postgres(postgres, fixture);

  cr_expect(postgres.role_names(kUrl).empty());
}

Test(conformance_fake_postgres, faults_lose_the_change_or_only_the_answer) {
  FakePostgres postgres;
  FaultPlan plan = FaultPlan::fail_before;
  postgres.set_faults([&](const std::string& call, const std::string& name) {
    return call == "create_role" && name == "rl_web_1" ? plan : FaultPlan::none;
  });

  cr_expect(postgres.create_role(server(), role("rl_web_1")).error().fault == Fault::transient);
  cr_expect(postgres.role_names(kUrl).empty());
  plan = FaultPlan::lose_answer;
  cr_expect(postgres.create_role(server(), role("rl_web_1")).error().cause == Cause::deadline);
  cr_expect(postgres.role(kUrl, "rl_web_1").has_value());
  postgres.set_reachable(false);
  cr_expect(postgres.drop_role(server(), "rl_web_1", {}).error().cause == Cause::unreachable);
}
