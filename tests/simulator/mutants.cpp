// A mutant names a file of schema/, a piece of its text and what stands there instead. A text that
// is not found any more fails the test: then it must follow the schema.
#include "tests/simulator/mutants.h"

namespace rowlock::simulator {

namespace {

constexpr std::string_view kInstance = "schema/work/instance.sql";
constexpr std::string_view kHealth = "schema/work/instance_health.sql";
constexpr std::string_view kCheck = "schema/work/check.sql";
constexpr std::string_view kJob = "schema/work/job.sql";
constexpr std::string_view kMount = "schema/work/mount.sql";
constexpr std::string_view kPlacement = "schema/work/placement.sql";
constexpr std::string_view kVolume = "schema/work/volume.sql";
constexpr std::string_view kNode = "schema/nodes/node.sql";
constexpr std::string_view kStray = "schema/nodes/stray.sql";
constexpr std::string_view kDeployment = "schema/work/deployment.sql";
constexpr std::string_view kTarget = "schema/routes/route_target.sql";
constexpr std::string_view kStand = "schema/routes/route_stand.sql";
constexpr std::string_view kRoute = "schema/routes/route.sql";
constexpr std::string_view kProxy = "schema/routes/proxy.sql";
constexpr std::string_view kBackup = "schema/backups/backup.sql";
constexpr std::string_view kLogin = "schema/secrets/database_login.sql";
constexpr std::string_view kDelivery = "schema/secrets/delivery.sql";

bool is_blank(char c) { return c == ' ' || c == '\n'; }

// How many characters of `text` are `from`, however many blanks stand in a place; 0: others.
std::size_t matched(std::string_view text, std::string_view from) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (at == text.size() || is_blank(text[at]) != is_blank(from[i])) return 0;
    if (!is_blank(from[i]) && text[at] != from[i]) return 0;
    ++at;
    if (!is_blank(from[i])) continue;
    while (i + 1 < from.size() && is_blank(from[i + 1])) ++i;
    while (at < text.size() && is_blank(text[at])) ++at;
  }
  return at;
}

// Everywhere in the text. Returns whether it was there.
bool substitute(std::string& text, const Substitution& substitution) {
  bool is_found = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t size = matched(std::string_view(text).substr(at), substitution.from);
    if (size == 0) continue;
    text.replace(at, size, substitution.to);
    at += substitution.to.size();
    is_found = true;
  }
  return is_found;
}

std::vector<Mutant> mutants_of_roles() {
  return {
      {"old instances make way at once",
       {{kInstance, "ELSE r.fresh_proven END THEN", "ELSE r.fresh_proven + j.count END THEN"}},
       2},
      {"one old instance too many makes way",
       {{kInstance, "ELSE r.fresh_proven END THEN", "ELSE r.fresh_proven + 1 END THEN"}},
       2},
      {"stop_first keeps none",
       {{kInstance, "WHEN 'stop_first' THEN min(r.fresh_made, r.fresh_proven + j.max_parallel)",
         "WHEN 'stop_first' THEN 500"}}},
      {"what a moved route still needs is let go",
       {{kInstance, "i.container = 'running' AND r.lent_until_ms IS NOT NULL", "false"}},
       40},
      {"a surplus stays",
       {{kInstance, "r.fresh_rank > j.count +", "r.fresh_rank > j.count + 500 +"}},
       9},
      {"one more than the surplus goes",
       {{kInstance, "r.fresh_rank > j.count +", "r.fresh_rank >= j.count +"}}},
      {"what belongs to a deleted job stays",
       {{kInstance, "'unwanted', '*',        'retire',", "'unwanted', '*',        'none',"}},
       4},
      {"blind counts as free",
       {{kInstance, "WHEN n.reach IS NOT 'reached' ", "WHEN n.reach IS 'never' "}},
       1},
      {"one check may be missing",
       {{kInstance, "i.healthy_at_ms IS NULL AND r.unmet = 0 ",
         "i.healthy_at_ms IS NULL AND i.unmet <= 1 "}}},
  };
}

std::vector<Mutant> mutants_of_steps() {
  return {
      {"an edited check counts before anybody has passed it",
       {{kCheck, "COALESCE(p.asks, a.asks) AS asks", "a.asks AS asks"}},
       13},
      {"a check that nobody ever passed takes out who did well without it",
       {{kCheck, "p.name IS NOT NULL OR (i.healthy_at_ms IS NULL AND r.job IS NULL)", "true"}},
       47},
      {"restarts do not wait",
       {{kJob, "WHEN v.due_at_ms > (SELECT now_ms FROM clock) ", "WHEN v.due_at_ms > 9e15 "}},
       3},
      {"as many at once as there is work",
       {{kPlacement, "t.count + t.max_parallel - t.fresh_live - t.stale_live",
         "t.count + 500 - t.fresh_live - t.stale_live"},
        {kPlacement, "t.max_parallel - (t.fresh_live - t.fresh_proven)", "500"}}},
      {"stop_first does not wait for the stop",
       {{kInstance, "r.made_rank > j.count - r.active_count", "r.made_rank > j.count"}}},
      {"reverts to any earlier spec",
       {{kDeployment, "e.state = 'succeeded' AND e.proven = 1 AND e.spec <> d.spec) AS fallback",
         "e.spec <> d.spec) AS fallback"},
        {kDeployment,
         "e.state = 'succeeded' AND e.proven = 1 AND e.spec <> d.spec ORDER BY e.id DESC",
         "e.spec <> d.spec ORDER BY e.id DESC"}},
       57},
      {"a failing deployment goes on",
       {{kDeployment, "('running', 'failing', 'yes', 'revert',",
         "('running', 'failing', 'yes', 'none',"}}},
      {"a changed spec is not rolled out",
       {{kJob, "('changed', '*',       'deploy',", "('changed', '*',       'none',  "}}},
      {"a removed container is not missed",
       {{kInstance, "'keep',     'gone',     'fail',", "'keep',     'gone',     'none',"}},
       27},
      {"a paused container stays so",
       {{kInstance, "'keep',     'paused',   'resume',", "'keep',     'paused',   'none',  "}},
       8},
      {"what was let go runs on",
       {{kInstance, "'expired',  'healthy',  'stop',", "'expired',  'healthy',  'none',"},
        {kInstance, "'expired',  'proven',   'stop',", "'expired',  'proven',   'none',"}}},
      {"declared data has as many writers as there are",
       {{kMount, "WHERE (m.own = 1 OR EXISTS", "WHERE (false OR EXISTS"}},
       51},
      {"an instance does not find what its ordinal kept",
       {{kPlacement, "WHERE v.job = instance.job AND v.ordinal = instance.ordinal", "WHERE false"},
        {kPlacement, "WHERE i.job = instance.job AND i.ordinal = instance.ordinal",
         "WHERE false"}}},
      {"a tag is looked up anew for each instance",
       {{kVolume, "-- @run instance.create.done\n",
         "-- @run instance.create.done\n\nUPDATE spec SET image = '' WHERE id = (SELECT spec FROM "
         "instance WHERE id = :target);\n"}}},
  };
}

std::vector<Mutant> mutants_of_nodes() {
  return {
      {"a stray stays for good",
       {{kStray, "('free',  'ours',    'no',      'remove',",
         "('free',  'ours',    'no',      'none',  "}},
       7},
      {"a stray goes at once",
       {{kStray, "('free',  'ours',    'perhaps', 'wait',  ",
         "('free',  'ours',    'perhaps', 'remove',"}},
       65},
      {"a stranger is removed",
       {{kStray, "('free',  'unknown', '*',       'none',  ",
         "('free',  'unknown', '*',       'remove',"}},
       119},
      {"a step under way is begun again",
       {{kInstance, "--   looks:    look\n",
         "--   looks:    look\n--   beside:   look pull create start resume stop collect "
         "remove\n"}},
       51},
      {"an unreachable node holds nothing",
       {{kNode, "-- @run node.failed\n",
         "-- @run node.failed\n\nUPDATE instance SET container = 'gone' WHERE node = "
         ":target;\n"}},
       1},
  };
}

std::vector<Mutant> mutants_of_routes() {
  return {
      {"an instance is given requests before its checks have passed",
       {{kStand, "n.healthy_at_ms IS NOT NULL AND (n.failing = 0 OR", "(true OR"},
        {kStand, "(n.unmet = 0 OR n.wanted = 'ready')", "true"}}},
      {"a routed port need not take a connection",
       {{kStand, "(n.unmet = 0 OR n.wanted = 'ready')", "true"}},
       26},
      {"no route holds an instance",
       {{kTarget, "AND t.proven_at_ms IS NOT NULL AND t.let_go_at_ms IS NULL;", "AND false;"}}},
      {"requests under way hold nobody",
       {{kStand, "AND (n.sessions = 0 AND n.lingers = 0", "AND (true"}}},
      {"an old worker holds nobody",
       {{kStand, "AND (n.sessions = 0 AND n.lingers = 0", "AND (n.sessions = 0"}},
       15},
      {"the drain has no end",
       {{kStand, "OR n.drained_at_ms + n.drain_timeout_ms <= (SELECT now_ms FROM clock))",
         "OR n.drained_at_ms + 9e15 <= (SELECT now_ms FROM clock))"},
        {kStand, "AND (n.sessions = 0 AND n.lingers = 0", "AND (n.sessions = -1"}}},
      {"the file may name whom it likes",
       {{kStand, "WHEN x.saved_content < n.content ", "WHEN false "}}},
      {"a proxy that cannot be reached has let go",
       {{kStand, "WHEN x.reach IS NOT 'reached' ", "WHEN x.reach IS 'never' "},
        {kStand, "WHEN n.acknowledged = 'ready' ", "WHEN false "},
        {kStand, "WHEN x.saved_content < n.content ", "WHEN false "},
        {kStand, "WHEN n.asked_at_ms IS NULL OR n.asked_at_ms < n.written_at_ms ", "WHEN false "}}},
      {"who takes over need not be given requests", {{kHealth, "AND i.unready = 0 ", " "}}, 14},
      {"a slot stays ready for a process that ended",
       {{kTarget, "('free',    'over',    'open',     'drain',",
         "('free',    'over',    'open',     'forget',"}},
       38},
      {"a mode is not switched",
       {{kRoute, "('same',    'other', 'free',    'switch',",
         "('same',    'other', 'free',    'none',"}},
       40},
      {"another structure is not taken",
       {{kRoute, "('changed', '*',     '*',       'take',",
         "('changed', '*',     '*',       'none',"}},
       74},
      {"the proxy runs on without a route",
       {{kProxy, "('unwanted', 'free',    '*',       'reached', '*',     'stop',",
         "('unwanted', 'free',    '*',       'reached', '*',     'none',"}},
       5},
      {"a dead proxy stays dead",
       {{kProxy, "('own',      'free',    'saved',   'lost',    '*',     'start',",
         "('own',      'free',    'saved',   'lost',    '*',     'none',"}}},
      {"what was refused is never asked again",
       {{kProxy, "refused_until_ms = :now_ms + 30000", "refused_until_ms = 9e15"}}},
  };
}

std::vector<Mutant> mutants_of_secrets() {
  return {
      {"a folder stays after its instance",
       {{kDelivery, "('nothing', 'there',       '*',      'remove',",
         "('nothing', 'there',       '*',      'none',  "},
        {kDelivery, "('nothing', 'whole',       '*',      'remove',",
         "('nothing', 'whole',       '*',      'none',  "},
        {kDelivery, "('nothing', 'aging',       '*',      'remove',",
         "('nothing', 'aging',       '*',      'none',  "}},
       3},
      {"a newer version is not delivered",
       {{kDelivery, "('folder',  'stale',       'none',   'deliver',",
         "('folder',  'stale',       'none',   'none',   "}},
       50},
      {"an instance need not wait for its secrets",
       {{kInstance, "WHEN i.delivers AND i.run AND ", "WHEN false AND i.delivers AND i.run AND "}},
       7},
      {"a login outlives its instance",
       {{kLogin, "('nothing', 'made',   'none',   'drop',",
         "('nothing', 'made',   'none',   'none',"}},
       3},
      {"the row of a login goes before its role",
       {{kLogin, "('nothing', 'made',   'none',   'drop',  ",
         "('nothing', 'made',   'none',   'forget',"},
        {kLogin, "('nothing', 'begun',  'none',   'drop',  ",
         "('nothing', 'begun',  'none',   'forget',"}},
       3},
      {"whoever is to stop has no login any more",
       {{kLogin, "WHEN i.container IN ('created', 'running', 'paused') OR (i.run = 1",
         "WHEN (i.run = 1 AND i.container IN ('created', 'running', 'paused')) OR (i.run = 1"}},
       3},
  };
}

std::vector<Mutant> mutants_of_backups() {
  return {
      {"a backup that was not verified replaces one that was",
       {{kBackup, "WHEN b.id < s.last_verified ", "WHEN b.id < s.newest_good "}},
       11},
      {"what came of a try that was cut short is never asked",
       {{kBackup, "('free',   'settle', 'settle',", "('free',   'settle', 'none',  "}},
       9},
      {"a try that failed has left nothing",
       {{kBackup, "detail = :detail, unsettled = 1 WHERE", "detail = :detail WHERE"}},
       9},
      {"no backup is verified",
       {{kBackup, "('free',   'verify', 'verify',", "('free',   'verify', 'none',  "}},
       4},
      {"what no rule keeps stays",
       {{kBackup, "('free',   'expire', 'expire',", "('free',   'expire', 'none',  "}},
       6},
  };
}

}  // namespace

std::vector<Mutant> all_mutants() {
  std::vector<Mutant> all = mutants_of_roles();
  for (Mutant& mutant : mutants_of_steps()) all.push_back(std::move(mutant));
  for (Mutant& mutant : mutants_of_nodes()) all.push_back(std::move(mutant));
  for (Mutant& mutant : mutants_of_routes()) all.push_back(std::move(mutant));
  for (Mutant& mutant : mutants_of_secrets()) all.push_back(std::move(mutant));
  for (Mutant& mutant : mutants_of_backups()) all.push_back(std::move(mutant));
  return all;
}

MutatedSchema::MutatedSchema(const Mutant& mutant) {
  const auto originals = embedded_files();
  for (const EmbeddedFile& file : originals) texts_.emplace_back(file.text);
  for (const Substitution& substitution : mutant.substitutions) {
    bool is_found = false;
    for (std::size_t i = 0; i < originals.size(); ++i) {
      if (originals[i].name == substitution.file) is_found = substitute(texts_[i], substitution);
    }
    if (!is_found) missing_ = substitution.from;
  }
  for (std::size_t i = 0; i < originals.size(); ++i) {
    files_.push_back({originals[i].name, texts_[i]});
  }
}

}  // namespace rowlock::simulator
