// Members go through tar and zstd (archive/tar_writer.h), what comes out of that through age, and
// what comes out of that to the sink; nothing waits anywhere longer than a piece, a block and a
// chunk of it.
#include "controller/archive/tar_reader.h"
#include "controller/archive/tar_writer.h"
#include "controller/backup/backup_manifest.h"
#include "controller/crypto/age.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/sha256.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace rowlock {
namespace {

// RESTORE.txt, backup.json and manifest.json are the others.
constexpr std::size_t kContentMembersMax = TarReader::kMembersMax - 3;

Error our_fault(const std::string& what) { return {Fault::broken, Cause::other, what, ""}; }

class StreamedBackupFile : public BackupFileWriter {
 public:
  StreamedBackupFile(AgeWriter age, const BackupHeader& header, Sink out)
      : age_(std::move(age)),
        out_(std::move(out)),
        tar_([this](std::string_view bytes) { return emit(age_.write(bytes)); },
             header.started_at_ms) {
    manifest_.header = header;
  }

  Result<> write_head(bool is_in_parts) {
    if (auto begun = emit(age_.header()); !begun.ok()) return begun;
    const std::string restore = restore_text(manifest_.header, is_in_parts);
    if (auto told = write_whole(kRestoreMember, restore); !told.ok()) return told;
    return write_whole(kHeaderMember, text_of(manifest_.header));
  }

  Result<> begin(const std::string& name, std::int64_t size_bytes) override {
    CHECK(!is_member_open_ && !is_finished_);
    if (auto listed = list(name); !listed.ok()) return listed;
    if (auto begun = tar_.begin(name, size_bytes); !begun.ok()) return begun;
    is_member_open_ = true;
    return Done{};
  }

  Result<> write(std::string_view bytes) override {
    CHECK(is_member_open_);
    count(members_.size() - 1, bytes);
    return tar_.write(bytes);
  }

  Result<> end() override {
    CHECK(is_member_open_);
    if (auto ended = tar_.end(); !ended.ok()) return ended;
    is_member_open_ = false;
    return Done{};
  }

  Result<> add_piece(const std::string& name, std::string_view bytes) override {
    CHECK(!is_member_open_ && !is_finished_ && name.starts_with(kMixedMembers) && !bytes.empty());
    const auto [place, is_new] = mixed_.emplace(name, members_.size());
    if (is_new) {
      if (auto listed = list(name); !listed.ok()) return listed;
    }
    count(place->second, bytes);
    return tar_.add_piece(name, bytes);
  }

  Result<> finish(const Json& content) override {
    CHECK(!is_member_open_ && !is_finished_);
    for (Member& member : members_) {
      member.facts.sha256 = to_hex(member.hash.finish());
      manifest_.members.push_back(member.facts);
    }
    manifest_.content = content;
    const std::string text = text_of(manifest_);
    if (text.size() > kManifestBytesMax) {
      return our_fault(fmt::format("the manifest of a backup is {} bytes long, {} are allowed",
                                   text.size(), kManifestBytesMax));
    }
    // What could not be read back would be found only on the night it is needed.
    if (auto read = read_manifest(text); !read.ok()) return our_fault(read.error().message);
    if (auto told = write_whole(kManifestMember, text); !told.ok()) return told;
    if (auto ended = tar_.finish(); !ended.ok()) return ended;
    if (auto ended = emit(age_.finish()); !ended.ok()) return ended;
    sha256_ = to_hex(file_hash_.finish());
    is_finished_ = true;
    return Done{};
  }

  std::int64_t bytes() const override { return bytes_; }
  std::int64_t plain_bytes() const override { return plain_bytes_; }
  std::string sha256() const override {
    CHECK(is_finished_);
    return sha256_;
  }

 private:
  struct Member {
    MemberFacts facts;
    Sha256 hash;
  };

  bool is_free(const std::string& name) const {
    return is_member_name(name) && name != kRestoreMember && name != kHeaderMember &&
           name != kManifestMember &&
           std::none_of(members_.begin(), members_.end(),
                        [&](const Member& each) { return each.facts.name == name; });
  }

  Result<> list(const std::string& name) {
    if (!is_free(name)) return our_fault("a backup can have no member called " + name);
    if (members_.size() >= kContentMembersMax) {
      return our_fault(fmt::format("a backup has more than {} members", kContentMembersMax));
    }
    members_.push_back({{name, 0, ""}, Sha256()});
    return Done{};
  }

  void count(std::size_t member, std::string_view bytes) {
    members_[member].hash.add(bytes);
    members_[member].facts.size_bytes += static_cast<std::int64_t>(bytes.size());
    plain_bytes_ += static_cast<std::int64_t>(bytes.size());
  }

  Result<> write_whole(const std::string& name, std::string_view text) {
    if (auto begun = tar_.begin(name, static_cast<std::int64_t>(text.size())); !begun.ok()) {
      return begun;
    }
    if (auto written = tar_.write(text); !written.ok()) return written;
    return tar_.end();
  }

  Result<> emit(const std::string& sealed) {
    if (sealed.empty()) return Done{};
    bytes_ += static_cast<std::int64_t>(sealed.size());
    file_hash_.add(sealed);
    return out_(sealed);
  }

  AgeWriter age_;
  Sink out_;
  TarWriter tar_;
  Sha256 file_hash_;
  BackupManifest manifest_;
  std::vector<Member> members_;
  std::map<std::string, std::size_t> mixed_;  // Where those are among them that come in pieces.
  bool is_member_open_ = false;
  bool is_finished_ = false;
  std::int64_t bytes_ = 0;
  std::int64_t plain_bytes_ = 0;
  std::string sha256_;
};

}  // namespace

Result<std::unique_ptr<BackupFileWriter>> BackupFileWriter::begin(
    const std::vector<std::string>& recipients, const BackupHeader& header, Sink out,
    bool is_in_parts) {
  auto age = TRY(AgeWriter::to(recipients));
  const std::string text = text_of(header);
  if (text.size() > kHeaderBytesMax) return our_fault("the header of a backup is too long");
  if (auto read = read_header(text); !read.ok()) return our_fault(read.error().message);
  auto file = std::make_unique<StreamedBackupFile>(std::move(age), header, std::move(out));
  TRY(file->write_head(is_in_parts));
  return Result<std::unique_ptr<BackupFileWriter>>(std::move(file));
}

}  // namespace rowlock
