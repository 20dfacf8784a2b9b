// What an image is called, and with which password a registry gives it out.
#pragma once

#include <string>

namespace rowlock {

// registry.example:5000/team/web:2@sha256:… taken apart as the engine's pull wants it.
struct ImageReference {
  std::string name;  // With the registry.
  std::string tag;  // The digest where there is one, which is more precise; "latest" where there is
                    // nothing.
  std::string registry;  // docker.io unless named.
};

ImageReference image_reference(const std::string& image);

// The value of the header X-Registry-Auth for that registry, from `auths` in the docker command
// line's own file
// ($DOCKER_CONFIG or ~/.docker, config.json); empty when it holds none. Credential helpers are not
// supported: they are other programs to run, and the daemon's user rarely has a desktop's key ring.
std::string registry_auth(const std::string& registry);

}  // namespace rowlock
