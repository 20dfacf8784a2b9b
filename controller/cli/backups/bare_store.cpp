// Without a home there are no rows: which policy a backup is of and when it was made is read from
// its name.
#include "controller/cli/backups/bare_store.h"

#include "controller/adapters/object_stores.h"
#include "controller/secrets/private_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace rowlock {

namespace {

constexpr std::string_view kEnding = ".tar.zst.age";

Error rejected(std::string message, std::string hint) {
  return {Fault::rejected, Cause::not_found, std::move(message), std::move(hint)};
}

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

// A path without file:// is a file or a folder here.
std::string url_of(const std::string& from) {
  if (from.find("://") != std::string::npos) {
    return from;
  }
  return "file://" + std::filesystem::absolute(from).lexically_normal().string();
}

// "2026-11-25 14:00" as 20261125T1400; what is no digit is left out.
std::string as_stamp(const std::string& moment) {
  std::string digits;
  for (const char c : moment) {
    if (c >= '0' && c <= '9') digits += c;
  }
  return digits.size() > 8 ? digits.substr(0, 8) + "T" + digits.substr(8) : digits;
}

}  // namespace

void add_bare_store(const Verb& verb, BareStoreOptions& said) {
  verb.option("--from", said.from,
              "a store or one backup in it, without a home: file:///FOLDER, s3://BUCKET/…; "
              "S3 takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY from the environment")
      .type("URL");
  verb.option("--identity", said.identity, "the age identities that open it").type("FILE");
  verb.option("--endpoint", said.endpoint, "of S3, when it is not AWS").type("URL");
  verb.option("--region", said.region, "of S3 (default us-east-1)");
  verb.flag("--virtual-host", said.is_virtual_style, "of S3: the bucket in the host's name");
  verb.option("--ca-file", said.ca_file, "of S3: a PEM file of authorities to trust").type("FILE");
}

std::string shell_word(const std::string& text) {
  const bool is_plain = !text.empty() && text.find_first_not_of(
                                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789_-./:@%+=,") == std::string::npos;
  if (is_plain) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

std::string words_of(const BareStoreOptions& store) {
  std::string words = "--from " + shell_word(store.from);
  if (!store.endpoint.empty()) words += " --endpoint " + shell_word(store.endpoint);
  if (store.from.starts_with("s3:")) words += " --region " + shell_word(store.region);
  if (store.is_virtual_style && store.from.starts_with("s3:")) words += " --virtual-host";
  if (!store.ca_file.empty()) words += " --ca-file " + shell_word(store.ca_file);
  return words;
}

// A name ends in -STAMP-NUMBER.
std::string stamp_of(const std::string& name) {
  const std::size_t number = name.rfind('-');
  const std::size_t stamp = number == std::string::npos ? number : name.rfind('-', number - 1);
  return stamp == std::string::npos ? "" : name.substr(stamp + 1, number - stamp - 1);
}

// Its key is HOME/POLICY/NAME.tar.zst.age, or what is left of that below the URL.
std::optional<FoundBackup> backup_in(const StoredObject& object) {
  if (!object.key.ends_with(kEnding)) return std::nullopt;
  FoundBackup found;
  found.key = object.key;
  found.size_bytes = object.size_bytes;
  const std::size_t file = object.key.rfind('/') + 1;  // 0 when there is none.
  found.name = object.key.substr(file, object.key.size() - file - kEnding.size());
  found.stamp = stamp_of(found.name);
  found.policy = found.name.substr(
      0, found.name.size() > found.stamp.size() ? found.name.find("-" + found.stamp) : 0);
  const std::string above = "/" + found.policy + "/";
  if (file > above.size() && object.key.compare(file - above.size(), above.size(), above) == 0) {
    found.home = object.key.substr(0, file - above.size());
  }
  return found;
}

Result<SecretBytes> identities_in(const std::string& file) {
  if (file.empty()) {
    return rejected("say which age identity opens it", "--identity FILE");
  }
  auto read = read_identity_file(file);
  if (!read.ok()) {
    Error error = read.error();
    error.message = "the identity: " + error.message;
    if (error.hint.empty()) error.hint = "correct --identity";
    return error;
  }
  return read;
}

Result<BareStore> open_bare_store(const BareStoreOptions& options,
                                  const std::atomic<bool>& ending) {
  if (options.from.empty()) {
    return rejected("say where the backups are", "--from file:///FOLDER or --from s3://BUCKET");
  }
  BareStore bare;
  StoreAddress address;
  address.url = url_of(options.from);
  if (address.url.ends_with(kEnding)) {
    const std::size_t slash = address.url.rfind('/');
    bare.only = address.url.substr(slash + 1);
    address.url = address.url.substr(0, slash);
  }
  address.endpoint = options.endpoint;
  address.region = options.region;
  address.is_path_style = !options.is_virtual_style;
  address.ca_file = options.ca_file;
  address.access_key_id = environment("AWS_ACCESS_KEY_ID");
  const std::string key = environment("AWS_SECRET_ACCESS_KEY");
  if (!key.empty()) {
    address.secret_access_key = std::make_shared<const SecretBytes>(std::string_view(key));
  }
  bare.store = object_store_of(address, ending);
  return bare;
}

Result<std::vector<FoundBackup>> backups_in(const BareStore& bare) {
  const auto objects = TRY(bare.store->list(bare.only));
  std::vector<FoundBackup> found;
  for (const StoredObject& object : objects) {
    if (auto backup = backup_in(object)) found.push_back(std::move(*backup));
  }
  std::sort(found.begin(), found.end(), [](const FoundBackup& left, const FoundBackup& right) {
    return std::tie(left.stamp, left.name) < std::tie(right.stamp, right.name);
  });
  return found;
}

Result<FoundBackup> chosen_of(const std::vector<FoundBackup>& found, const std::string& policy,
                              const std::string& backup) {
  std::set<std::string> policies;
  const FoundBackup* chosen = nullptr;
  for (const FoundBackup& each : found) {
    if (!policy.empty() && each.policy != policy) continue;
    policies.insert(each.policy);
    if (backup == "latest" || each.name == backup ||
        (backup.find_first_not_of("0123456789-: TZ") == std::string::npos &&
         each.stamp.substr(0, as_stamp(backup).size()) <= as_stamp(backup))) {
      chosen = &each;
    }
  }
  if (policy.empty() && policies.size() > 1 && found.size() > 1 && backup == "latest") {
    return rejected(
        fmt::format("there are backups of several policies: {}", fmt::join(policies, ", ")),
        "name one of them");
  }
  if (found.empty()) {
    return rejected("there is no backup in this store", "correct --from");
  }
  if (chosen == nullptr) {
    std::set<std::string> there;
    for (const FoundBackup& each : found) there.insert(each.policy);
    if (!there.empty() && !policy.empty() && !there.contains(policy)) {
      return rejected(fmt::format("there is no backup of policy '{}', but of: {}", policy,
                                  fmt::join(there, ", ")),
                      "name one of them");
    }
    return rejected(policy.empty()
                        ? fmt::format("there is no backup '{}'", backup)
                        : fmt::format("there is no backup '{}' of policy '{}'", backup, policy),
                    "rowlock restore --from … --list shows what is there");
  }
  return *chosen;
}

const std::atomic<bool>& ended_by_signals() {
  static std::atomic<bool> ending = false;  // A handler reaches nothing that belongs to anybody.
  for (const int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, [](int) { ending = true; });
  }
  return ending;
}

}  // namespace rowlock
