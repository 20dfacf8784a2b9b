// What reads bytes from outside, each as a function that takes any bytes at all. It stops the
// program, by CHECK or a sanitizer, when reading them does harm or when what was read breaks what
// its reader promises; it returns otherwise. The same bytes always do the same.
//
// `make fuzz` gives each to libFuzzer (fuzz_main.cpp); fuzz_test.cpp runs all of them on their
// seeds, tests/fuzz/seeds/NAME/, and on a few thousand changes of those.
#pragma once

#include <span>
#include <string_view>
#include <utility>

namespace rowlock {

struct FuzzTarget {
  std::string_view name;
  void (*run)(std::string_view bytes);
  int tries;  // How many changed seeds the ordinary tests run: fewer where one takes long.
};

std::span<const FuzzTarget> fuzz_targets();

// The first line without its end, and all that follows it.
std::pair<std::string_view, std::string_view> first_line(std::string_view bytes);

void fuzz_age(std::string_view bytes);
void fuzz_backup(std::string_view bytes);
void fuzz_bech32(std::string_view bytes);
void fuzz_claims(std::string_view bytes);
void fuzz_cron(std::string_view bytes);
void fuzz_docker_answer(std::string_view bytes);
void fuzz_docker_image(std::string_view bytes);
void fuzz_docker_stream(std::string_view bytes);
void fuzz_dotenv(std::string_view bytes);
void fuzz_encoding(std::string_view bytes);
void fuzz_haproxy(std::string_view bytes);
void fuzz_http(std::string_view bytes);
void fuzz_json(std::string_view bytes);
void fuzz_jwk(std::string_view bytes);
void fuzz_jwt(std::string_view bytes);
void fuzz_manifest(std::string_view bytes);
void fuzz_object_key(std::string_view bytes);
void fuzz_pem(std::string_view bytes);
void fuzz_percent(std::string_view bytes);
void fuzz_shamir(std::string_view bytes);
void fuzz_sql(std::string_view bytes);
void fuzz_tar(std::string_view bytes);
void fuzz_text(std::string_view bytes);
void fuzz_time(std::string_view bytes);
void fuzz_xml(std::string_view bytes);
void fuzz_zstd(std::string_view bytes);

}  // namespace rowlock
