// What an image is called: the rules of the docker command line, which its users expect here too.
#pragma once

#include <string>

namespace rowlock {

// registry.example:5000/team/web:2@sha256:… taken apart as the engine's pull wants it.
struct ImageReference {
  std::string name;  // With the registry.
  std::string tag;  // The digest where there is one, which is more precise; "latest" where there is
                    // nothing.
  std::string registry;  // docker.io unless named.

  // No tag has a colon in it, and every digest has: sha256:…, sha512:…
  bool has_digest() const { return tag.find(':') != std::string::npos; }
  std::string text() const { return name + (has_digest() ? "@" : ":") + tag; }
};

ImageReference image_reference(const std::string& image);

// The same image in a mirror of its registry, host[:port][/path].
ImageReference mirrored(const ImageReference& image, const std::string& mirror);

// Whether both names are of one repository: "nginx" is docker.io/library/nginx.
bool is_same_repository(const std::string& left, const std::string& right);

}  // namespace rowlock
