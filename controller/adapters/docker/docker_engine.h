// One engine, asked in its own API version, whose complaints come back as errors that somebody can
// act on. https://docs.docker.com/reference/api/engine/
#pragma once

#include "controller/adapters/docker/docker_http.h"
#include "controller/base/json.h"
#include "controller/base/result.h"

#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

namespace rowlock {

class DockerEngine {
 public:
  // `look_ms` bounds the question for the version.
  DockerEngine(std::string endpoint, std::int64_t look_ms);

  // Sends the request (its path without the version). `attempt` says what is being done and on
  // what, "start web-1", and opens every error's message. An answer that is neither 2xx, 304 nor
  // `expected` comes back as an error.
  Result<DockerAnswer> call(std::string_view attempt, DockerRequest request,
                            std::initializer_list<int> expected = {});

 private:
  Result<std::string> api_version();

  DockerHttp http_;
  std::int64_t look_ms_;
  std::mutex mutex_;
  std::string api_version_;  // Guarded by mutex_. Empty: to be negotiated, because the engine may
                             // be another one now.
};

// The body as JSON; what is not JSON did not come from an engine, or came in pieces.
Result<Json> answer_json(std::string_view attempt, const DockerAnswer& answer);

// The engine's own words in an answer that is an error.
std::string engine_words(const DockerAnswer& answer);

// What the engine's words mean, by the table in docker_engine.cpp; by the HTTP status where the
// table is silent.
Error engine_error(std::string_view attempt, int status, const std::string& words);

}  // namespace rowlock
