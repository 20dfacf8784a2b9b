// The first program of a container that has a secret environment. It adds the entries of
// /run/secrets/.environment to the environment it was given and becomes the image's own program,
// which its arguments name. So the values are nowhere but in that file and in the program: the
// engine never learns them.
//
// It must run in any image, as any user, with nothing around it. Hence no library, not even C's:
// what it asks of the kernel it asks itself, and all memory it ever needs is set aside below. The
// process stays the same one, its signals are as they were.
#include <cstddef>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr char kEnvironmentPath[] = "/run/secrets/.environment";  // As the port has it.
// Where the engine looks when the image does not say.
constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

constexpr std::size_t kEnvironmentBytesMax = 1024 * 1024;
constexpr std::size_t kEntriesMax = 32 * 1024;
constexpr std::size_t kPathBytesMax = 4096;
constexpr std::size_t kSentenceBytesMax = 1024;

// As env, nohup, chroot and docker itself have them.
constexpr int kExitOwnFault = 125;
constexpr int kExitNotRunnable = 126;
constexpr int kExitNotFound = 127;

// Left out of the file, and given by the kernel only as far as they are touched. One byte and one
// pointer more, so that each always has an end.
char environment_bytes[kEnvironmentBytesMax + 1];
char* environment[kEntriesMax + 1];
char path[kPathBytesMax];
char sentence[kSentenceBytesMax];

// ---- The kernel ---------------------------------------------------------------------------------

// The result, or -errno.
#if defined(__x86_64__)
long call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  long result;
  register long fourth asm("r10") = d;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
               : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
long call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long which asm("x8") = number;
  register long first asm("x0") = a;
  register long second asm("x1") = b;
  register long third asm("x2") = c;
  register long fourth asm("x3") = d;
  asm volatile("svc 0" : "+r"(first) : "r"(which), "r"(second), "r"(third), "r"(fourth) : "memory");
  return first;
}
#else
#error "add this architecture's system call and entry to controller/launcher/launch.cpp"
#endif

long address(const void* of) { return reinterpret_cast<long>(of); }

[[noreturn]] void leave(int exit_code) {
  while (true) call(SYS_exit_group, exit_code);
}

// ---- Words --------------------------------------------------------------------------------------

std::size_t length(const char* text) {
  std::size_t count = 0;
  while (text[count] != '\0') ++count;
  return count;
}

// What the kernel's refusals mean, where somebody can act on it.
const char* meaning(long error) {
  switch (error) {
    case EACCES: return "permission denied";
    case EPERM: return "operation not permitted";
    case ENOENT: return "the program that should interpret or load it is missing";
    case ENOEXEC: return "not a program for this machine, or a script without #!";
    case E2BIG: return "its arguments and environment are too long";
    case ENOMEM: return "out of memory";
    case EISDIR: return "it is a folder";
    case ELOOP: return "too many links";
    case ETXTBSY: return "it is being written";
    default: return "the kernel refused";
  }
}

// Ends with one sentence made of these parts. None may be of the secret environment.
[[noreturn]] void fail(int exit_code, const char* before, const char* name, const char* after) {
  const char* const parts[] = {"rowlock-launch: ", before, name, after, "\n"};
  std::size_t used = 0;
  for (const char* part : parts) {
    for (; *part != '\0' && used < kSentenceBytesMax - 1; ++part) sentence[used++] = *part;
  }
  sentence[used - 1] = '\n';  // Also of a sentence that was cut.
  call(SYS_write, STDERR_FILENO, address(sentence), static_cast<long>(used));
  leave(exit_code);
}

// ---- The environment ----------------------------------------------------------------------------

// What the file holds, its end a NUL; nothing when there is none.
void read_environment_file() {
  const long fd = call(SYS_openat, AT_FDCWD, address(kEnvironmentPath), O_RDONLY | O_CLOEXEC);
  if (fd == -ENOENT || fd == -ENOTDIR) return;
  if (fd < 0) fail(kExitOwnFault, kEnvironmentPath, " cannot be read: ", meaning(-fd));
  std::size_t used = 0;
  while (used <= kEnvironmentBytesMax) {
    const long count = call(SYS_read, fd, address(environment_bytes + used),
                            static_cast<long>(kEnvironmentBytesMax + 1 - used));
    if (count == -EINTR) continue;
    if (count < 0) fail(kExitOwnFault, kEnvironmentPath, " cannot be read: ", meaning(-count));
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
  }
  if (used > kEnvironmentBytesMax) fail(kExitOwnFault, kEnvironmentPath, " is too long", "");
  call(SYS_close, fd);
}

bool same_name(const char* one, const char* other) {
  for (; *one == *other; ++one, ++other) {
    if (*one == '=' || *one == '\0') return true;
  }
  return false;
}

// In place of the one with the same name, or after all others.
void add(char* entry) {
  std::size_t at = 0;
  while (environment[at] != nullptr && !same_name(environment[at], entry)) ++at;
  if (at == kEntriesMax) fail(kExitOwnFault, "the environment has too many entries", "", "");
  environment[at] = entry;
}

void gather_environment(char** given) {
  std::size_t count = 0;
  for (; given[count] != nullptr; ++count) {
    if (count == kEntriesMax) fail(kExitOwnFault, "the environment has too many entries", "", "");
    environment[count] = given[count];
  }
  read_environment_file();
  for (char* entry = environment_bytes; *entry != '\0'; entry += length(entry) + 1) add(entry);
}

const char* search_path() {
  for (char** entry = environment; *entry != nullptr; ++entry) {
    if (same_name(*entry, "PATH=")) return *entry + sizeof("PATH=") - 1;
  }
  return kDefaultPath;
}

// ---- The program --------------------------------------------------------------------------------

// Returns only when the kernel refuses, with its reason.
long become(const char* program, char** arguments) {
  return -call(SYS_execve, address(program), address(arguments), address(environment));
}

bool exists(const char* file) { return call(SYS_faccessat, AT_FDCWD, address(file), F_OK) == 0; }

[[noreturn]] void become_at(const char* program, char** arguments) {
  const long error = become(program, arguments);
  if ((error == ENOENT && !exists(program)) || error == ENOTDIR) {
    fail(kExitNotFound, program, ": ", "there is no such program");
  }
  fail(error == ENOENT ? kExitNotFound : kExitNotRunnable, program, ": ", meaning(error));
}

// Tries every folder, as a shell does. One that denies it does not end the search, but is what the
// sentence is about when nothing else is found.
[[noreturn]] void become_found(const char* program, char** arguments) {
  const std::size_t program_length = length(program);
  bool was_denied = false;
  const char* folder = search_path();
  while (true) {
    std::size_t used = 0;
    while (folder[used] != ':' && folder[used] != '\0') ++used;
    if (used + 1 + program_length < kPathBytesMax) {
      std::size_t at = 0;
      for (; at < used; ++at) path[at] = folder[at];
      if (used > 0) path[at++] = '/';  // An empty one is the working folder.
      for (std::size_t i = 0; i <= program_length; ++i) path[at++] = program[i];
      const long error = become(path, arguments);
      was_denied = was_denied || error == EACCES;
      const bool is_elsewhere = error == ENOTDIR || error == EACCES || error == ENAMETOOLONG ||
                                (error == ENOENT && !exists(path));
      if (!is_elsewhere) {
        fail(error == ENOENT ? kExitNotFound : kExitNotRunnable, path, ": ", meaning(error));
      }
    }
    if (folder[used] == '\0') break;
    folder += used + 1;
  }
  if (was_denied) fail(kExitNotRunnable, program, ": ", meaning(EACCES));
  fail(kExitNotFound, program, ": ", "there is no such program in PATH");
}

bool has_slash(const char* text) {
  for (; *text != '\0'; ++text) {
    if (*text == '/') return true;
  }
  return false;
}

}  // namespace

// The kernel's stack: the number of arguments, the arguments, a null, the environment, a null.
extern "C" [[noreturn]] void launch(long* stack) {
  char** const arguments = reinterpret_cast<char**>(stack + 1);
  gather_environment(arguments + stack[0] + 1);
  if (stack[0] < 2) fail(kExitOwnFault, "there is no program to become", "", "");
  const char* const program = arguments[1];
  if (*program == '\0') fail(kExitNotFound, "the program's name is empty", "", "");
  if (has_slash(program)) become_at(program, arguments + 1);
  become_found(program, arguments + 1);
}

#if defined(__x86_64__)
asm(".globl _start\n_start:\n  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call "
    "launch\n");
#elif defined(__aarch64__)
asm(".globl _start\n_start:\n  mov x29, #0\n  mov x0, sp\n  bl launch\n");
#endif
