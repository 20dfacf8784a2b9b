// How `rowlock secret`, `token` and `audit` are said.
#include "controller/cli/secrets/secret_verbs.h"

#include "controller/base/time.h"

#include <CLI/CLI.hpp>

namespace rowlock {
namespace {

constexpr char kHowValuesComeIn[] =
    "A value is never a word of the command line, which everybody on the machine can read:\n"
    "  KEY or KEY=-  from stdin, one end of line taken off; typed without echo on a terminal\n"
    "  KEY=@FILE     from a file, to the last byte\n";

void add_path(CLI::App* parser, std::string& path) {
  parser->add_option("PATH", path, "of the secret, such as db/prod")->required();
}

void add_duration(CLI::App* parser, const std::string& name, const std::string& summary,
                  std::function<void(std::int64_t)> take) {
  const auto parse = [name, take = std::move(take)](const std::string& text) {
    auto parsed = parse_duration(text);
    if (!parsed.ok()) {
      throw CLI::ValidationError(name, parsed.error().message);
    }
    take(parsed.value());
  };
  parser->add_option_function<std::string>(name, parse, summary)->type_name("TIME");
}

// The family of a verb: `add` with where it hangs and what it is given.
class Family {
 public:
  Family(CLI::App& parser, SecretArguments& said, const AddVerb& add)
      : parser_(parser), said_(said), add_(add) {}

  void add_secret();
  void add_token();
  void add_audit();

 private:
  // A verb that asks the controller, with a path or whatever `options` are.
  template <typename Options>
  CLI::App* verb(CLI::App* under, const char* name, const char* summary, const char* example,
                 Result<int> (*run)(const Call&, const Options&), const Options& options,
                 bool reads_home = false) {
    return add_(*under, name, summary, example, reads_home,
                [run, &options](const Call& call) { return run(call, options); });
  }
  CLI::App* verb(CLI::App* under, const char* name, const char* summary, const char* example,
                 Result<int> (*run)(const Call&)) {
    return add_(*under, name, summary, example, false, run);
  }

  void add_seal(CLI::App* secret);
  void add_seal_options(CLI::App* parser);
  void add_values(CLI::App* secret);
  void add_versions(CLI::App* secret);
  CLI::App* add_version_verb(CLI::App* secret, const char* name, const char* summary,
                             const char* example,
                             Result<int> (*run)(const Call&, const SecretVersionsOptions&));
  void add_metadata(CLI::App* secret);
  void add_import(CLI::App* secret);

  CLI::App& parser_;
  SecretArguments& said_;
  const AddVerb& add_;
};

void Family::add_secret() {
  CLI::App* secret = add_(parser_, "secret", "Secrets, and the key that opens them",
                          "rowlock secret put db/prod password=@password.txt", false, nullptr);
  secret->require_subcommand(1);
  add_seal(secret);
  add_values(secret);
  add_versions(secret);
  add_metadata(secret);
  add_import(secret);
}

void Family::add_seal_options(CLI::App* parser) {
  parser->add_option("--shares", said_.seal.shares, "how many (default 5)");
  parser->add_option("--threshold", said_.seal.threshold, "how many of them open (default 3)");
  parser->add_option("--key-file", said_.seal.key_file, "write the key to a new file, mode 0600")
      ->type_name("FILE");
  parser
      ->add_option("--age-recipient", said_.seal.age_recipients,
                   "write HOME/unseal.age for this age1… (again for more)")
      ->allow_extra_args(false);
}

void Family::add_seal(CLI::App* secret) {
  add_seal_options(verb(secret, "init", "Make the keys, and show the recovery kit once",
                        "rowlock secret init --shares 5 --threshold 3", secret_init, said_.seal));
  verb(secret, "status", "Whether the store is open, and how much is in it",
       "rowlock secret status", secret_status, said_.status, true)
      ->add_flag("--exit-code", said_.status.wants_exit_code, "2 when it is not open");
  CLI::App* unseal =
      verb(secret, "unseal", "Open the store with shares, or with the key, from stdin",
           "rowlock secret unseal < share.txt", secret_unseal, said_.unseal);
  unseal->add_option("--key-file", said_.unseal.key_file, "the key, or shares, from a file")
      ->type_name("FILE");
  unseal->add_flag("--reset", said_.unseal.resets, "drop the shares given so far");
  verb(secret, "seal", "Close the store: the keys are wiped from memory", "rowlock secret seal",
       secret_seal);
  add_seal_options(verb(secret, "rekey", "Another unseal key and other shares",
                        "rowlock secret rekey --key-file /root/rowlock.key", secret_rekey,
                        said_.seal));
  verb(secret, "rotate", "A newer key inside, by which everything is wrapped anew",
       "rowlock secret rotate", secret_rotate);
}

void Family::add_values(CLI::App* secret) {
  SecretPutOptions& put = said_.put;
  CLI::App* put_parser =
      verb(secret, "put", "Write a whole map as a new version", "", secret_put, put);
  put_parser->footer(std::string(kHowValuesComeIn) +
                     "Without keys, on a terminal: the map in your editor, in memory alone.\n"
                     "Examples:\n  rowlock secret put db/prod user=@user.txt password\n"
                     "  rowlock secret put db/prod");
  CLI::App* patch_parser =
      verb(secret, "patch", "Write some keys, the others stay", "", secret_patch, put);
  patch_parser->footer(std::string(kHowValuesComeIn) +
                       "Example:\n  rowlock secret patch db/prod password");
  patch_parser->add_option("--remove", put.removed, "take this key out (again for more)")
      ->allow_extra_args(false)
      ->type_name("KEY");
  for (CLI::App* parser : {put_parser, patch_parser}) {
    add_path(parser, put.path);
    parser->add_option("KEY", put.values, "KEY, KEY=- or KEY=@FILE");
    parser->add_option("--cas", put.cas, "only if this is the newest version; 0: only if none is")
        ->check(CLI::NonNegativeNumber);
    parser->add_flag("--stdin-json", put.is_json, "all keys, as one JSON object from stdin");
  }
  CLI::App* get = verb(secret, "get", "Read a secret", "rowlock secret get db/prod --key password",
                       secret_get, said_.get);
  add_path(get, said_.get.path);
  get->add_option("--key", said_.get.key, "its value alone, as it is");
  get->add_option("--version", said_.get.version, "this one instead of the newest")
      ->check(CLI::PositiveNumber);
  verb(secret, "list", "What is directly in a folder", "rowlock secret list db", secret_list,
       said_.list)
      ->add_option("FOLDER", said_.list.folder, "everything's when left out");
}

CLI::App* Family::add_version_verb(CLI::App* secret, const char* name, const char* summary,
                                   const char* example,
                                   Result<int> (*run)(const Call&, const SecretVersionsOptions&)) {
  CLI::App* parser = verb(secret, name, summary, example, run, said_.versions);
  add_path(parser, said_.versions.path);
  return parser;
}

void Family::add_versions(CLI::App* secret) {
  add_version_verb(secret, "versions", "The versions of a secret",
                   "rowlock secret versions db/prod", secret_versions);
  CLI::App* deletes = add_version_verb(secret, "delete", "Delete versions, which can be undone",
                                       "rowlock secret delete db/prod", secret_delete);
  CLI::App* undelete =
      add_version_verb(secret, "undelete", "Bring deleted versions back",
                       "rowlock secret undelete db/prod --version 3", secret_undelete);
  CLI::App* destroy =
      add_version_verb(secret, "destroy", "Destroy versions for ever",
                       "rowlock secret destroy db/prod --version 3", secret_destroy);
  for (CLI::App* parser : {deletes, undelete, destroy}) {
    CLI::Option* option =
        parser
            ->add_option("--version", said_.versions.versions,
                         parser == deletes ? "this one instead of the newest (again for more)"
                                           : "which (again for more)")
            ->allow_extra_args(false)
            ->check(CLI::PositiveNumber);
    option->required(parser != deletes);
  }
  CLI::App* remove = add_version_verb(secret, "remove", "Remove a secret with all its versions",
                                      "rowlock secret remove db/old", secret_remove);
  for (CLI::App* parser : {destroy, remove}) {
    parser->add_flag("-y,--yes", said_.versions.is_agreed, "do not ask");
  }
}

void Family::add_metadata(CLI::App* secret) {
  SecretMetadataOptions& metadata = said_.metadata;
  CLI::App* parser = verb(secret, "metadata", "The settings of a secret, and how to change them",
                          "rowlock secret metadata db/prod --max-versions 5 --set owner=data",
                          secret_metadata, metadata);
  add_path(parser, metadata.path);
  parser->add_option("--max-versions", metadata.max_versions, "older ones go; 0: as for all")
      ->check(CLI::NonNegativeNumber);
  parser->add_option("--cas-required", metadata.cas_required, "whether put must say --cas: 0 or 1");
  add_duration(parser, "--delete-after", "a version is deleted so long after it was written",
               [&metadata](std::int64_t time_ms) { metadata.delete_after_ms = time_ms; });
  parser->add_option("--set", metadata.set, "KEY=VALUE, which is not secret (again for more)")
      ->allow_extra_args(false);
  parser->add_option("--unset", metadata.unset, "KEY (again for more)")->allow_extra_args(false);
}

void Family::add_import(CLI::App* secret) {
  ImportOptions& options = said_.import;
  CLI::App* import = add_(*secret, "import", "Take secrets over from elsewhere",
                          "rowlock secret import dotenv .env web/prod --dry-run", false, nullptr);
  import->require_subcommand(1);
  CLI::App* dotenv = verb(import, "dotenv", "One secret from a file of KEY=VALUE lines", "",
                          secret_import_dotenv, options);
  dotenv->add_option("FILE", options.file, "such as .env")->required();
  add_path(dotenv, options.path);
  dotenv->footer(
      "Quotes and comments as docker, compose and dotenv read them; $NAME stays as it is.\n"
      "Example:\n  rowlock secret import dotenv .env web/prod --dry-run");
  CLI::App* vault = verb(import, "vault", "All secrets of a mount of a Vault that runs", "",
                         secret_import_vault, options);
  vault->add_option("--mount", options.mount, "a key/value mount of version 2 (default secret)");
  vault->add_option("--prefix", options.prefix, "only this folder");
  vault->footer(
      "Reads VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE and VAULT_CACERT. Of each secret, the "
      "newest\n"
      "version that lives is taken over.\n"
      "Example:\n  VAULT_ADDR=https://vault:8200 rowlock secret import vault --dry-run");
  for (CLI::App* parser : {dotenv, vault}) {
    parser->add_flag("--overwrite", options.overwrites, "write a new version of what is here");
    parser->add_flag("--dry-run", options.is_dry_run, "show what would be written, write nothing");
  }
}

void Family::add_token() {
  CLI::App* token = add_(parser_, "token", "Tokens for people and programs that are not the owner",
                         "rowlock token create --policy deploy --ttl 1h", false, nullptr);
  token->require_subcommand(1);
  CLI::App* create =
      verb(token, "create", "Make a token, and show it once",
           "rowlock token create --policy deploy --ttl 1h --name ci", token_create, said_.token);
  create->add_option("--policy", said_.token.policies, "what it may do (again for more)")
      ->allow_extra_args(false)
      ->required();
  add_duration(create, "--ttl", "how long it lives (default 8h)",
               [this](std::int64_t time_ms) { said_.token.ttl_ms = time_ms; });
  create->add_option("--name", said_.token.name, "whose it is, for the audit log");
  create->add_option("--uses", said_.token.uses, "how often it can be used (default: any number)")
      ->check(CLI::NonNegativeNumber);
  verb(token, "list", "The tokens that live", "rowlock token list", token_list);
  verb(token, "revoke", "End a token", "rowlock token revoke ACCESSOR", token_revoke, said_.revoke)
      ->add_option("ACCESSOR", said_.revoke.accessor, "as `rowlock token list` shows it")
      ->required();
}

void Family::add_audit() {
  CLI::App* parser = verb(&parser_, "audit", "Who asked for which secret, newest last",
                          "rowlock audit --limit 100", audit, said_.audit, true);
  parser->add_option("--limit", said_.audit.limit, "how many (default 50)")
      ->check(CLI::NonNegativeNumber);
  verb(parser, "verify", "Whether the audit log and all secrets are as they were written",
       "rowlock audit verify", audit_verify);
}

}  // namespace

void add_secret_verbs(CLI::App& parser, SecretArguments& arguments, const AddVerb& add) {
  Family family(parser, arguments, add);
  family.add_secret();
  family.add_token();
  family.add_audit();
}

}  // namespace rowlock
