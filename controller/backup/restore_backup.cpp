// Two errors must never be taken for each other: the store cannot be read now (try again), and the
// object is damaged (say so, for good). Watched and is_as_stored() tell them apart.
#include "controller/backup/restore_backup.h"

#include "controller/backup/content.h"
#include "controller/backup/room.h"
#include "controller/base/percent.h"
#include "controller/crypto/age.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/sha256.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

namespace rowlock {

namespace {

constexpr std::int64_t kBlockBytes = 2 * 1024 * 1024;

Error corrupt(const std::string& object, const std::string& what) {
  return Error{Fault::rejected, Cause::corrupt, fmt::format("{}: {}", object, what),
               "it is no backup: restore another one"};
}

// What differs between a backup and what it is said to be.
std::string other_than(const BackupObject& object, const CheckedBackup& found) {
  const BackupHeader& header = found.manifest.header;
  if (!object.sha256.empty() && object.sha256 != found.sha256) {
    return "its SHA-256 is not the one of what was stored";
  }
  if (!object.id.empty() && object.id != header.id) {
    return fmt::format("it is the backup {}, not {}", header.id, object.id);
  }
  if (!object.home.empty() && object.home != header.home) {
    return fmt::format("it was made by the home {}, not by {}", header.home, object.home);
  }
  return "";
}

// A source whose errors are remembered, so that what is wrong with the store can be told from what
// is wrong with the object.
struct Watched {
  Sha256 hash;
  std::int64_t bytes = 0;
  bool has_failed = false;
};

Source watched(Source from, const std::shared_ptr<Watched>& watch, std::int64_t all,
               const std::string& phase, const TellProgress& progress) {
  return [from = std::move(from), watch, all, phase, progress]() -> Result<std::string> {
    auto block = from();
    if (!block.ok()) {
      watch->has_failed = true;
      return block;
    }
    watch->hash.add(block.value());
    watch->bytes += static_cast<std::int64_t>(block.value().size());
    if (progress) progress(phase, watch->bytes, all);
    return block;
  };
}

// Whether an object that cannot be opened is still the one that was stored, read to its end.
Result<bool> is_as_stored(ObjectStore& store, const BackupObject& object,
                          const std::atomic<bool>& ending) {
  Sha256 hash;
  const Source source = object_source(store, object.key, ending);
  while (true) {
    const auto block = TRY(source());
    if (block.empty()) return to_hex(hash.finish()) == object.sha256;
    hash.add(block);
  }
}

// Goes to the member of that name; what lies before it is read and dropped.
Result<> go_to(BackupFileReader& file, const std::string& member) {
  while (true) {
    const auto next = TRY(file.next());
    if (next == member) return Done{};
    if (next.empty()) {
      return Error{Fault::rejected, Cause::corrupt, "it has no member " + member, ""};
    }
  }
}

// What its server cannot hold must not be begun: it would go down, and all that is on it.
Result<> expect_room(const CheckedBackup& checked, DatabaseDumps& dumps,
                     const RestoreOrder& order) {
  auto room = TRY(dumps.room(order.server));
  if (!room.has_value()) return Done{};
  if (order.bytes_max > 0) room->data_bytes = std::min(room->data_bytes, order.bytes_max);
  const std::string lack = lack_of_room(*room, checked.manifest.content["size_bytes"].as_integer());
  if (lack.empty()) return Done{};
  return Error{Fault::transient, Cause::other, "restore: " + lack,
               order.bytes_max > 0 ? "raise backup_limit.verify_mb, or name a server in "
                                     "backup_policy.verify_database"
                                   : "make room, or use another server (to verify backups: "
                                     "backup_policy.verify_database)"};
}

// What is left of the file, from the member on that it is at.
DumpSource dump_of(BackupFileReader& file, std::string member) {
  return [&file, member = std::move(member)]() mutable -> Result<DumpPiece> {
    while (!member.empty()) {
      auto bytes = TRY(file.read());
      if (!bytes.empty()) return DumpPiece{member, std::move(bytes)};
      member = TRY(file.next());
    }
    return DumpPiece{};
  };
}

Result<std::string> whole_member(BackupFileReader& file) {
  std::string text;
  while (true) {
    const auto part = TRY(file.read());
    if (part.empty()) return text;
    text += part;
  }
}

Result<> compare(const CheckedBackup& checked, DatabaseDumps& dumps, const RestoreOrder& order,
                 const std::vector<LeftOut>& left_out, const std::string& key,
                 const std::atomic<bool>& ending) {
  const auto dumped = dump_facts_of(checked.manifest.content);
  if (!dumped.ok()) return corrupt(key, dumped.error().message);
  const auto found = TRY(dumps.facts(with_database(order.server, order.database), ending));
  // That says nothing about the backup: by another server or another Rowlock it may be equal.
  if (dumped.value().content.hash_method != found.hash_method) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("{}: its hashes were taken by {}, and here they are taken by {}", key,
                             dumped.value().content.hash_method, found.hash_method),
                 "compare it with the Rowlock that made it"};
  }
  const bool has_rows =
      order.sections.empty() ||
      std::find(order.sections.begin(), order.sections.end(), "data") != order.sections.end();
  const std::string differs = difference(without(dumped.value().content, left_out, has_rows),
                                         without(found, left_out, has_rows));
  if (!differs.empty()) return corrupt(key, "what was restored is not what was dumped: " + differs);
  return Done{};
}

}  // namespace

std::vector<std::string> names_in(const std::string& json) {
  std::vector<std::string> names;
  const auto parsed = Json::parse(json);
  for (const Json& each : parsed.ok() ? parsed.value().items() : std::vector<Json>{}) {
    names.push_back(each.as_string());
  }
  return names;
}

std::string json_of(const std::vector<LeftOut>& left_out) {
  std::vector<Json> list;
  for (const LeftOut& each : left_out) {
    list.push_back(Json::object({{"object", Json::string(each.object())},
                                 {"reason", Json::string(each.reason)},
                                 {"known_as", Json::string(each.known_as)}}));
  }
  return Json::array(std::move(list)).text();
}

Source object_source(ObjectStore& store, const std::string& key, const std::atomic<bool>& ending) {
  auto offset = std::make_shared<std::int64_t>(0);
  return [&store, key, &ending, offset]() -> Result<std::string> {
    if (ending) {
      return Error{Fault::transient, Cause::other, "read " + key + ": Rowlock is stopping", ""};
    }
    auto block = store.read(key, *offset, kBlockBytes);
    if (block.ok()) *offset += static_cast<std::int64_t>(block.value().size());
    return block;
  };
}

Result<> expect_no_database(DatabaseDumps& dumps, const PostgresAddress& server,
                            const std::string& database) {
  const auto listed = TRY(dumps.list(server));
  for (const ServerDatabase& each : listed) {
    if (each.name == database) {
      return Error{Fault::rejected, Cause::other,
                   fmt::format("the server has a database {} already", database),
                   "restore into another name, or say that this one is to be put aside"};
    }
  }
  return Done{};
}

PostgresAddress with_database(const PostgresAddress& server, const std::string& database) {
  const std::size_t host = server.url.find("://") + 3;
  const std::size_t query = std::min(server.url.find('?', host), server.url.size());
  const std::size_t path = std::min(server.url.find('/', host), query);
  return {server.url.substr(0, path) + "/" + percent_encoded(database) + server.url.substr(query),
          server.password};
}

Result<CheckedBackup> check_backup(ObjectStore& store, const BackupObject& object,
                                   const SecretBytes& identities, const std::atomic<bool>& ending,
                                   const TellProgress& progress) {
  const auto there = TRY(store.look(object.key));
  if (!there.has_value()) {
    return corrupt(object.key, "it is not in its store any more");
  }
  CheckedBackup checked;
  checked.size_bytes = there->size_bytes;
  auto watch = std::make_shared<Watched>();
  auto manifest =
      check_backup_file(identities, watched(object_source(store, object.key, ending), watch,
                                            checked.size_bytes, "checking", progress));
  if (!manifest.ok()) {
    if (watch->has_failed) return manifest.error();
    // What these identities do not open may be damaged, or it is they that are wrong.
    if (manifest.error().cause == Cause::denied) {
      const auto as_stored =
          TRY(object.sha256.empty() ? Result<bool>(true) : is_as_stored(store, object, ending));
      if (as_stored) return manifest.error();
    }
    return corrupt(object.key, manifest.error().message);
  }
  checked.manifest = std::move(manifest).value();
  checked.sha256 = to_hex(watch->hash.finish());
  const std::string differs = other_than(object, checked);
  if (!differs.empty()) return corrupt(object.key, differs);
  return checked;
}

Result<std::vector<std::string>> opened_by(ObjectStore& store, const std::string& key,
                                           const SecretBytes& identities) {
  constexpr std::int64_t kHeaderBytes = 64 * 1024;
  const auto header = TRY(store.read(key, 0, kHeaderBytes));
  return age_opened_by(identities, header);
}

Result<RestoredBackup> restore_backup(ObjectStore& store, const BackupObject& object,
                                      const CheckedBackup& checked, const SecretBytes& identities,
                                      DatabaseDumps& dumps, const RestoreOrder& order,
                                      const std::atomic<bool>& ending,
                                      const TellProgress& progress) {
  const auto began = std::chrono::steady_clock::now();
  TRY(expect_room(checked, dumps, order));
  auto watch = std::make_shared<Watched>();
  const auto file = TRY(
      BackupFileReader::open(identities, watched(object_source(store, object.key, ending), watch,
                                                 checked.size_bytes, "restoring", progress)));
  BackupFileReader& reader = *file;
  if (reader.header().id != checked.manifest.header.id) {
    return corrupt(object.key, "it has changed since it was checked");
  }
  TRY(go_to(reader, "globals.sql"));
  const auto globals = TRY(whole_member(reader));
  auto member = TRY(reader.next());
  if (member.empty()) return corrupt(object.key, "it has no dump");
  const auto restored = dumps.restore(order, globals, dump_of(reader, std::move(member)), ending);
  if (!restored.ok()) {
    Error error = restored.error();
    if (error.cause == Cause::exists) error.fault = Fault::transient;
    return error;
  }
  std::vector<LeftOut> left_out = restored.value().left_out;
  if (progress) progress("comparing", 0, 0);
  auto compared = compare(checked, dumps, order, left_out, object.key, ending);
  if (!compared.ok()) {
    (void)dumps.drop(order.server, order.database).ok();  // The error that counts is the first.
    return compared.error();
  }
  std::erase_if(left_out, [](const LeftOut& each) { return each.is_beside_it; });
  return RestoredBackup{std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::steady_clock::now() - began)
                            .count(),
                        std::move(left_out)};
}

}  // namespace rowlock
