// secret/metadata/…, secret/config, and the values that clients write in several forms.
#include "controller/serve/vault/vault_api_values.h"
#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>

using rowlock::ApiRig;
using rowlock::Json;
using rowlock::Reply;

Test(serve_vault_api_metadata, says_how_a_secret_is_kept_and_which_versions_there_are) {
  ApiRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"a":"1"}})");
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"a":"2"}})");
  rig.ask("POST", "/v1/secret/destroy/x", R"({"versions":[1]})");
  cr_assert_eq(rig.ask("POST", "/v1/secret/metadata/x",
                       R"({"max_versions":5,"cas_required":true,"delete_version_after":"1h30m",)"
                       R"("custom_metadata":{"owner":"anna"}})")
                   .status,
               204);

  const Reply reply = rig.ask("GET", "/v1/secret/metadata/x");
  cr_assert_eq(reply.status, 200);
  const Json data = reply.data();
  cr_expect_eq(data["current_version"].as_integer(), 2);
  cr_expect_eq(data["max_versions"].as_integer(), 5);
  cr_expect(data["cas_required"].as_boolean());
  cr_expect(data["delete_version_after"].as_string() == "1h30m0s");
  cr_expect(data["custom_metadata"].text() == R"({"owner":"anna"})");
  cr_expect(data["versions"]["1"]["destroyed"].as_boolean());
  cr_expect(!data["versions"]["2"]["destroyed"].as_boolean());
  cr_expect(data["versions"]["2"]["deletion_time"].as_string().empty());
  cr_expect(data["created_time"].as_string() == "2027-01-15T08:00:00.000000000Z");
  cr_expect(rig.ask("GET", "/v1/secret/data/x").data()["metadata"]["custom_metadata"].text() ==
            R"({"owner":"anna"})");
}

Test(serve_vault_api_metadata, a_patch_of_custom_metadata_merges) {
  ApiRig rig;
  cr_expect_eq(rig.ask("PATCH", "/v1/secret/metadata/x", "{}").status, 404);
  rig.ask("POST", "/v1/secret/metadata/x",
          R"({"max_versions":5,"custom_metadata":{"a":"1","b":"2"}})");

  cr_expect_eq(
      rig.ask("PATCH", "/v1/secret/metadata/x", R"({"custom_metadata":{"a":null,"c":"3"}})").status,
      204);
  Json data = rig.ask("GET", "/v1/secret/metadata/x").data();
  cr_expect(data["custom_metadata"].text() == R"({"b":"2","c":"3"})");
  cr_expect_eq(data["max_versions"].as_integer(), 5);
  rig.ask("PATCH", "/v1/secret/metadata/x", R"({"custom_metadata":null})");
  data = rig.ask("GET", "/v1/secret/metadata/x").data();
  cr_expect(data["custom_metadata"].is_null());

  for (const char* body :
       {R"({"custom_metadata":{"a":1}})", R"({"custom_metadata":[]})", R"({"max_versions":-1})",
        R"({"max_versions":"x"})", R"({"delete_version_after":"-1s"})",
        R"({"delete_version_after":"soon"})"}) {
    cr_expect_eq(rig.ask("POST", "/v1/secret/metadata/x", body).status, 400, "%s", body);
  }
}

Test(serve_vault_api_metadata, folders_are_listed_by_method_and_by_query) {
  ApiRig rig;
  for (const char* path : {"a", "db/x", "db/sub/y", "db/z"}) {
    rig.ask("POST", std::string("/v1/secret/data/") + path, R"({"data":{"k":"v"}})");
  }

  const auto keys = [&](const char* method, const char* path) {
    return rig.ask(method, path).data()["keys"].text();
  };
  cr_expect(keys("LIST", "/v1/secret/metadata") == R"(["a","db/"])");
  cr_expect(keys("LIST", "/v1/secret/metadata/") == R"(["a","db/"])");
  cr_expect(keys("LIST", "/v1/secret/metadata/db") == R"(["sub/","x","z"])");
  cr_expect(keys("LIST", "/v1/secret/metadata/db/") == R"(["sub/","x","z"])");
  cr_expect(keys("GET", "/v1/secret/metadata/db?list=true") == R"(["sub/","x","z"])");
  cr_expect(keys("GET", "/v1/secret/metadata/db?list=1") == R"(["sub/","x","z"])");
  const Reply none = rig.ask("LIST", "/v1/secret/metadata/none");
  cr_expect(none.status == 404 && none.body.text() == R"({"errors":[]})");
}

Test(serve_vault_api_metadata, settings_of_the_engine_are_for_the_operator) {
  ApiRig rig;
  const std::string token = rig.token_for("*", "create,read,update,patch,delete,list");
  cr_expect_eq(rig.ask_with(token, "GET", "/v1/secret/config").status, 403);
  cr_expect_eq(rig.ask_with(token, "POST", "/v1/secret/config", "{}").status, 403);

  cr_expect_eq(rig.ask("POST", "/v1/secret/config",
                       R"({"max_versions":3,"cas_required":true,"delete_version_after":90})")
                   .status,
               204);
  const Json data = rig.ask("GET", "/v1/secret/config").data();
  cr_expect(data.text() ==
            R"({"cas_required":true,"delete_version_after":"1m30s","max_versions":3})");
  cr_expect_eq(rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"v"}})").status, 400);
}

Test(serve_vault_api_metadata, durations_are_read_in_every_form_and_written_in_one) {
  const std::pair<const char*, std::int64_t> good[] = {
      {"90", 90'000},
      {"0", 0},
      {"0s", 0},
      {"90s", 90'000},
      {"1.5h", 5'400'000},
      {"1h30m", 5'400'000},
      {"768h0m0s", 2'764'800'000},
      {"2d", 172'800'000},
      {"250ms", 250},
      {"1500us", 1},
      {"3h25m19s", 12'319'000},
  };
  for (const auto& [text, ms] : good) {
    const auto read = rowlock::duration_ms(std::string_view(text), "ttl");
    cr_assert(read.ok(), "%s", text);
    cr_expect_eq(read.value().value_or(-1), ms, "%s", text);
  }
  for (const char* text : {"-1", "-1s", "s", "1x", "1h 30m", "1h30", "nan", "inf", "1e3", "1e400",
                           "99999999999999999999d", "0x10", "1,5s", " 1s"}) {
    cr_expect(!rowlock::duration_ms(std::string_view(text), "ttl").ok(), "%s", text);
  }
  cr_expect(!rowlock::duration_ms(std::string_view(""), "ttl").value().has_value());
  cr_expect(rowlock::go_duration(0) == "0s");
  cr_expect(rowlock::go_duration(1500) == "1.5s");
  cr_expect(rowlock::go_duration(3'600'000) == "1h0m0s");
  cr_expect(rowlock::go_duration(2'764'800'000) == "768h0m0s");
}
