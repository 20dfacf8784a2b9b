// Nothing is written here: a segment is made and signed, and comes in with the script that takes
// its lines away.
#include "reconcilers/secrets/audit_segment.h"

#include "controller/secrets/audit_segment.h"

namespace rowlock {
namespace {

// The key of the audit log.
struct AuditKey final : Parcel {
  explicit AuditKey(SecretBytes copied) : bytes(std::move(copied)) {}
  SecretBytes bytes;
};

std::string lane(const Step&) { return "audit"; }

Packed take_key(Secrets& secrets) {
  if (!secrets.keyring.is_open()) return secrets.keyring.closed_error();
  std::shared_ptr<const Parcel> key =
      std::make_shared<const AuditKey>(secrets.keyring.newest("audit").bytes.copy());
  return key;
}

Outcome rotate(const Step& step, const std::string& state_path, const Schema& schema) {
  const Row& input = *step.input;
  const SecretBytes& key = step.parcel_as<AuditKey>().bytes;
  Database state = TRY(Database::open(state_path, Database::Mode::read_only));
  const AuditPlace after{input.integer("number"), input.integer("last_seq"), input.text("hash"),
                         input.text("mac")};
  Values values = TRY(next_audit_segment(state, schema, key, after, input.integer("lines")));
  const std::string mac = text_of(values.back().second);
  values.emplace_back("first_number", input.integer("first_number"));
  values.emplace_back("archive_mac",
                      mac_of_archive(key, input.integer("first_number"), after.number + 1, mac));
  return Outcome::done(std::move(values));
}

Outcome drop(const Step& step) {
  const Row& input = *step.input;
  const std::int64_t first = input.integer("first_number") + 1;
  return Outcome::done(
      {{"first_number", first},
       {"archive_mac", mac_of_archive(step.parcel_as<AuditKey>().bytes, first,
                                      input.integer("number"), input.text("mac"))}});
}

}  // namespace

std::vector<Hand> audit_segment_hands(Secrets& secrets, const std::string& state_path,
                                      const Schema& schema) {
  const auto pack = [&secrets](const Step&, std::int64_t) { return take_key(secrets); };
  return {{.step = "rotate",
           .lane = lane,
           .make = [state_path, &schema](const Step& step,
                                         World&) { return rotate(step, state_path, schema); },
           .pack = pack},
          {.step = "drop",
           .lane = lane,
           .make = [](const Step& step, World&) { return drop(step); },
           .pack = pack}};
}

}  // namespace rowlock
