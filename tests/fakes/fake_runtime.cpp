// What a test says to the fake and asks of it; the calls of the port itself are in
// fake_runtime_port.cpp. Listeners are called outside the lock, since they may call back.
#include "tests/fakes/fake_runtime.h"

#include <utility>

namespace rowlock {

FakeRuntime::FakeRuntime(EngineFacts facts) : facts_(std::move(facts)) {}

// ---- What a test says --------------------------------------------------------------------------

void FakeRuntime::add_network(const std::string& network) {
  const std::lock_guard<std::mutex> lock(mutex_);
  networks_.insert(network);
}

void FakeRuntime::lack_program(const std::string& program) {
  const std::lock_guard<std::mutex> lock(mutex_);
  lacking_programs_.insert(program);
}

void FakeRuntime::lack_folder(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(mutex_);
  lacking_folders_.insert(folder);
}

void FakeRuntime::have_folder(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(mutex_);
  lacking_folders_.erase(folder);
}

void FakeRuntime::take_port(int port) {
  const std::lock_guard<std::mutex> lock(mutex_);
  taken_ports_.insert(port);
}

void FakeRuntime::free_port(int port) {
  const std::lock_guard<std::mutex> lock(mutex_);
  taken_ports_.erase(port);
}

void FakeRuntime::script_command(const std::vector<std::string>& command, Script script) {
  const std::lock_guard<std::mutex> lock(mutex_);
  scripts_[command] = std::move(script);
}

void FakeRuntime::exit_at_once(const std::string& image, int exit_code) {
  const std::lock_guard<std::mutex> lock(mutex_);
  image_exit_codes_[image] = exit_code;
}

void FakeRuntime::run_on(const std::string& image) {
  const std::lock_guard<std::mutex> lock(mutex_);
  image_exit_codes_.erase(image);
}

void FakeRuntime::set_image_exec(const std::string& image, ExecResult result) {
  const std::lock_guard<std::mutex> lock(mutex_);
  image_execs_[image] = std::move(result);
}

void FakeRuntime::set_container_exec(const std::string& name, ExecResult result) {
  const std::lock_guard<std::mutex> lock(mutex_);
  container_execs_[name] = std::move(result);
}

void FakeRuntime::set_faults(
    std::function<FaultPlan(const std::string& call, const std::string& name)> faults) {
  const std::lock_guard<std::mutex> lock(mutex_);
  faults_ = std::move(faults);
}

void FakeRuntime::on_event(
    std::function<void(const std::string& home, const std::string& container)> listener) {
  const std::lock_guard<std::mutex> lock(mutex_);
  listener_ = std::move(listener);
}

template <typename Act>
void FakeRuntime::behind_the_back(const std::string& name, Act act) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    Entry* const found = entry(name);
    if (found != nullptr) act(*found);
  }
  tell_events();
}

void FakeRuntime::kill(const std::string& name, int exit_code) {
  behind_the_back(name, [&](Entry& found) {
    if (found.is_active()) end(found, exit_code);
  });
}

void FakeRuntime::pause(const std::string& name) {
  behind_the_back(name, [&](Entry& found) {
    if (found.shown.state != ContainerState::running) return;
    found.shown.state = ContainerState::paused;
    note_event(found);
  });
}

void FakeRuntime::erase_claims(const std::string& home) {
  const std::lock_guard<std::mutex> lock(mutex_);
  claims_.erase(home);
}

void FakeRuntime::erase(const std::string& name) {
  behind_the_back(name, [&](Entry& found) {
    note_event(found);
    entries_.erase(name);
  });
}

// ---- What a test looks at ----------------------------------------------------------------------

std::vector<Container> FakeRuntime::containers() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Container> result;
  for (const auto& [name, found] : entries_) result.push_back(found.shown);
  return result;
}

std::optional<ContainerSpec> FakeRuntime::spec(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return std::nullopt;
  return found->second.spec;
}

std::vector<std::string> FakeRuntime::signals(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(name);
  return found == entries_.end() ? std::vector<std::string>() : found->second.signals;
}

std::vector<Mount> FakeRuntime::kept(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(name);
  return found == entries_.end() ? std::vector<Mount>() : found->second.kept;
}

std::vector<std::string> FakeRuntime::images() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> result;
  for (const auto& [image, there] : images_) result.push_back(image);
  return result;
}

std::int64_t FakeRuntime::changes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return changes_;
}

// ---- Events ------------------------------------------------------------------------------------

// Outside the lock, since the listener may call back.
void FakeRuntime::tell_events() {
  std::vector<Event> events;
  std::function<void(const std::string&, const std::string&)> listener;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    events.swap(untold_);
    listener = listener_;
  }
  if (!listener) return;
  for (const Event& event : events) listener(event.home, event.container);
}

FakeRuntime::Entry* FakeRuntime::entry(const std::string& name) {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

void FakeRuntime::note_event(const Entry& entry) {
  const Event event{entry.spec.home, entry.spec.name};
  untold_.push_back(event);
  history_.push_back(event);
  happened_.notify_all();
}

void FakeRuntime::end(Entry& entry, int exit_code) {
  entry.shown.state = ContainerState::exited;
  entry.shown.exit_code = exit_code;
  entry.shown.address.clear();
  entry.shown.published.clear();
  note_event(entry);
}

}  // namespace rowlock
