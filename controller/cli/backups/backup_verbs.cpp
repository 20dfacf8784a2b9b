// Options and their help alone: the words in here are what `--help` prints. What the verbs do is in
// the other files of this folder.
#include "controller/cli/backups/backup_verbs.h"

#include "controller/base/time.h"

#include <CLI/CLI.hpp>

namespace rowlock {

namespace {

void add_duration(CLI::App* parser, std::int64_t& into, const char* text) {
  const auto take = [&into](const std::string& said) {
    auto parsed = parse_duration(said);
    if (!parsed.ok()) {
      throw CLI::ValidationError("--timeout", parsed.error().message);
    }
    into = parsed.value();
  };
  parser->add_option_function<std::string>("--timeout", take, text)->type_name("TIME");
}

void add_bare(CLI::App* parser, BareStoreOptions& bare) {
  parser
      ->add_option("--from", bare.from,
                   "a store or one backup in it, without a home: file:///FOLDER, s3://BUCKET/…; "
                   "S3 takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY from the environment")
      ->type_name("URL");
  parser->add_option("--identity", bare.identity, "the age identities that open it")
      ->type_name("FILE");
  parser->add_option("--endpoint", bare.endpoint, "of S3, when it is not AWS")->type_name("URL");
  parser->add_option("--region", bare.region, "of S3 (default us-east-1)");
  parser->add_flag("--virtual-host", bare.is_virtual_style, "of S3: the bucket in the host's name");
}

void add_restore(CLI::App& under, BackupArguments& said, const AddBackupVerb& add) {
  CLI::App* parser =
      add(under, "restore", "A backup as a database again",
          "rowlock restore nightly --into postgresql://admin@127.0.0.1:5432/app_yesterday",
          BackupVerbNeeds::nothing, [&said](const Call& call) {
            return said.restore.bare.from.empty() ? restore(call, said.restore)
                                                  : restore_bare(call, said.restore);
          });
  parser->add_option("POLICY", said.restore.policy, "whose backup");
  parser->add_option("--backup", said.restore.backup,
                     "latest (default: the last verified one), a name, or a moment in UTC");
  parser->add_option("--into", said.restore.into, "the database that it becomes")->type_name("URL");
  parser->add_option("--secret", said.restore.secret, "path of the secret with its password");
  parser->add_option("--password-file", said.restore.password_file, "with --from: its password")
      ->type_name("FILE");
  parser->add_option("--replace", said.restore.replaces,
                     "put the existing database of this name aside");
  parser->add_flag("--roles", said.restore.has_roles,
                   "make roles that are missing, keep owners, grants and settings");
  parser->add_flag("--list", said.restore.lists, "with --from: show what is there");
  parser->add_flag("--no-wait", said.restore.has_no_wait, "return once it is asked for");
  add_duration(parser, said.restore.timeout_ms, "stop watching after this (default 12h)");
  add_bare(parser, said.restore.bare);
}

}  // namespace

void add_backup_verbs(CLI::App& parser, BackupArguments& said, const AddBackupVerb& add) {
  CLI::App* backup_parser =
      add(parser, "backup", "Make a backup now, or list those there are", "rowlock backup nightly",
          BackupVerbNeeds::home, [&said](const Call& call) { return backup(call, said.backup); });
  backup_parser->add_option("POLICY", said.backup.policy, "which; all are listed when left out");
  backup_parser->add_flag("--verify", said.backup.verifies,
                          "restore and compare the newest one instead");
  backup_parser->add_flag("--no-wait", said.backup.has_no_wait, "return once it is asked for");
  add_duration(backup_parser, said.backup.timeout_ms, "stop watching after this (default 2h)");
  add_restore(parser, said, add);
  CLI::App* recover_parser = add(
      parser, "recover", "A home from its backup, on a machine that has none",
      "rowlock recover --from s3://bucket --identity key.txt --home /var/lib/rowlock",
      BackupVerbNeeds::nothing, [&said](const Call& call) { return recover(call, said.recover); });
  recover_parser->add_option("--policy", said.recover.policy,
                             "the policy that backs the home up (default home)");
  recover_parser->add_option("--backup", said.recover.backup, "latest (default), or a name");
  add_bare(recover_parser, said.recover.bare);
  add(parser, "recovery-kit", "The page one needs in the night when all is lost: print it",
      "rowlock recovery-kit", BackupVerbNeeds::home,
      [](const Call& call) { return recovery_kit(call); });
}

}  // namespace rowlock
