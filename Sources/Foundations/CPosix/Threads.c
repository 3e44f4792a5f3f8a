// Not in the header: Swift builds it as a module beside Glibc, where both must see the same declarations.
#define _GNU_SOURCE 1

#include "CPosix.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

// The one function of libpthread that has no substitute. Its version of 2002 is asked for, and weakly: before glibc
// 2.34 it lives in libpthread.so.0, which a program that never uses threads may not have loaded. Then starting a thread
// fails with an error; the libraries still load. (Every CUDA program has libpthread: libcudart needs it.)
extern int old_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) __attribute__((weak));
__asm__(".symver old_pthread_create,pthread_create@GLIBC_2.2.5");
extern int old_pthread_attr_setstacksize(pthread_attr_t *, size_t) __attribute__((weak));
__asm__(".symver old_pthread_attr_setstacksize,pthread_attr_setstacksize@GLIBC_2.2.5");

_Thread_local void *posix_thread_slots[8] = {0};

// MARK: - Futex

int posix_futex_wait(void *word, uint32_t expected, int64_t nanoseconds, bool shared) {
  struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  int operation = FUTEX_WAIT | (shared ? 0 : FUTEX_PRIVATE_FLAG);
  long result = syscall(SYS_futex, word, operation, expected, nanoseconds < 0 ? NULL : &limit, NULL, 0);
  return result == 0 ? 0 : -errno;
}

int posix_futex_wake(void *word, int count, bool shared) {
  int saved = errno;
  long result = syscall(SYS_futex, word, FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG), count, NULL, NULL, 0);
  errno = saved;
  return result < 0 ? 0 : (int)result;
}

void posix_lock_acquire_slow(uint32_t *word) {
  int saved = errno;
  // Most holders are gone within a microsecond: a sleep costs far more than that.
  for (int attempt = 0; attempt < 40; attempt++) {
    if (posix_lock_try_acquire(word)) return;
    posix_spin_hint();
  }
  while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0) posix_futex_wait(word, 2, -1, false);
  errno = saved;
}

// MARK: - Threads

struct thread_start {
  void (*body)(void *);
  void *argument;
};

static void *thread_main(void *raw) {
  struct thread_start start = *(struct thread_start *)raw;
  free(raw);
  start.body(start.argument);
  return NULL;
}

int posix_thread_start(void (*body)(void *), void *argument, size_t stack_byte_count) {
  if (!old_pthread_create) return -ENOSYS;
  struct thread_start *start = malloc(sizeof *start);
  if (!start) return -ENOMEM;
  *start = (struct thread_start){.body = body, .argument = argument};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  if (stack_byte_count && old_pthread_attr_setstacksize) old_pthread_attr_setstacksize(&attributes, stack_byte_count);
  // A library's thread must not run its host's signal handlers.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int result = old_pthread_create(&thread, &attributes, thread_main, start);
  sigprocmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (result) free(start);
  return -result;
}

extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);
extern void *__dso_handle __attribute__((visibility("hidden")));

int posix_at_thread_exit(void (*body)(void *), void *argument) {
  return __cxa_thread_atexit_impl(body, argument, &__dso_handle) == 0 ? 0 : -ENOMEM;
}

void posix_thread_set_name(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
int posix_thread_id(void) { return (int)syscall(SYS_gettid); }
void posix_yield(void) { sched_yield(); }

int posix_cpu_count(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  int count = CPU_COUNT(&set);
  return count > 0 ? count : 1;
}
