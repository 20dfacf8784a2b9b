// A header or a manifest that was read is written as one that reads as the same, and so is what a
// database held.
#include "controller/backup/backup_manifest.h"
#include "controller/backup/content.h"
#include "controller/base/check.h"
#include "tests/fuzz/targets.h"

namespace rowlock {

void fuzz_manifest(std::string_view bytes) {
  const auto header = read_header(bytes);
  if (header.ok()) {
    const auto again = read_header(text_of(header.value()));
    CHECK(again.ok() && again.value() == header.value());
    CHECK(!restore_text(header.value()).empty());
  }
  const auto manifest = read_manifest(bytes);
  if (!manifest.ok()) return;
  const auto again = read_manifest(text_of(manifest.value()));
  CHECK(again.ok() && again.value().header == manifest.value().header);
  CHECK(again.value().members == manifest.value().members);

  const auto facts = dump_facts_of(manifest.value().content);
  if (!facts.ok()) return;
  const auto same = dump_facts_of(json_of(facts.value()));
  CHECK(same.ok());
  CHECK(json_of(same.value()).text() == json_of(facts.value()).text());
  (void)difference(facts.value().content, same.value().content);
}

}  // namespace rowlock
