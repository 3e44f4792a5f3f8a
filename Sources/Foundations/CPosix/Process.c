// Not in the header: Swift builds it as a module beside Glibc, where both must see the same declarations.
#define _GNU_SOURCE 1

#include "CPosix.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

// MARK: - Errors

const char *posix_error_text(int number) {
  const char *text = strerror(number < 0 ? -number : number);
  return text ? text : "unknown error";
}

// MARK: - Process

int posix_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  return -pthread_atfork(prepare, parent, child);
}

int posix_at_exit(void (*body)(void)) { return atexit(body) == 0 ? 0 : -ENOMEM; }

size_t posix_program_name(char *buffer, size_t byte_count) {
  const char *name = program_invocation_short_name;
  size_t count = name ? strlen(name) : 0;
  if (count > byte_count) count = byte_count;
  memcpy(buffer, name ? name : "", count);
  return count;
}

long posix_program_path(char *buffer, size_t byte_count) {
  if (byte_count == 0) return -EINVAL;
  ssize_t count = readlink("/proc/self/exe", buffer, byte_count - 1);
  if (count < 0) return -errno;
  buffer[count] = 0;
  return count;
}

static int redirect(posix_spawn_file_actions_t *actions, int source, int target) {
  if (source < 0) return posix_spawn_file_actions_addopen(actions, target, "/dev/null", O_RDWR, 0);
  return posix_spawn_file_actions_adddup2(actions, source, target);
}

int posix_start_program(
    const char *path, char *const *arguments, char *const *environment, int standard_input, int standard_output,
    int standard_error, bool new_session) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (new_session) flags |= POSIX_SPAWN_SETSID;
  posix_spawnattr_setflags(&attributes, flags);
  int result = redirect(&actions, standard_input, 0);
  if (!result) result = redirect(&actions, standard_output, 1);
  if (!result) result = redirect(&actions, standard_error, 2);
  pid_t process = 0;
  if (!result)
    result = posix_spawn(
        &process, path, &actions, &attributes, (char *const *)arguments,
        environment ? (char *const *)environment : environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return result ? -result : process;
}

int posix_wait_program(int process_id, bool no_hang) {
  int status = 0;
  for (;;) {
    pid_t result = waitpid(process_id, &status, no_hang ? WNOHANG : 0);
    if (result == 0) return -EAGAIN;
    if (result < 0 && errno == EINTR) continue;
    if (result < 0) return -errno;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
  }
}

int posix_send_signal(int process_id, int signal_number) {
  return kill(process_id, signal_number) == 0 ? 0 : -errno;
}

int posix_block_signal(int signal_number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal_number);
  return sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? 0 : -errno;
}

int posix_wait_signal(const int *signals, int count, int64_t nanoseconds) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  for (;;) {
    int result = nanoseconds < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &limit);
    if (result >= 0) return result;
    if (errno != EINTR) return -errno;
  }
}

int posix_ignore_signal(int signal_number) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_IGN;
  return sigaction(signal_number, &action, NULL) == 0 ? 0 : -errno;
}

// MARK: - Time

static uint64_t clock_nanoseconds(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) != 0) return 0;
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t posix_monotonic_nanoseconds(void) { return clock_nanoseconds(CLOCK_MONOTONIC); }
uint64_t posix_wall_nanoseconds(void) { return clock_nanoseconds(CLOCK_REALTIME); }
uint64_t posix_thread_cpu_nanoseconds(void) { return clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID); }

void posix_sleep_nanoseconds(uint64_t nanoseconds) {
  struct timespec rest = {.tv_sec = (time_t)(nanoseconds / 1000000000u), .tv_nsec = (long)(nanoseconds % 1000000000u)};
  while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
  }
}

// MARK: - Randomness

void posix_random(void *buffer, size_t byte_count) {
  char *next = buffer;
  while (byte_count > 0) {
    ssize_t count = getrandom(next, byte_count, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    next += count;
    byte_count -= (size_t)count;
  }
}

// Embedded Swift's hashing calls `arc4random_buf`, which glibc has only since 2.36. This one stays inside the library.
__attribute__((visibility("hidden"))) void arc4random_buf(void *buffer, size_t byte_count) {
  posix_random(buffer, byte_count);
}

int posix_die_with_parent(int signal_number) {
  return prctl(PR_SET_PDEATHSIG, (unsigned long)signal_number, 0, 0, 0) == 0 ? 0 : -errno;
}

// MARK: - Dynamic linking

// As for threads: the versions of 2002, weakly, because they lived in libdl.so.2 before glibc 2.34.
typedef struct {
  const char *dli_fname;
  void *dli_fbase;
  const char *dli_sname;
  void *dli_saddr;
} library_place;
extern void *old_dlsym(void *, const char *) __attribute__((weak));
__asm__(".symver old_dlsym,dlsym@GLIBC_2.2.5");
extern int old_dladdr(const void *, library_place *) __attribute__((weak));
__asm__(".symver old_dladdr,dladdr@GLIBC_2.2.5");
extern void *old_dlopen(const char *, int) __attribute__((weak));
__asm__(".symver old_dlopen,dlopen@GLIBC_2.2.5");

void *posix_dynamic_symbol(const char *name) { return old_dlsym ? old_dlsym(NULL, name) : NULL; }

void *posix_open_library(const char *path) {
  enum { BIND_NOW = 2 };
  return old_dlopen ? old_dlopen(path, BIND_NOW) : NULL;
}

void *posix_library_symbol(void *library, const char *name) { return old_dlsym ? old_dlsym(library, name) : NULL; }

bool posix_library_path(const void *address, char *buffer, size_t byte_count) {
  library_place place;
  memset(&place, 0, sizeof place);
  if (!old_dladdr || byte_count == 0 || old_dladdr(address, &place) == 0 || !place.dli_fname) return false;
  strncpy(buffer, place.dli_fname, byte_count - 1);
  buffer[byte_count - 1] = 0;
  return true;
}

// MARK: - CPU

bool posix_cpu_has_avx2(void) { return __builtin_cpu_supports("avx2"); }
bool posix_cpu_has_fma(void) { return __builtin_cpu_supports("fma"); }
