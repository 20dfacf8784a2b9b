// A reader of lines: a marker begins a section, and the text until the next one belongs to it.
// Nothing here understands SQL.
#include "controller/store/schema.h"

#include "controller/base/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace rowlock {

namespace {

constexpr std::string_view kMarker = "-- @";

// What is united over the kinds, from which views, and in which columns.
struct Union {
  std::string_view name;
  std::string_view suffix;
  std::string_view columns;
};
constexpr Union kUnions[] = {
    {"plan", "_plan", "kind, name, target, step, reason, due_at_ms"},
    {"status", "_status", "kind, name, state, detail, since_ms"},
    {"why", "_why", "kind, name, target, reason, since_ms"},
    {"planned_name", "_name", "name"},
    {"metric", "_metric", "name, help, type, labels, value"},
    {"violation_now", "_violation", "table_name, row_key, message"},
    {"stake", "_stake", "table_name, row_key, what"},
};

// The line at `at` without its end; `at` is moved to the next one.
std::string_view next_line(std::string_view text, std::size_t& at) {
  const std::size_t end = std::min(text.find('\n', at), text.size());
  const std::string_view line = text.substr(at, end - at);
  at = end + 1;
  return line;
}

// The word after `head` at the beginning of a line, or "".
std::string word_after(std::string_view line, std::string_view head) {
  if (!line.starts_with(head)) {
    return "";
  }
  line.remove_prefix(head.size());
  return std::string(line.substr(0, line.find_first_of(" (")));
}

// "kind trust  state: …" is of trust.
std::string kind_name(std::string_view marker) {
  marker.remove_prefix(5);
  return std::string(marker.substr(0, marker.find(' ')));
}

// "job.sql" of "schema/work/job.sql".
std::string_view own_name(const EmbeddedFile& file) {
  return file.name.substr(file.name.rfind('/') + 1);
}

}  // namespace

Schema::Schema(std::span<const EmbeddedFile> embedded) {
  // By their own names, whatever the folder: a file that moves to another family changes nothing.
  std::vector<EmbeddedFile> files(embedded.begin(), embedded.end());
  std::stable_sort(files.begin(), files.end(),
                   [](const EmbeddedFile& one, const EmbeddedFile& other) {
                     return own_name(one) < own_name(other);
                   });
  for (const EmbeddedFile& file : files) {
    if (file.name.starts_with("migrations/")) {
      const std::string_view name = file.name.substr(std::string_view("migrations/").size());
      migrations_.push_back({std::atol(std::string(name.substr(0, 4)).c_str()), name, file.text});
      CHECK(migrations_.back().version == static_cast<std::int64_t>(migrations_.size()));
      continue;
    }
    std::string marker;
    std::string section;
    std::size_t at = 0;
    while (at < file.text.size()) {
      const std::string_view line = next_line(file.text, at);
      if (line.starts_with(kMarker)) {
        take(marker, section);
        marker = line.substr(kMarker.size());
        section.clear();
        if (marker.starts_with("kind ")) files_[kind_name(marker)] = file.text;
      } else {
        section.append(line).append("\n");
      }
    }
    take(marker, section);
  }
  expand_kinds();
  expand_references();
}

void Schema::take(std::string_view marker, const std::string& text) {
  if (marker == "desired") {
    take_tables(text, desired_);
  } else if (marker == "observed") {
    take_tables(text, observed_);
  } else if (marker == "guard") {
    guard_ += text;
  } else if (marker == "fill") {
    fill_ += text;
  } else if (marker == "wake") {
    wake_ += text;
  } else if (marker == "first") {
    first_ += text;
  } else if (marker.starts_with("once ")) {
    fill_ +=
        fmt::format("INSERT OR IGNORE INTO once (table_name) VALUES ('{}');\n", marker.substr(5));
  } else if (marker == "begin" || marker == "prune") {
    scripts_["state." + std::string(marker)] += text;
  } else if (marker.starts_with("kind ")) {
    kinds_.push_back(kind_of(std::string(marker.substr(5)) + "\n" + text));
  } else if (marker == "views") {
    take_views(text);
  } else if (marker.starts_with("run ")) {
    const bool is_new = scripts_.emplace(marker.substr(4), text).second;
    CHECK(is_new);
  } else {
    CHECK(marker.empty());  // What comes before the first marker is the file's story.
  }
}

void Schema::take_views(const std::string& text) {
  views_ += text;
  std::size_t at = 0;
  while (at < text.size()) {
    if (std::string name = word_after(next_line(text, at), "CREATE VIEW "); !name.empty()) {
      view_names_.push_back(std::move(name));
    }
  }
}

// Those that have an outcome, which is recorded by a script of their own.
std::vector<std::string> Schema::world_steps(const std::string& kind) const {
  std::vector<std::string> steps;
  const std::string head = kind + ".";
  constexpr std::string_view kTail = ".done";
  for (const auto& [name, script] : scripts_) {
    if (name.starts_with(head) && name.ends_with(kTail) && name.size() > head.size() + 5) {
      steps.push_back(name.substr(head.size(), name.size() - head.size() - kTail.size()));
    }
  }
  return steps;
}

void Schema::expand_kinds() {
  std::sort(kinds_.begin(), kinds_.end(),
            [](const KindText& one, const KindText& other) { return one.name < other.name; });
  for (const KindText& kind : kinds_) {
    take_tables(case_table(kind), observed_);
    take_views(kind_views(kind, !world_steps(kind.name).empty()));
    fill_ += kind_fill(kind);
  }
  wake_ += naming_wakes(kinds_);
  for (const KindText& kind : kinds_) {
    for (const NamingColumn& of : kind.of) {
      if (of.column == "name") fill_naming(of.table);
    }
  }
}

void Schema::fill_naming(const std::string& table) {
  fill_ += fmt::format("INSERT OR IGNORE INTO naming (table_name) VALUES ('{}');\n", table);
}

void Schema::expand_references() {
  for (const TableText& table : desired_) {
    for (Reference& reference : references_of(table.name, table.sql)) {
      references_.push_back(std::move(reference));
    }
  }
  guard_ += reference_guards(references_);
  take_views(reference_violations(references_));
  wake_ += reference_wakes(references_);
  for (const Reference& each : references_) {
    if (each.deletes) fill_naming(each.table);
  }
}

std::string Schema::text_of_kind(std::string_view kind) const {
  const auto file = files_.find(kind);
  const auto declared = std::find_if(kinds_.begin(), kinds_.end(),
                                     [&](const KindText& each) { return each.name == kind; });
  if (file == files_.end() || declared == kinds_.end()) {
    return "";
  }
  return fmt::format("{}\n-- ---- Made from the line @kind {} ----\n\n{}\n{}{}", file->second, kind,
                     case_table(*declared),
                     kind_views(*declared, !world_steps(declared->name).empty()),
                     kind_fill(*declared));
}

// Tables are taken one by one, so that one whose text has changed can be rebuilt; indexes are made
// anew every time.
void Schema::take_tables(const std::string& text, std::vector<TableText>& tables) {
  bool in_table = false;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view line = next_line(text, at);
    if (std::string name = word_after(line, "CREATE TABLE "); !name.empty()) {
      tables.push_back({std::move(name), ""});
      in_table = true;
    } else if (line.starts_with("CREATE ")) {
      CHECK(line.find("INDEX") != std::string_view::npos);
      indexes_.append(line.substr(0, line.find("INDEX"))).append("INDEX IF NOT EXISTS");
      indexes_.append(line.substr(line.find("INDEX") + 5)).append("\n");
      continue;
    }
    if (in_table) {
      tables.back().sql.append(line).append("\n");
      in_table = !line.starts_with(")");
    }
  }
}

std::string Schema::views(bool temporary) const {
  std::string all = views_;
  for (const Union& whole : kUnions) {
    std::string parts;
    for (const std::string& name : view_names_) {
      if (name.ends_with(whole.suffix)) {
        parts += fmt::format("{}SELECT {} FROM {}", parts.empty() ? "" : "\nUNION ALL\n",
                             whole.columns, name);
      }
    }
    if (!parts.empty()) {
      all += fmt::format("CREATE VIEW {} AS\n{};\n", whole.name, parts);
    }
  }
  if (!temporary) {
    return all;
  }
  std::string changed;
  std::size_t at = 0;
  while (at < all.size()) {
    const std::string_view line = next_line(all, at);
    constexpr std::string_view kHead = "CREATE VIEW ";
    changed.append(line.starts_with(kHead) ? "CREATE TEMP VIEW " : "");
    changed.append(line.starts_with(kHead) ? line.substr(kHead.size()) : line).append("\n");
  }
  return changed;
}

const std::string* Schema::script(std::string_view name) const {
  const auto found = scripts_.find(name);
  return found == scripts_.end() ? nullptr : &found->second;
}

}  // namespace rowlock
