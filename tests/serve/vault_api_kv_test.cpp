// secret/data/…: the values of secrets as clients of Vault write, read and delete them.
#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>

using rowlock::ApiRig;
using rowlock::Json;
using rowlock::Reply;

namespace {

const char* const kX = "/v1/secret/data/db/x";

void expect(const Reply& reply, int status, const char* what) {
  cr_expect_eq(reply.status, status, "%s: %d %s", what, reply.status, reply.text.c_str());
}

}  // namespace

Test(serve_vault_api_kv, a_secret_is_written_and_read) {
  ApiRig rig;

  const Reply written = rig.ask("POST", kX, R"({"data":{"user":"u","port":5432}})");
  expect(written, 200, "write");
  cr_expect_eq(written.data()["version"].as_integer(), 1);
  cr_expect(written.data()["created_time"].as_string() == "2027-01-15T08:00:00.000000000Z");
  cr_expect(written.data()["deletion_time"].as_string().empty());
  cr_expect(!written.data()["destroyed"].as_boolean(true));
  cr_expect(written.data()["custom_metadata"].is_null());

  const Reply read = rig.ask("GET", kX);
  expect(read, 200, "read");
  cr_expect(read.data()["data"].text() == R"({"port":5432,"user":"u"})");
  cr_expect_eq(read.data()["metadata"]["version"].as_integer(), 1);
  cr_expect(read.body["request_id"].as_string().size() == 36);
  for (const char* name : {"wrap_info", "warnings", "auth"}) {
    cr_expect(read.body[name].is_null());
  }
  cr_expect(read.body["lease_id"].is_string() && read.body["lease_duration"].as_integer(1) == 0);

  rig.ask("PUT", kX, R"({"data":{"user":"v"}})");
  cr_expect(rig.ask("GET", kX).data()["data"].text() == R"({"user":"v"})");
  cr_expect_eq(rig.ask("GET", std::string(kX) + "?version=1").data()["data"]["port"].as_integer(),
               5432);
}

Test(serve_vault_api_kv, what_is_not_there_is_a_404_without_a_word) {
  ApiRig rig;
  rig.ask("POST", kX, R"({"data":{}})");

  for (const char* path :
       {"/v1/secret/data/db/y", "/v1/secret/data/db", "/v1/secret/data/db/x/z",
        "/v1/secret/data/db/x?version=2", "/v1/secret/metadata/db/y", "/v1/secret/subkeys/db/y"}) {
    const Reply reply = rig.ask("GET", path);
    expect(reply, 404, path);
    cr_expect(reply.body.text() == R"({"errors":[]})");
  }
}

Test(serve_vault_api_kv, check_and_set_as_clients_know_it) {
  ApiRig rig;
  const auto write = [&](const char* cas) {
    return rig.ask("POST", kX,
                   std::string(R"({"options":{"cas":)") + cas + R"(},"data":{"a":"b"}})");
  };
  expect(write("0"), 200, "first");
  Reply reply = write("0");
  expect(reply, 400, "again");
  cr_expect(reply.error() == "check-and-set parameter did not match the current version");
  expect(write("1"), 200, "second");
  expect(write("\"2\""), 200, "as text");
  expect(write("2"), 400, "stale");
  expect(write("1.5"), 400, "no whole number");

  rig.ask("POST", "/v1/secret/metadata/db/x", R"({"cas_required":true})");
  reply = rig.ask("POST", kX, R"({"data":{"a":"c"}})");
  expect(reply, 400, "without");
  cr_expect(reply.error() == "check-and-set parameter required for this call");
}

Test(serve_vault_api_kv, a_body_that_is_none_is_refused_and_leaves_nothing) {
  ApiRig rig;
  for (const char* body : {"", "{}", "{\"data\":null}", "{\"data\":[1]}", "{\"data\":\"x\"}", "[]",
                           "nonsense", "{\"data\":{}} x"}) {
    const Reply reply = rig.ask("POST", kX, body);
    expect(reply, 400, body);
    cr_expect(!reply.error().empty());
  }
  cr_expect(rig.value("SELECT count(*) FROM secret") == "0");
  for (const char* path : {"/v1/secret/data/", "/v1/secret/data", "/v1/secret/data/a//b",
                           "/v1/secret/data/../x", "/v1/secret/data/x/"}) {
    expect(rig.ask("POST", path, R"({"data":{"a":"b"}})"), 400, path);
  }
}

Test(serve_vault_api_kv, a_patch_merges_into_the_current_version) {
  ApiRig rig;
  expect(rig.ask("PATCH", kX, R"({"data":{"a":"1"}})"), 404, "absent");
  rig.ask("POST", kX, R"({"data":{"a":"1","b":"2","c":{"d":"3"}}})");

  expect(rig.ask("PATCH", kX, R"({"options":{"cas":1},"data":{"b":null,"c":{"e":"4"}}})"), 200,
         "patch");
  cr_expect(rig.ask("GET", kX).data()["data"].text() == R"({"a":"1","c":{"d":"3","e":"4"}})");
  expect(rig.ask("PATCH", kX, R"({"options":{"cas":1},"data":{"b":"5"}})"), 400, "stale");

  rowlock::HttpRequest request = ApiRig::request("POST", kX, R"({"data":{"a":"9"}})");
  request.method = "PATCH";
  request.headers.emplace_back("Content-Type", "application/json");
  request.door = rowlock::Door::operators;
  request.user = 0;
  expect(rig.ask(request), 415, "another type");
  request.headers.back().second = "application/merge-patch+json; charset=utf-8";
  expect(rig.ask(request), 200, "with a character set");

  rig.ask("DELETE", kX);
  expect(rig.ask("PATCH", kX, R"({"data":{"b":"5"}})"), 404, "deleted");
}

Test(serve_vault_api_kv, numbers_come_back_as_they_were_written) {
  ApiRig rig;
  const std::string all =
      R"({"a":12345678901234567890,"b":1.0,"c":3.14159265358979323846264338327950288,"d":1e999,)"
      R"("e":-0,"f":1E5,"g":[0.10,{"h":1e-999}],"i":9007199254740993})";

  expect(rig.ask("POST", kX, "{\"data\":" + all + "}"), 200, "write");
  cr_expect(rig.ask("GET", kX).data()["data"].text() == all);

  expect(rig.ask("PATCH", kX, R"({"data":{"b":2.50,"g":null,"j":{"k":1.00,"l":null}}})"), 200,
         "patch");
  cr_expect(rig.ask("GET", kX).data()["data"].text() ==
            R"({"a":12345678901234567890,"b":2.50,"c":3.14159265358979323846264338327950288,)"
            R"("d":1e999,"e":-0,"f":1E5,"i":9007199254740993,"j":{"k":1.00}})");
}

Test(serve_vault_api_kv, of_two_with_the_same_name_the_last_one_counts) {
  ApiRig rig;

  expect(rig.ask("POST", kX, R"({"data":{"a":"0"},"data":{"a":"1","a":{"b":2},"a":{"c":3}}})"), 200,
         "write");
  cr_expect(rig.ask("GET", kX).data()["data"].text() == R"({"a":{"c":3}})");

  expect(rig.ask("PATCH", kX, R"({"data":{"a":null,"a":{"d":4,"d":5},"e":1,"e":null}})"), 200,
         "patch");
  cr_expect(rig.ask("GET", kX).data()["data"].text() == R"({"a":{"c":3,"d":5}})");
}

Test(serve_vault_api_kv, what_is_too_deep_is_refused_and_what_is_not_can_be_read) {
  ApiRig rig;
  const auto nested = [](std::size_t depth) {
    return R"({"data":{"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}}";
  };

  expect(rig.ask("POST", kX, nested(98)), 200, "the deepest");
  expect(rig.ask("POST", kX, nested(99)), 400, "one deeper");
  expect(rig.ask("POST", kX, nested(100000)), 400, "far deeper");

  const Reply read = rig.ask("GET", kX);
  cr_expect(read.data()["data"]["a"].text() == std::string(98, '[') + std::string(98, ']'));
}

Test(serve_vault_api_kv, a_deleted_version_is_a_404_that_says_what_it_was) {
  ApiRig rig;
  rig.ask("POST", kX, R"({"data":{"a":"1"}})");
  rig.ask("POST", kX, R"({"data":{"a":"2"}})");
  rig.now_ms += 1000;

  expect(rig.ask("DELETE", kX), 204, "delete");
  const Reply reply = rig.ask("GET", kX);
  expect(reply, 404, "read");
  cr_expect(reply.data()["data"].is_null());
  cr_expect(reply.body["errors"].is_null());
  cr_expect_eq(reply.data()["metadata"]["version"].as_integer(), 2);
  cr_expect(reply.data()["metadata"]["deletion_time"].as_string() ==
            "2027-01-15T08:00:01.000000000Z");
  expect(rig.ask("GET", "/v1/secret/data/db/x?version=1"), 200, "the one before");

  expect(rig.ask("POST", "/v1/secret/undelete/db/x", R"({"versions":[2]})"), 204, "undelete");
  expect(rig.ask("GET", kX), 200, "read again");

  expect(rig.ask("POST", "/v1/secret/delete/db/x", R"({"versions":["1",2]})"), 204, "both");
  expect(rig.ask("GET", "/v1/secret/data/db/x?version=1"), 404, "first");
  expect(rig.ask("PUT", "/v1/secret/destroy/db/x", R"({"versions":[2]})"), 204, "destroy");
  expect(rig.ask("PUT", "/v1/secret/undelete/db/x", R"({"versions":[1,2]})"), 204, "undelete");
  cr_expect(rig.ask("GET", kX).data()["metadata"]["destroyed"].as_boolean());
  expect(rig.ask("GET", "/v1/secret/data/db/x?version=1"), 200, "not destroyed");
}

Test(serve_vault_api_kv, to_delete_what_is_not_there_is_no_mistake) {
  ApiRig rig;
  for (const auto& [method, path] :
       std::vector<std::pair<const char*, const char*>>{{"DELETE", "/v1/secret/data/no"},
                                                        {"POST", "/v1/secret/delete/no"},
                                                        {"POST", "/v1/secret/undelete/no"},
                                                        {"POST", "/v1/secret/destroy/no"},
                                                        {"DELETE", "/v1/secret/metadata/no"}}) {
    expect(rig.ask(method, path, R"({"versions":[1]})"), 204, path);
  }
  for (const char* body : {"{}", "{\"versions\":[]}", "{\"versions\":[\"x\"]}"}) {
    expect(rig.ask("POST", "/v1/secret/destroy/no", body), 400, body);
  }
}

Test(serve_vault_api_kv, subkeys_are_names_without_values) {
  ApiRig rig;
  rig.ask("POST", kX, R"({"data":{"a":{"b":{"c":"1"}},"d":[1],"e":{}}})");
  const auto subkeys = [&](const char* query) {
    return rig.ask("GET", std::string("/v1/secret/subkeys/db/x") + query).data()["subkeys"].text();
  };

  cr_expect(subkeys("") == R"({"a":{"b":{"c":null}},"d":null,"e":null})");
  cr_expect(subkeys("?depth=1") == R"({"a":null,"d":null,"e":null})");
  cr_expect(subkeys("?depth=2") == R"({"a":{"b":null},"d":null,"e":null})");
  rig.ask("DELETE", kX);
  const Reply deleted = rig.ask("GET", "/v1/secret/subkeys/db/x");
  expect(deleted, 404, "deleted");
  cr_expect(deleted.data()["subkeys"].is_null());
}

Test(serve_vault_api_kv, every_method_needs_its_capability_and_no_other) {
  const struct {
    const char* method;
    const char* path;
    const char* body;
    const char* capability;
    int status;
  } cases[] = {
      {"GET", "/v1/secret/data/db/x", "", "read", 200},
      {"GET", "/v1/secret/subkeys/db/x", "", "read", 200},
      {"GET", "/v1/secret/metadata/db/x", "", "read", 200},
      {"POST", "/v1/secret/data/db/new", R"({"data":{"a":"1"}})", "create", 200},
      {"POST", "/v1/secret/data/db/bare", R"({"data":{"a":"1"}})", "create", 200},
      {"POST", "/v1/secret/data/db/x", R"({"data":{"a":"1"}})", "update", 200},
      {"PATCH", "/v1/secret/data/db/x", R"({"data":{"a":"1"}})", "patch", 200},
      {"DELETE", "/v1/secret/data/db/x", "", "delete", 204},
      {"POST", "/v1/secret/delete/db/x", R"({"versions":[1]})", "delete", 204},
      {"POST", "/v1/secret/undelete/db/x", R"({"versions":[1]})", "update", 204},
      {"POST", "/v1/secret/destroy/db/x", R"({"versions":[1]})", "delete", 204},
      {"DELETE", "/v1/secret/metadata/db/x", "", "delete", 204},
      {"POST", "/v1/secret/metadata/db/x", R"({"max_versions":3})", "update", 204},
      {"POST", "/v1/secret/metadata/db/new", R"({"max_versions":3})", "create", 204},
      {"PATCH", "/v1/secret/metadata/db/x", R"({"max_versions":3})", "update", 204},
      {"LIST", "/v1/secret/metadata/db", "", "list", 200},
  };
  for (const auto& each : cases) {
    ApiRig rig;
    rig.ask("POST", kX, R"({"data":{"secret":"of-db-x"}})");
    rig.ask("POST", "/v1/secret/metadata/db/bare", "{}");
    std::string others;
    for (const std::string other : {"create", "read", "update", "patch", "delete", "list"}) {
      others += other == each.capability ? "" : (others.empty() ? "" : ",") + other;
    }
    const std::string without = rig.token_for("db/*", others);
    const std::string name = std::string(each.method) + " " + each.path;
    const Reply denied = rig.ask_with(without, each.method, each.path, each.body);
    expect(denied, 403, name.c_str());
    cr_expect(denied.error() == "permission denied");
    cr_expect(denied.error(1).find(each.capability) != std::string::npos, "%s",
              denied.text.c_str());
    cr_expect(denied.text.find("of-db-x") == std::string::npos);
    cr_expect(rig.value("SELECT outcome FROM audit ORDER BY seq DESC LIMIT 1") == "denied");

    const std::string with = rig.token_for("db/*", each.capability);
    expect(rig.ask_with(with, each.method, each.path, each.body), each.status, name.c_str());
  }
}

Test(serve_vault_api_kv, a_failure_undoes_what_it_wrote_and_is_logged) {
  ApiRig rig;
  rig.ask("POST", kX, R"({"data":{"a":"1"}})");
  const std::string before = rig.value("SELECT seq FROM audit_head");

  expect(rig.ask("POST", kX, R"({"options":{"cas":7},"data":{"a":"2"}})"), 400, "stale");

  cr_expect(rig.value("SELECT max(version) FROM secret_version") == "1");
  cr_expect(rig.value("SELECT seq - " + before + " FROM audit_head") == "1");
  cr_expect(rig.value("SELECT outcome || '|' || path || '|' || detail FROM audit ORDER BY seq "
                      "DESC LIMIT 1") ==
            "failed|db/x|check-and-set parameter did not match the current version");
  const auto report = rig.secrets.audit.verify();
  cr_assert(report.ok());
  cr_expect(report.value().findings.empty());
}
