// What is read as a secret's values: words that name sources, dotenv files, and what an editor
// left.
#include "controller/cli/secrets/secret_values.h"

#include "controller/cli/secrets/dotenv.h"
#include "controller/cli/secrets/secret_editor.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using rowlock::Json;

Test(secret_values, a_value_on_the_command_line_is_refused_and_not_shown) {
  for (const char* word : {"password=hunter2", "password=", "a=b=c"}) {
    const auto read = rowlock::read_value_sources({word});

    cr_assert(!read.ok(), "%s", word);
    cr_expect(read.error().message.find("hunter2") == std::string::npos);
  }
  cr_expect(!rowlock::read_value_sources({"a", "b=-"}).ok(), "two from stdin");
  cr_expect(!rowlock::read_value_sources({"=@x"}).ok(), "no key");

  const auto read = rowlock::read_value_sources({"password", "cert=@/tmp/x"});
  cr_assert(read.ok());
  cr_expect(read.value().at(0).is_stdin());
  cr_expect(read.value().at(1).file == "/tmp/x");
}

Test(secret_values, a_dotenv_file_is_read_as_its_users_expect) {
  struct Case {
    const char* text;
    const char* key;
    const char* value;
  };
  for (const Case& file : std::vector<Case>{
           {"A=1", "A", "1"},
           {"export A=1\n", "A", "1"},
           {"# c\n\n A = x \n", "A", "x"},
           {"A='$x \\n # y'", "A", "$x \\n # y"},
           {"A=\"a\\nb\\\"c\"", "A", "a\nb\"c"},
           {"A=x # comment", "A", "x"},
           {"A=x#y", "A", "x#y"},
           {"A=", "A", ""},
           {"A=\"two\nlines\"", "A", "two\nlines"},
           {"A=b=c\r\n", "A", "b=c"},
       }) {
    const auto read = rowlock::read_dotenv(file.text);

    cr_assert(read.ok(), "%s: %s", file.text, read.ok() ? "" : read.error().message.c_str());
    cr_assert_eq(read.value().size(), 1, "%s", file.text);
    cr_expect(read.value()[0].first == file.key, "%s", file.text);
    cr_expect(read.value()[0].second == file.value, "%s", file.text);
  }
}

Test(secret_values, a_bad_line_is_named_by_its_number_and_not_shown) {
  for (const char* text :
       {"A=1\nhunter2\n", "A=1\n9B=hunter2", "A=1\nB='hunter2", "A=1\n=hunter2"}) {
    const auto read = rowlock::read_dotenv(text);

    cr_assert(!read.ok(), "%s", text);
    cr_expect(read.error().message.find("2") != std::string::npos, "%s",
              read.error().message.c_str());
    cr_expect(read.error().message.find("hunter2") == std::string::npos, "%s",
              read.error().message.c_str());
  }
}

Test(secret_values, what_is_shown_in_the_editor_reads_back_as_the_same_map) {
  for (const char* text :
       {R"({"a":"x"})", R"({"a":"two\nlines","b":"'\"$x\\"})", R"({"a":1,"b":{"c":[true,null]}})",
        R"({"a":12345678901234567890,"b":[1.0,1e999]})", R"({"odd key":"x"})", "{}"}) {
    const auto map = Json::parse(text);
    cr_assert(map.ok());

    const auto back = rowlock::map_of_edited(rowlock::editable(map.value(), "db/prod").text);

    cr_assert(back.ok(), "%s: %s", text, back.ok() ? "" : back.error().message.c_str());
    cr_expect(back.value().text() == map.value().text(), "%s", text);
  }
}

Test(secret_values, a_key_given_twice_is_refused_and_named_but_no_value) {
  const std::string json = R"({"user": "u", "password": "hunter2", "password": "hunter3"})";
  const std::string lines = "password=hunter2\nuser=u\npassword=hunter3\n";

  for (const auto& read : {rowlock::map_of_json(json, "stdin"), rowlock::map_of_edited(json),
                           rowlock::map_of_edited(lines)}) {
    cr_assert(!read.ok());
    const std::string& message = read.error().message;
    cr_expect(message.find("password") != std::string::npos, "%s", message.c_str());
    cr_expect(message.find("hunter") == std::string::npos, "%s", message.c_str());
  }
  cr_expect(rowlock::map_of_json(json, "stdin").error().message ==
            "stdin is not one JSON object: the name \"password\" is given twice, again at byte 48");
}

Test(secret_values, the_editor_works_in_memory_and_leaves_nothing_behind) {
  char folder[] = "/tmp/rowlock-editor.XXXXXX";
  cr_assert(mkdtemp(folder) != nullptr);
  const std::string editor = std::string(folder) + "/editor";
  const std::string seen = std::string(folder) + "/seen";
  std::ofstream(editor) << "#!/bin/sh\necho \"$1\" > " << seen << "\nstat -f -c %T \"$1\" >> "
                        << seen << "\nstat -c %a \"$(dirname \"$1\")\" >> " << seen
                        << "\nsed -i s/one/two/ \"$1\"\n";
  chmod(editor.c_str(), 0755);
  setenv("VISUAL", editor.c_str(), 1);

  const auto edited = rowlock::edited("A=one\n", "prod.env");

  cr_assert(edited.ok() && edited.value().has_value());
  cr_expect_str_eq(edited.value()->c_str(), "A=two\n");
  std::ifstream lines(seen);
  std::string path;
  std::string kind;
  std::string mode;
  std::getline(lines, path);
  std::getline(lines, kind);
  std::getline(lines, mode);
  cr_expect(kind == "tmpfs");
  cr_expect(mode == "700");
  cr_expect(!std::filesystem::exists(path));
  cr_expect(!std::filesystem::exists(std::filesystem::path(path).parent_path()));
  std::filesystem::remove_all(folder);
}
