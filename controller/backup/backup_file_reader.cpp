// The way of the writer, backwards. Each byte that is given out has been authenticated by age,
// which proves that the file is as somebody made it for these recipients; whether that somebody is
// Rowlock only the hash of the whole file can tell, which the row of the backup has.
#include "controller/archive/tar_reader.h"
#include "controller/backup/backup_manifest.h"
#include "controller/crypto/age.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/sha256.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace rowlock {
namespace {

constexpr std::size_t kAgeHeaderBytesMax = 64 * 1024;
constexpr std::size_t kSliceBytes = 256 * 1024;  // Deciphered at once, however large a block is.

Error refusal(const std::string& why) {
  return Error{Fault::rejected, Cause::other, "the backup file " + why, ""};
}

// What an age file holds, as a source of its own.
class AgeSource {
 public:
  static Result<AgeSource> open(const SecretBytes& identities, Source in) {
    std::string head;
    bool has_ended = false;
    while (head.size() < kAgeHeaderBytesMax && !has_ended) {
      const auto block = TRY(in());
      has_ended = block.empty();
      head += block;
    }
    std::size_t used = 0;
    auto age = TRY(AgeReader::open(identities, head, used));
    return AgeSource(std::move(age), std::move(in), head.substr(used), has_ended);
  }

  Result<std::string> next() {
    while (!is_finished_) {
      if (at_ == block_.size() && !has_ended_) {
        block_ = TRY(in_());
        at_ = 0;
        has_ended_ = block_.empty();
      }
      is_finished_ = at_ == block_.size() && has_ended_;
      if (is_finished_) return age_.finish();
      const std::string_view slice = std::string_view(block_).substr(at_, kSliceBytes);
      at_ += slice.size();
      auto plain = age_.read(slice);
      if (!plain.ok() || !plain.value().empty()) return plain;
    }
    return std::string();
  }

 private:
  AgeSource(AgeReader age, Source in, std::string block, bool has_ended)
      : age_(std::move(age)), in_(std::move(in)), block_(std::move(block)), has_ended_(has_ended) {}

  AgeReader age_;
  Source in_;
  std::string block_;  // Read up to at_.
  std::size_t at_ = 0;
  bool has_ended_;
  bool is_finished_ = false;
};

class StreamedBackup : public BackupFileReader {
 public:
  explicit StreamedBackup(AgeSource age)
      : age_(std::move(age)), tar_([this] { return age_.next(); }) {}

  Result<> read_head() {
    TRY(whole(kRestoreMember, kRestoreBytesMax));
    const auto text = TRY(whole(kHeaderMember, kHeaderBytesMax));
    header_ = TRY(rowlock::read_header(text));
    return Done{};
  }

  const BackupHeader& header() const override { return header_; }

  Result<std::string> next() override {
    if (!state_.ok()) return state_.error();
    if (has_ended_) return std::string();
    auto found = find_next();
    if (!found.ok()) state_ = found.error();
    return found;
  }

  Result<std::string> read() override {
    if (!state_.ok()) return state_.error();
    if (!is_member_open_) return std::string();
    const auto bytes = tar_.read();
    if (!bytes.ok()) {
      state_ = bytes.error();
      return bytes.error();
    }
    members_[current_].size_bytes += static_cast<std::int64_t>(bytes.value().size());
    hashes_[current_].add(bytes.value());
    if (bytes.value().empty()) is_member_open_ = false;
    return std::string(bytes.value());
  }

  const BackupManifest& manifest() const override {
    CHECK(has_ended_);
    return manifest_;
  }

 private:
  Result<std::string> find_next() {
    while (is_member_open_) {
      TRY(read());
    }
    auto name = tar_.next();
    if (!name.ok()) return name.error();
    if (name.value().empty()) {
      return refusal("has no manifest: the backup was not finished");
    }
    if (name.value() == kManifestMember) {
      TRY(check_manifest());
      return std::string();
    }
    if (!tar_.is_continued()) {
      current_ = members_.size();
      members_.push_back({name.value(), 0, ""});
      hashes_.emplace_back();
    } else if (name.value().starts_with(kMixedMembers)) {
      current_ = static_cast<std::size_t>(
          std::find_if(members_.begin(), members_.end(),
                       [&](const MemberFacts& each) { return each.name == name.value(); }) -
          members_.begin());
    } else {
      return refusal(fmt::format("has its member {} torn apart", name.value()));
    }
    is_member_open_ = true;
    return name;
  }

  // Requires: the manifest's member is the current one.
  Result<> check_manifest() {
    const auto text = TRY(rest_of(kManifestMember, kManifestBytesMax));
    auto manifest = TRY(read_manifest(text));
    const auto behind = TRY(tar_.next());
    if (!behind.empty()) {
      return refusal(fmt::format("has a member after its manifest: {}", behind));
    }
    manifest_ = std::move(manifest);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      members_[i].sha256 = to_hex(hashes_[i].finish());
    }
    if (manifest_.header != header_) {
      return refusal(fmt::format("has the manifest of another backup: {} begins, {} ends it",
                                 header_.id, manifest_.header.id));
    }
    if (auto compared = compare_members(); !compared.ok()) return compared;
    has_ended_ = true;
    return Done{};
  }

  Result<> compare_members() const {
    const std::vector<MemberFacts>& listed = manifest_.members;
    const std::size_t count = std::max(members_.size(), listed.size());
    for (std::size_t i = 0; i < count; ++i) {
      if (i >= members_.size() || (i < listed.size() && members_[i].name != listed[i].name)) {
        return refusal(
            fmt::format("lacks its member {} where the manifest lists it", listed[i].name));
      }
      if (i >= listed.size()) {
        return refusal(
            fmt::format("has a member that its manifest does not list: {}", members_[i].name));
      }
      if (members_[i].size_bytes != listed[i].size_bytes) {
        return refusal(fmt::format("has {} bytes in its member {}, its manifest lists {}",
                                   members_[i].size_bytes, listed[i].name, listed[i].size_bytes));
      }
      if (members_[i].sha256 != listed[i].sha256) {
        return refusal(fmt::format("has another content in its member {} than its manifest lists",
                                   listed[i].name));
      }
    }
    return Done{};
  }

  Result<std::string> whole(const std::string& name, std::size_t bytes_max) {
    const auto found = TRY(tar_.next());
    if (found != name) {
      return refusal(fmt::format("lacks {} where it belongs: it is no backup of Rowlock's", name));
    }
    return rest_of(name, bytes_max);
  }

  Result<std::string> rest_of(const std::string& name, std::size_t bytes_max) {
    std::string text;
    while (true) {
      const auto bytes = TRY(tar_.read());
      if (bytes.empty()) return text;
      if (text.size() + bytes.size() > bytes_max) {
        return refusal(fmt::format("has a {} of over {} bytes", name, bytes_max));
      }
      text += bytes;
    }
  }

  AgeSource age_;
  TarReader tar_;
  BackupHeader header_;
  BackupManifest manifest_;
  std::vector<MemberFacts> members_;  // As they were read,
  std::vector<Sha256> hashes_;        // and what each comes to.
  std::size_t current_ = 0;           // The one that is being read.
  bool is_member_open_ = false;
  bool has_ended_ = false;
  Result<> state_ = Done{};  // Once it is an error it stays that.
};

}  // namespace

Result<std::unique_ptr<BackupFileReader>> BackupFileReader::open(const SecretBytes& identities,
                                                                 Source in) {
  auto age = TRY(AgeSource::open(identities, std::move(in)));
  auto backup = std::make_unique<StreamedBackup>(std::move(age));
  TRY(backup->read_head());
  return Result<std::unique_ptr<BackupFileReader>>(std::move(backup));
}

Result<BackupManifest> check_backup_file(const SecretBytes& identities, Source in) {
  const auto opened = TRY(BackupFileReader::open(identities, std::move(in)));
  BackupFileReader& backup = *opened;
  while (true) {
    const auto name = TRY(backup.next());
    if (name.empty()) return backup.manifest();
  }
}

}  // namespace rowlock
