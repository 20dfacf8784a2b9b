// One section for each step of a backup's life, each a function of the row and the world. Whether
// an object counts is the row's to say: it is written first, and an object without one is taken
// back.
#include "reconcilers/backups/backup.h"

#include "controller/backup/backup_file.h"
#include "controller/backup/content.h"
#include "controller/backup/restore_backup.h"
#include "controller/base/cron.h"
#include "controller/base/version.h"
#include "controller/ports/clock.h"
#include "controller/ports/home_copies.h"
#include "controller/ports/pings.h"
#include "controller/secrets/secret_value.h"
#include "reconcilers/backups/store_address.h"

#include <fmt/format.h>

#include <limits>
#include <set>

namespace rowlock {

namespace {

constexpr std::int64_t kWheneverBegun = std::numeric_limits<std::int64_t>::max();

Error stopping(const std::string& attempt) {
  return {Fault::transient, Cause::other, attempt + ": Rowlock is stopping", ""};
}

// What getting into the store takes, and what else a step has use for.
struct BackupParcel final : Parcel {
  StoreKeys store;
  std::shared_ptr<const SecretBytes> database;  // To make one: the password of its database,
  std::shared_ptr<const SecretBytes> scratch;   // to verify one: that of the server to do so on,
  std::shared_ptr<const SecretBytes> identity;  // and what opens it. Null: it is in a file.
};

Packed pack_run(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  auto parcel = std::make_shared<BackupParcel>();
  parcel->store = TRY(store_keys(secrets, *step.input, now_ms));
  parcel->database = TRY(secret_of(secrets, *step.input, "database", now_ms));
  return {std::move(parcel)};
}

Packed pack_verify(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  auto parcel = std::make_shared<BackupParcel>();
  parcel->store = TRY(store_keys(secrets, *step.input, now_ms));
  parcel->identity = TRY(secret_of(secrets, *step.input, "identity", now_ms));
  parcel->scratch = TRY(secret_of(secrets, *step.input, "scratch", now_ms));
  return {std::move(parcel)};
}

Packed pack_store(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  auto parcel = std::make_shared<BackupParcel>();
  parcel->store = TRY(store_keys(secrets, *step.input, now_ms));
  return {std::move(parcel)};
}

// A long run of one policy holds up no other, and none that is restored.
std::string lane(const Step& step) {
  return "backup/" + step.input->text("policy") + "/" + step.step;
}

std::shared_ptr<ObjectStore> store_of(const Step& step, World& world) {
  return store_of(*step.input, step.parcel_as<BackupParcel>().store, world);
}

PostgresAddress database_of(const Step& step) {
  return {step.input->text("database_url"), step.parcel_as<BackupParcel>().database};
}

// Where a backup is restored to see.
PostgresAddress scratch_of(const Step& step) {
  return {step.input->text("scratch_url"), step.parcel_as<BackupParcel>().scratch};
}

std::vector<std::string> recipients_of(const Row& input) {
  std::vector<std::string> recipients;
  const auto parsed = Json::parse(input.text("recipients"));
  for (const Json& each : parsed.ok() ? parsed.value().items() : std::vector<Json>{}) {
    recipients.push_back(each.as_string());
  }
  return recipients;
}

int jobs_of(const Row& input) { return static_cast<int>(input.integer("jobs")); }

// The day in the zone of the policy: what is kept is counted by days there.
std::string day_of(const Row& input, std::int64_t at_ms) {
  const auto zone = TimeZone::load(input.text("time_zone"));
  return zone.ok() ? zone.value().local_date(at_ms)
                   : TimeZone::load("UTC").value().local_date(at_ms);
}

BackupHeader header_of(const Row& input, std::int64_t now_ms) {
  BackupHeader header;
  header.id = input.text("name");
  header.home = input.text("home");
  header.policy = input.text("policy");
  header.kind = input.text("kind");
  header.source = input.text("source");
  header.reason = input.text("reason");
  header.rowlock = version();
  header.started_at_ms = now_ms;
  return header;
}

BackupObject object_of(const Row& input) {
  return {input.text("object"), input.text("name"), input.text("home"), input.text("sha256")};
}

// ---- A backup is made ---------------------------------------------------------------------------

Result<Json> write_content(const Step& step, World& world, MemberWriter& members,
                           const TellWait& waits) {
  const Row& input = *step.input;
  if (input.text("kind") == "home") {
    TRY(world.home_copies().copy(members, world.ending()));
    return Json::object({});
  }
  const auto dumped =
      TRY(world.dumps().dump(database_of(step), jobs_of(input), members, world.ending(), waits));
  return json_of(dumped);
}

// The object is completed last: it is seen once every stage before it has ended well.
Outcome run(const Step& step, World& world) {
  const Row& input = *step.input;
  const std::int64_t taken_at_ms = world.clock().wall_ms();
  const auto store = store_of(step, world);
  const auto upload = TRY(store->upload(input.text("object")));
  Upload& out = *upload;
  const TellProgress progress = step.teller();
  std::int64_t sent = 0;
  const auto file = TRY(BackupFileWriter::begin(
      recipients_of(input), header_of(input, taken_at_ms),
      [&](std::string_view bytes) -> Result<> {
        if (world.ending()) return stopping("upload the backup");
        sent += static_cast<std::int64_t>(bytes.size());
        if (progress) progress("dumping", sent, 0);
        return out.write(bytes);
      },
      jobs_of(input) > 1));
  const auto content = TRY(write_content(step, world, *file, [&progress](const std::string& why) {
    if (progress) progress(why, 0, 0);
  }));
  TRY(file->finish(content));
  if (progress) progress("reading back", 0, 0);
  TRY(out.finish());
  return Outcome::done({{"taken_at_ms", taken_at_ms},
                        {"taken_on", day_of(input, taken_at_ms)},
                        {"size_bytes", file->bytes()},
                        {"dump_bytes", file->plain_bytes()},
                        {"sha256", file->sha256()},
                        {"content", content.text()}});
}

// ---- An object is found again after a crash -----------------------------------------------------

// What is not there whole is taken back. Its key is its alone, so that all uploads of it go: when
// one was begun is said by the store's clock, which may be ahead of this one.
Outcome settle(const Step& step, World& world) {
  const Row& input = *step.input;
  const std::string object = input.text("object");
  const auto store = store_of(step, world);
  TRY(store->abort_uploads(object, kWheneverBegun));
  const auto found = TRY(store->look(object));
  const bool is_there = found.has_value();
  return Outcome::done({{"is_there", std::int64_t{is_there}},
                        {"taken_on", day_of(input, is_there ? found->stored_at_ms : 0)},
                        {"size_bytes", is_there ? found->size_bytes : 0}});
}

// ---- A backup is restored and compared ----------------------------------------------------------

// As PostgreSQL and people write it.
const std::set<std::string> kTrueAnswers = {"t", "true", "1"};

Result<> expect_assertions(const Step& step, World& world, const PostgresAddress& made) {
  const auto assertions = Json::parse(step.input->text("assertions"));
  for (const Json& each : assertions.ok() ? assertions.value().items() : std::vector<Json>{}) {
    const auto answer = TRY(world.dumps().ask(made, each["query"].as_string()));
    if (!kTrueAnswers.contains(answer)) {
      return Error{Fault::rejected, Cause::unmet,
                   fmt::format("assertion {} is not true of what was restored: it answers '{}'",
                               each["name"].as_string(), answer),
                   ""};
    }
  }
  return Done{};
}

// Where one is restored to see, as long as this is there: the server that its policy names, or one
// of our own.
struct Bench {
  std::unique_ptr<ScratchServer> own;  // Null: it is somebody's.
  RestoreOrder order;
};

Result<Bench> bench_for(const Step& step, World& world, const CheckedBackup& checked) {
  const Row& input = *step.input;
  Bench bench;
  bench.order.database = input.text("scratch");
  bench.order.server = scratch_of(step);
  if (!bench.order.server.url.empty()) {
    // What a try left that was cut off.
    TRY(world.dumps().drop(bench.order.server, bench.order.database));
    return bench;
  }
  if (const TellProgress progress = step.teller()) progress("starting a server", 0, 0);
  const auto facts = TRY(dump_facts_of(checked.manifest.content));
  ScratchOrder order;
  order.folder = input.text("verify_folder");
  order.home = input.text("home");
  order.name = step.target;
  order.major = std::atoi(facts.content.server_version.c_str());
  bench.own = TRY(world.dumps().scratch(order, world.ending()));
  bench.order.server = bench.own->address();
  bench.order.bytes_max = input.integer("verify_mb") * 1'000'000;
  return bench;
}

// How long it took, and what of it could not be restored.
struct Tried {
  std::int64_t took_ms = 0;
  std::vector<LeftOut> left_out = {};
};

Result<Tried> try_database(const Step& step, World& world, ObjectStore& store,
                           const CheckedBackup& checked, const SecretBytes& identities) {
  auto bench = TRY(bench_for(step, world, checked));
  RestoreOrder& order = bench.order;
  order.known = names_in(step.input->text("exceptions"));
  order.keeps_going = !order.known.empty();
  auto restored = restore_backup(store, object_of(*step.input), checked, identities, world.dumps(),
                                 order, world.ending(), step.teller());
  if (!restored.ok()) {
    Error error = restored.error();
    if (bench.own != nullptr && error.hint.empty()) {
      error.hint =
          "if this machine lacks what it needs, such as an extension, name the server that "
          "has it in backup_policy.verify_database";
    }
    return error;
  }
  const auto asserted = expect_assertions(step, world, with_database(order.server, order.database));
  const Result<> dropped =
      bench.own != nullptr ? Result<>(Done{}) : world.dumps().drop(order.server, order.database);
  TRY(asserted);
  TRY(dropped);
  return Tried{restored.value().took_ms, restored.value().left_out};
}

Result<Tried> try_home(const Step& step, World& world, ObjectStore& store,
                       const SecretBytes& identities) {
  const std::int64_t began_at_ms = world.clock().now_ms();
  if (const TellProgress progress = step.teller()) progress("unpacking", 0, 0);
  const auto file = TRY(BackupFileReader::open(
      identities, object_source(store, step.input->text("object"), world.ending())));
  TRY(world.home_copies().try_out(*file));
  return Tried{world.clock().now_ms() - began_at_ms};
}

Result<Values> verified(const Step& step, World& world) {
  const Row& input = *step.input;
  const auto identities = TRY(identities_of(input, step.parcel_as<BackupParcel>().identity));
  const auto store = store_of(step, world);
  const auto checked =
      TRY(check_backup(*store, object_of(input), identities, world.ending(), step.teller()));
  const auto tried =
      TRY(input.text("kind") == "home" ? try_home(step, world, *store, identities)
                                       : try_database(step, world, *store, checked, identities));
  const auto openers = TRY(opened_by(*store, input.text("object"), identities));
  std::vector<Json> recipients;
  for (const std::string& each : openers) recipients.push_back(Json::string(each));
  return Values{{"restore_ms", tried.took_ms},
                {"opened_by", Json::array(std::move(recipients)).text()},
                {"left_out", json_of(tried.left_out)},
                {"sha256", checked.sha256},
                {"content", checked.manifest.content.text()},
                {"taken_at_ms", checked.manifest.header.started_at_ms}};
}

// What it shows of the backup is told apart from what came in between.
Outcome verify(const Step& step, World& world) {
  const auto values = verified(step, world);
  if (values.ok()) return Outcome::done(values.value());
  Outcome outcome = values.error();
  if (values.error().cause == Cause::corrupt) outcome.result = "bad";
  if (values.error().cause == Cause::unmet) outcome.result = "unmet";
  return outcome;
}

// ---- Deleted

Outcome expire(const Step& step, World& world) {
  return store_of(step, world)->remove(step.input->text("object"));
}

// ---- When the next one is due

std::string lane_of_schedules(const Step&) { return "backup_schedule"; }

Result<std::optional<std::int64_t>> next_of(const std::string& schedule, const TimeZone& zone,
                                            std::int64_t after_ms) {
  const auto cron = TRY(Cron::parse(schedule));
  return cron.next(after_ms, zone);
}

Outcome schedule(const Step& step, World&) {
  const Row& input = *step.input;
  const std::int64_t after_ms = input.integer("after_ms");
  const auto zone = TRY(TimeZone::load(input.text("time_zone")));
  const auto next = TRY(next_of(input.text("schedule"), zone, after_ms));
  Value verify_next;
  if (input.text("verify_schedule") != "each") {
    const auto at = TRY(next_of(input.text("verify_schedule"), zone, after_ms));
    if (at.has_value()) verify_next = *at;
  }
  if (!next.has_value()) {
    return Error{Fault::rejected, Cause::other,
                 "schedule '" + input.text("schedule") + "' is never due", ""};
  }
  return Outcome::done({{"next_at_ms", *next},
                        {"next_text", zone.local_text(*next)},
                        {"verify_next_at_ms", verify_next}});
}

// ---- Who watches from elsewhere

std::string lane_of_pings(const Step&) { return "backup_ping"; }

Outcome send(const Step& step, World& world) { return world.pings().ping(step.input->text("url")); }

}  // namespace

std::vector<Hand> backup_hands(Secrets& secrets) {
  const auto with = [&secrets](auto pack) { return std::bind_front(pack, std::ref(secrets)); };
  return {
      {.step = "run", .lane = lane, .make = run, .pack = with(pack_run), .tells_progress = true},
      {.step = "settle", .lane = lane, .make = settle, .pack = with(pack_store)},
      {.step = "verify",
       .lane = lane,
       .make = verify,
       .pack = with(pack_verify),
       .tells_progress = true},
      {.step = "expire", .lane = lane, .make = expire, .pack = with(pack_store)},
  };
}

std::vector<Hand> backup_schedule_hands() {
  return {{.step = "schedule", .lane = lane_of_schedules, .make = schedule}};
}

std::vector<Hand> backup_ping_hands() {
  return {{.step = "send", .lane = lane_of_pings, .make = send}};
}

}  // namespace rowlock
