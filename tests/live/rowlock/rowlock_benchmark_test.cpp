// The containers of rows that say no more than they must, against what can be looked up of section
// 5 of the CIS Docker Benchmark (1.6.0): https://www.cisecurity.org/benchmark/docker. It prints
// what it found. What only a person can judge (5.9, 5.19, 5.23, 5.24, 5.28) is not in it.
#include "tests/live/rowlock/rowlock_home.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

using namespace rowlock;
using namespace rowlock_live;

namespace {

struct Look {
  const Json& container;  // As the engine describes it.
  const Json& engine;
  LiveHome& home;

  const Json host() const { return container["HostConfig"]; }
};

bool has(const Json& list, const std::string& part) {
  const std::vector<Json> items = list.items();
  return std::any_of(items.begin(), items.end(), [&](const Json& item) {
    return item.as_string().find(part) != std::string::npos;
  });
}

// A check returns what is wrong; "" is well.
std::string need(bool is_so, const std::string& otherwise) { return is_so ? "" : otherwise; }

std::string is_not_host(const Look& look, const char* mode) {
  return need(look.host()[mode].as_string() != "host", std::string(mode) + " is the host's");
}

std::string profile(const Look& look) {
  if (!has(look.engine["SecurityOptions"], "apparmor")) return "";  // The node has none.
  return need(!look.container["AppArmorProfile"].as_string().empty(), "no AppArmor profile");
}

std::string capabilities(const Look& look) {
  return need(has(look.host()["CapDrop"], "ALL") && look.host()["CapAdd"].items().empty(),
              "keeps capabilities");
}

std::string mounts(const Look& look) {
  static constexpr const char* kSensitive[] = {"/",    "/boot", "/dev", "/etc",
                                               "/lib", "/proc", "/sys", "/usr"};
  for (const Json& mount : look.container["Mounts"].items()) {
    const std::string source = mount["Source"].as_string();
    for (const char* folder : kSensitive) {
      if (source == folder) return "mounts " + source;
    }
    if (source.ends_with("docker.sock")) return "mounts the engine's socket";
    if (mount["Propagation"].as_string().find("shared") != std::string::npos) {
      return "shares mounts at " + mount["Destination"].as_string();
    }
  }
  return "";
}

std::string ports(const Look& look) {
  for (const auto& [port, places] : look.container["NetworkSettings"]["Ports"].members()) {
    for (const Json& place : places.items()) {
      if (place["HostIp"].as_string() != "127.0.0.1") return port + " is bound to all addresses";
      if (std::stoi(place["HostPort"].as_string()) < 1024) return port + " is privileged";
    }
  }
  return "";
}

std::string restarts(const Look& look) {
  const std::string name = look.host()["RestartPolicy"]["Name"].as_string();
  return need(name.empty() || name == "no", "the engine restarts it by itself: " + name);
}

// Rowlock asks, not the engine: how it stands is in `instance`.
std::string health(const Look& look) {
  const std::string known = look.home.state(
      fmt::format("SELECT healthy_at_ms IS NOT NULL FROM instance WHERE name = '{}'",
                  look.container["Name"].as_string().substr(1)));
  return need(known == "1", "nobody knows whether it is well");
}

struct Check {
  const char* number;
  const char* title;
  std::string (*fault)(const Look&);
};

constexpr Check kChecks[] = {
    {"5.1", "swarm mode is not enabled",
     [](const Look& look) {
       return need(look.engine["Swarm"]["LocalNodeState"].as_string() != "active", "it is");
     }},
    {"5.2", "an AppArmor profile, where the node has AppArmor", profile},
    {"5.3", "security options are set",
     [](const Look& look) {
       return need(!look.host()["SecurityOpt"].items().empty(), "there are none");
     }},
    {"5.4", "capabilities are dropped", capabilities},
    {"5.5", "not privileged",
     [](const Look& look) { return need(!look.host()["Privileged"].as_boolean(), "it is"); }},
    {"5.6, 5.20, 5.32", "no sensitive folder, shared mount or engine's socket", mounts},
    {"5.7", "no sshd",
     [](const Look& look) {
       return need(look.container["Path"].as_string().find("sshd") == std::string::npos, "one");
     }},
    {"5.8, 5.14", "ports are not privileged, and bound to one interface", ports},
    {"5.10", "a network of its own",
     [](const Look& look) { return is_not_host(look, "NetworkMode"); }},
    {"5.11", "memory is limited",
     [](const Look& look) { return need(look.host()["Memory"].as_integer() > 0, "no limit"); }},
    {"5.12", "a CPU priority is set",
     [](const Look& look) {
       const std::int64_t shares = look.host()["CpuShares"].as_integer();
       return need(shares != 0 && shares != 1024, "as any other");
     }},
    {"5.13", "the root filesystem is read-only",
     [](const Look& look) {
       return need(look.host()["ReadonlyRootfs"].as_boolean(), "it can be written to");
     }},
    {"5.15", "the engine restarts it never, or five times", restarts},
    {"5.16", "processes of its own", [](const Look& look) { return is_not_host(look, "PidMode"); }},
    {"5.17", "IPC of its own", [](const Look& look) { return is_not_host(look, "IpcMode"); }},
    {"5.18", "no device of the host",
     [](const Look& look) { return need(look.host()["Devices"].items().empty(), "has one"); }},
    {"5.21", "a UTS namespace of its own",
     [](const Look& look) { return is_not_host(look, "UTSMode"); }},
    {"5.22", "the seccomp profile is on",
     [](const Look& look) {
       return need(!has(look.host()["SecurityOpt"], "seccomp=unconfined"), "it is off");
     }},
    {"5.25", "the usual cgroup",
     [](const Look& look) {
       return need(look.host()["CgroupParent"].as_string().empty(), "another one");
     }},
    {"5.26", "no new privileges",
     [](const Look& look) {
       return need(has(look.host()["SecurityOpt"], "no-new-privileges"), "it may gain some");
     }},
    {"5.27", "its health is looked at (by Rowlock, not by the engine)", health},
    {"5.29", "processes are limited",
     [](const Look& look) { return need(look.host()["PidsLimit"].as_integer() > 0, "no limit"); }},
    {"5.30", "not the default bridge",
     [](const Look& look) {
       const std::string mode = look.host()["NetworkMode"].as_string();
       return need(mode != "bridge" && mode != "default", "docker0");
     }},
    {"5.31", "not the host's user namespace",
     [](const Look& look) { return is_not_host(look, "UsernsMode"); }},
};

}  // namespace

Test(live_rowlock_benchmark, default_rows_pass_section_5_of_the_cis_docker_benchmark,
     .timeout = 180) {
  LiveHome home;
  home.start_and_reach();
  home.accept(
      "BEGIN; INSERT INTO job (name, image, command) VALUES ('plain', '" + std::string(kImage) +
      R"(', '["sleep","100000"]');)" +
      "INSERT INTO job_port (job, label, port, host_port) VALUES ('plain', 'http', 8080, 0);"
      "INSERT INTO job_mount (job, path, source) VALUES ('plain', '/data', 'cis-plain');"
      "INSERT INTO job_env (job, name, value) VALUES ('plain', 'WHO', 'me'); COMMIT;");
  home.await_converged("plain");

  const Json container = home.inspect(home.running("plain").front().name);
  const Json engine = home.ask_engine("GET", "/info");
  const Look look{container, engine, home};
  int failures = 0;
  for (const Check& check : kChecks) {
    const std::string fault = check.fault(look);
    failures += fault.empty() ? 0 : 1;
    std::fprintf(stderr, "%-4s %-16s %s%s\n", fault.empty() ? "PASS" : "FAIL", check.number,
                 check.title, fault.empty() ? "" : (": " + fault).c_str());
  }
  cr_expect_eq(failures, 0);
  home.edit("DELETE FROM job_mount; DELETE FROM job");
  home.await("SELECT count(*) FROM instance", "0");
  home.ask_engine("DELETE", "/volumes/cis-plain");
}

// Whoever does what `why` says of a read-only root has a job that runs.
Test(live_rowlock_benchmark, a_program_that_writes_to_its_root_is_told_how_it_may, .timeout = 180) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job(
      "cache",
      {{"command", R"('["sh","-c","mkdir -p /cache/x && sleep 10000"]')"}, {"failures_max", "2"}}));
  home.await_why("cache", "it may write to its mounts alone");
  const std::string said = home.verb({"why", "cache"});
  const std::size_t from = said.find("INSERT INTO job_mount");
  require(from != std::string::npos && said.find("job.read_only_root to 0") != std::string::npos,
          said);
  std::string hint = said.substr(from, said.find(" for the folder", from) - from);
  hint.replace(hint.find("FOLDER"), 6, "'/cache'");

  home.accept(hint);
  home.await_converged("cache");

  home.accept("DELETE FROM job_mount; UPDATE job SET read_only_root = 0");
  home.await_converged("cache");
}

// /run, /tmp and /var/tmp can be written to all the same, and are gone with the container.
Test(live_rowlock_benchmark, the_usual_folders_for_what_passes_can_be_written_to, .timeout = 180) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job(
      "pid", {{"user", "'1000:1000'"},
              {"command", R"('["sh","-c","echo 1 > /run/pid && echo 1 > /tmp/x && echo 1 > )"
                          R"(/var/tmp/y && sleep 10000"]')"}}));
  home.await_converged("pid");
  cr_expect_eq(home.inspect(home.running("pid").front().name)["Mounts"].items().size(), 3);

  home.accept(R"(UPDATE job SET read_only_tmpfs = 0, command = '["sleep","10000"]')");
  home.await_converged("pid");
  cr_expect(home.inspect(home.running("pid").front().name)["Mounts"].items().empty());
}
