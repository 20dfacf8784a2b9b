// The list of all, for the ordinary tests. libFuzzer's programs do without it.
#include "tests/fuzz/targets.h"

#include <array>

namespace rowlock {

std::span<const FuzzTarget> fuzz_targets() {
  static constexpr std::array kTargets = {
      FuzzTarget{"age", &fuzz_age, 1000},
      FuzzTarget{"backup", &fuzz_backup, 300},
      FuzzTarget{"bech32", &fuzz_bech32, 4000},
      FuzzTarget{"claims", &fuzz_claims, 4000},
      FuzzTarget{"cron", &fuzz_cron, 2000},
      FuzzTarget{"docker_answer", &fuzz_docker_answer, 4000},
      FuzzTarget{"docker_image", &fuzz_docker_image, 4000},
      FuzzTarget{"docker_stream", &fuzz_docker_stream, 4000},
      FuzzTarget{"dotenv", &fuzz_dotenv, 4000},
      FuzzTarget{"encoding", &fuzz_encoding, 4000},
      FuzzTarget{"haproxy", &fuzz_haproxy, 4000},
      FuzzTarget{"http", &fuzz_http, 1000},
      FuzzTarget{"json", &fuzz_json, 4000},
      FuzzTarget{"jwk", &fuzz_jwk, 2000},
      FuzzTarget{"jwt", &fuzz_jwt, 4000},
      FuzzTarget{"manifest", &fuzz_manifest, 4000},
      FuzzTarget{"object_key", &fuzz_object_key, 4000},
      FuzzTarget{"pem", &fuzz_pem, 1000},
      FuzzTarget{"percent", &fuzz_percent, 4000},
      FuzzTarget{"shamir", &fuzz_shamir, 1000},
      FuzzTarget{"sql", &fuzz_sql, 2000},
      FuzzTarget{"tar", &fuzz_tar, 1000},
      FuzzTarget{"text", &fuzz_text, 4000},
      FuzzTarget{"time", &fuzz_time, 4000},
      FuzzTarget{"xml", &fuzz_xml, 4000},
      FuzzTarget{"zstd", &fuzz_zstd, 1000},
  };
  return kTargets;
}

}  // namespace rowlock
