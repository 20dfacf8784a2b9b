// Read at midnight by somebody who has this file, an identity, and no Rowlock.
#include "controller/backup/backup_manifest.h"
#include "controller/base/time.h"

#include <fmt/format.h>

namespace rowlock {
namespace {

constexpr char kHead[] = R"(Backup {id}
of {what}
made by Rowlock {rowlock}, begun at {at}

Needed: this file as FILE, and the file with an age identity (AGE-SECRET-KEY-1...) as IDENTITY.
Programs: age, tar, zstd{more}. Use bash, and type first:

  set -o pipefail

Whether the file is whole; it lists manifest.json last:

  age -d -i IDENTITY FILE | tar --zstd -t

)";

constexpr char kPostgres[] =
    R"(The roles, on a server that lacks them (of those that are there it says that they exist):

  age -d -i IDENTITY FILE | tar --zstd -xO globals.sql | psql -X -d postgres

The database, as a new one called NEW, with the encoding and the locale of the old one (where the
server lacks these: createdb -T template0 NEW):

  age -d -i IDENTITY FILE | tar --zstd -xO {first} |
    (pg_restore --create --section=pre-data -f -; cat >/dev/null) |
    sed -n '1,/^CREATE DATABASE /s/^\(CREATE DATABASE\) .* WITH TEMPLATE/\1 NEW WITH TEMPLATE/p' |
    psql -X -v ON_ERROR_STOP=1 -d postgres
{fill}
Without the roles, everything belonging to yourself: pg_restore --no-owner --no-acl -d NEW
What the server refuses is left out: take its line out of what pg_restore --list prints, and give
the rest to pg_restore --use-list; --section=pre-data, data and post-data do one part after another.
Functions that find nothing want a search path: give psql what pg_restore -f - prints, with the
schemas in its set_config('search_path', '', false).
Owner, grants and settings of the database itself are what `pg_restore --create -f -` prints first.
What should be in it, with counts and hashes for each table:

  age -d -i IDENTITY FILE | tar --zstd -xO manifest.json
)";

constexpr char kWhole[] = R"(  age -d -i IDENTITY FILE | tar --zstd -xO dump | pg_restore -d NEW
)";

// Its tables first, then their rows, then what is made of those.
constexpr char kParts[] =
    R"(  parts=$(age -d -i IDENTITY FILE | tar --zstd -t | cut -d / -f 1 | grep -F data. | sort -u)
  for part in before $parts after; do
    age -d -i IDENTITY FILE | tar --zstd -xO $part | pg_restore -d NEW || break
  done
)";

constexpr char kHome[] = R"(The home, into the new folder /var/lib/rowlock:

  mkdir -m 770 /var/lib/rowlock
  age -d -i IDENTITY FILE | tar --zstd -xC /var/lib/rowlock --no-same-owner
  cd /var/lib/rowlock
  rm RESTORE.txt backup.json manifest.json
  chmod 660 desired.db
  chmod 640 state.db

Then `rowlock run` starts on it. Without Rowlock, sqlite3 opens both databases: desired.db has what
should be, state.db what was. Never run this home on two machines at once: its id is on everything
that it made.
)";

}  // namespace

std::string restore_text(const BackupHeader& header, bool is_in_parts) {
  const bool is_home = header.kind == "home";
  return fmt::format(kHead, fmt::arg("id", header.id),
                     fmt::arg("what", is_home ? "the home " + header.home
                                              : "the PostgreSQL database " + header.source),
                     fmt::arg("rowlock", header.rowlock),
                     fmt::arg("at", rfc3339(header.started_at_ms)),
                     fmt::arg("more", is_home ? ""
                                              : "; createdb, psql and pg_restore, as new as "
                                                "the server or newer")) +
         (is_home ? kHome
                  : fmt::format(kPostgres, fmt::arg("first", is_in_parts ? "before" : "dump"),
                                fmt::arg("fill", is_in_parts ? kParts : kWhole)));
}

}  // namespace rowlock
