// What Swift needs of the C library, without `import Glibc`: Embedded Swift has no such module.
//
// Rules of this module:
// - Nothing here needs a symbol version above GLIBC_2.28, so that the client libraries load into old systems too.
//   Functions whose newest version is younger (`stat`, `dlsym`, `pthread_create`, …) are reached through a system call
//   or an older version; the C files say which. Call the `posix_` wrappers below, never those functions.
// - Failures are returned as negative error numbers (`-ENOENT`), so that no caller has to read `errno` in time.
// - No structure of the C library appears in a signature.

#ifndef ROOST_CPOSIX_H
#define ROOST_CPOSIX_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if __clang__
#pragma clang assume_nonnull begin
#endif

// MARK: - Errors

/// The calling thread's `errno`.
static inline int posix_errno(void) { return errno; }
enum { POSIX_ERROR_EXISTS = EEXIST };
static inline void posix_set_errno(int value) { errno = value; }
/// The error number's English text; static storage.
const char *posix_error_text(int number);

// MARK: - Atomics on memory that Swift's `Atomic` can't own

static inline uint32_t posix_atomic_load_acquire_32(const void *word) {
  return __atomic_load_n((const uint32_t *)word, __ATOMIC_ACQUIRE);
}
static inline uint32_t posix_atomic_load_relaxed_32(const void *word) {
  return __atomic_load_n((const uint32_t *)word, __ATOMIC_RELAXED);
}
static inline void posix_atomic_store_release_32(void *word, uint32_t value) {
  __atomic_store_n((uint32_t *)word, value, __ATOMIC_RELEASE);
}
static inline uint32_t posix_atomic_exchange_32(void *word, uint32_t value) {
  return __atomic_exchange_n((uint32_t *)word, value, __ATOMIC_SEQ_CST);
}
static inline uint32_t posix_atomic_add_32(void *word, uint32_t value) {
  return __atomic_fetch_add((uint32_t *)word, value, __ATOMIC_SEQ_CST);
}
static inline bool posix_atomic_compare_exchange_32(void *word, uint32_t expected, uint32_t desired) {
  return __atomic_compare_exchange_n((uint32_t *)word, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
static inline uint64_t posix_atomic_load_acquire_64(const void *word) {
  return __atomic_load_n((const uint64_t *)word, __ATOMIC_ACQUIRE);
}
static inline uint64_t posix_atomic_load_relaxed_64(const void *word) {
  return __atomic_load_n((const uint64_t *)word, __ATOMIC_RELAXED);
}
static inline void posix_atomic_store_release_64(void *word, uint64_t value) {
  __atomic_store_n((uint64_t *)word, value, __ATOMIC_RELEASE);
}
static inline uint64_t posix_atomic_add_64(void *word, uint64_t value) {
  return __atomic_fetch_add((uint64_t *)word, value, __ATOMIC_SEQ_CST);
}
/// Orders all earlier stores before all later loads, of every thread.
static inline void posix_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
/// Tells the core that this is a spin loop.
static inline void posix_spin_hint(void) { __builtin_ia32_pause(); }

// MARK: - Futex

/// Sleeps while `*word == expected`, at most `nanoseconds` (negative: forever).
/// 0, or `-EAGAIN`, `-EINTR`, `-ETIMEDOUT`.
int posix_futex_wait(void *word, uint32_t expected, int64_t nanoseconds, bool shared);
/// Wakes at most `count` sleepers; the number woken.
int posix_futex_wake(void *word, int count, bool shared);

// MARK: - Lock: 0 free, 1 held, 2 held with sleepers

void posix_lock_acquire_slow(uint32_t *word);

static inline void posix_lock_acquire(uint32_t *word) {
  uint32_t expected = 0;
  if (__builtin_expect(
          !__atomic_compare_exchange_n(word, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED), 0))
    posix_lock_acquire_slow(word);
}
static inline bool posix_lock_try_acquire(uint32_t *word) {
  uint32_t expected = 0;
  return __atomic_compare_exchange_n(word, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
static inline void posix_lock_release(uint32_t *word) {
  if (__builtin_expect(__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2, 0)) posix_futex_wake(word, 1, false);
}

// MARK: - Thread-local slots

/// One pointer-sized slot per thread and index 0…7; all start as null.
enum { POSIX_THREAD_SLOT_COUNT = 8 };
extern __attribute__((visibility("hidden"))) _Thread_local void *_Nullable posix_thread_slots[8];

static inline void *_Nullable posix_thread_slot(uint32_t index) { return posix_thread_slots[index & 7]; }
static inline void posix_set_thread_slot(uint32_t index, void *_Nullable value) {
  posix_thread_slots[index & 7] = value;
}

// MARK: - Threads

/// Starts a detached thread with all signals blocked. `stack_byte_count` 0: the default. 0 or a negative error number.
int posix_thread_start(void (*body)(void *_Nullable), void *_Nullable argument, size_t stack_byte_count);
/// Calls `body(argument)` when the calling thread ends. 0 or negative.
int posix_at_thread_exit(void (*body)(void *_Nullable), void *_Nullable argument);
/// Names the calling thread; at most 15 bytes count.
void posix_thread_set_name(const char *name);
/// The kernel's id of the calling thread.
int posix_thread_id(void);
void posix_yield(void);
/// CPUs that this process may run on; at least 1.
int posix_cpu_count(void);

// MARK: - Process

/// Handlers around `fork`; each may be null. 0 or negative.
int posix_at_fork(void (*_Nullable prepare)(void), void (*_Nullable parent)(void), void (*_Nullable child)(void));
/// Calls `body` at a normal exit. 0 or negative.
int posix_at_exit(void (*body)(void));
/// An environment variable's value, or null.
static inline const char *_Nullable posix_environment(const char *name) { return getenv(name); }
/// Sets an environment variable. 0 or negative.
static inline int posix_set_environment(const char *name, const char *value) {
  return setenv(name, value, 1) == 0 ? 0 : -errno;
}
static inline int posix_process_id(void) { return getpid(); }
/// Copies the running program's name (without its folder) into `buffer`; its length in bytes.
size_t posix_program_name(char *buffer, size_t byte_count);
/// Copies the running program's absolute path into `buffer` (with a terminator); its length or a negative error number.
long posix_program_path(char *buffer, size_t byte_count);
/// Starts a program. `arguments` and `environment` end with null; a descriptor of -1 means /dev/null.
/// With `new_session` it survives its parent's terminal. The process id or a negative error number.
int posix_start_program(
    const char *path, char *_Nullable const *_Nonnull arguments, char *_Nullable const *_Nullable environment,
    int standard_input, int standard_output, int standard_error, bool new_session);
/// Waits for a child. Its exit status, 128 + signal, `-EAGAIN` when `no_hang` and it runs still, or a negative error
/// number.
int posix_wait_program(int process_id, bool no_hang);
/// 0 or a negative error number; signal 0 only asks.
int posix_send_signal(int process_id, int signal_number);
/// Blocks a signal in the calling thread and in threads it starts.
int posix_block_signal(int signal_number);
/// Waits for one of `count` blocked signals, at most `nanoseconds` (negative: forever).
/// Its number, or `-EAGAIN` at the end of the time.
int posix_wait_signal(const int *signals, int count, int64_t nanoseconds);
/// Ignores a signal in the whole process.
int posix_ignore_signal(int signal_number);
/// Has the kernel send a signal to this process when its parent ends. 0 or negative.
int posix_die_with_parent(int signal_number);

enum {
  POSIX_SIGNAL_HANGUP = 1, POSIX_SIGNAL_INTERRUPT = 2, POSIX_SIGNAL_KILL = 9, POSIX_SIGNAL_PIPE = 13,
  POSIX_SIGNAL_TERMINATE = 15,
};

// MARK: - Time

/// Nanoseconds of the monotonic clock.
uint64_t posix_monotonic_nanoseconds(void);
/// Nanoseconds since 1970.
uint64_t posix_wall_nanoseconds(void);
/// CPU time of the calling thread, in nanoseconds.
uint64_t posix_thread_cpu_nanoseconds(void);
/// Sleeps through interruptions.
void posix_sleep_nanoseconds(uint64_t nanoseconds);

// MARK: - Randomness

/// Fills `buffer` with random bytes from the kernel.
void posix_random(void *buffer, size_t byte_count);

// MARK: - Memory

enum { POSIX_PROTECT_NONE = 0, POSIX_PROTECT_READ = 1, POSIX_PROTECT_WRITE = 2 };

/// Private anonymous memory with this protection, without swap reserve: anywhere when `address` is null, exactly there
/// (failing when taken) otherwise. Null when it fails; `posix_errno` says why.
void *_Nullable posix_map_anonymous(void *_Nullable address, size_t byte_count, int protection);
/// Replaces the pages at `address` by fresh anonymous ones.
int posix_remap_anonymous(void *address, size_t byte_count, int protection);
/// Maps a file. Null when it fails.
void *_Nullable posix_map_file(int descriptor, size_t byte_count, uint64_t offset, bool writable, bool shared);
/// Maps a file over the pages at `address`. 0 or negative.
int posix_map_file_at(void *address, int descriptor, size_t byte_count, uint64_t offset, bool writable, bool shared);
int posix_unmap(void *address, size_t byte_count);
int posix_protect(void *address, size_t byte_count, int protection);
/// Gives the pages back; they read as zeros afterwards.
int posix_discard(void *address, size_t byte_count);
/// Asks for huge pages where the kernel has them.
int posix_advise_huge(void *address, size_t byte_count);
/// A file in memory. Its descriptor or negative.
int posix_memory_file(const char *name, uint64_t byte_count);
/// Forbids every change of a memory file's size. 0 or negative.
int posix_memory_file_seal(int descriptor);
/// Whether a memory file can't change its size.
bool posix_memory_file_is_sealed(int descriptor);
/// Writes bytes at an offset of a file. 0 or negative.
int posix_write_at(int descriptor, const void *start, size_t byte_count, uint64_t offset);
/// Gives a range of a memory file back; it reads as zeros afterwards. 0 or negative.
int posix_memory_file_discard(int descriptor, uint64_t offset, uint64_t byte_count);
static inline size_t posix_page_byte_count(void) { return (size_t)getpagesize(); }
/// Bytes of physical memory.
uint64_t posix_physical_memory(void);

// MARK: - Faults that a thread of this process resolves

/// Opens a descriptor for faults of threads of this process, in user code and in system calls alike. Negative where the
/// system does not have it or does not allow it.
int posix_faults_open(void);
/// Empties private anonymous pages; from now on a touch of a missing page, and a write to a protected one, waits until
/// it is resolved. 0 or negative.
int posix_faults_watch(int descriptor, void *start, size_t byte_count);
/// Waits for a fault. 1 when it writes, 0 when it reads, or negative.
int posix_faults_next(int descriptor, uint64_t *address);
/// Puts pages with these bytes where none are, and wakes who waits for them. 0 or negative.
int posix_faults_fill(int descriptor, void *start, const void *bytes, size_t byte_count, bool is_protected);
/// Protects pages against writes, or lets them be written and wakes who waits for that. 0 or negative.
int posix_faults_protect(int descriptor, void *start, size_t byte_count, bool is_protected);
/// Has whoever waits for pages try again.
void posix_faults_wake(int descriptor, void *start, size_t byte_count);
/// Children of `fork` do not get these pages. 0 or negative.
int posix_keep_from_children(void *address, size_t byte_count);

// MARK: - Files

enum { POSIX_OPEN_READ = 0, POSIX_OPEN_CREATE = 1, POSIX_OPEN_APPEND = 2, POSIX_OPEN_READ_WRITE = 3 };

/// Opens a file, close-on-exec; `mode` one of the constants above. A descriptor or negative.
int posix_open(const char *path, int mode, int permissions);
static inline int posix_close(int descriptor) { return close(descriptor) == 0 ? 0 : -errno; }
/// Reads until `byte_count` or the end. The number of bytes or negative.
long posix_read(int descriptor, void *buffer, size_t byte_count);
/// Writes all. 0 or negative.
int posix_write_all(int descriptor, const void *buffer, size_t byte_count);
static inline int posix_unlink(const char *path) { return unlink(path) == 0 ? 0 : -errno; }
/// A file's size in bytes, or negative.
int64_t posix_file_byte_count(const char *path);
int64_t posix_descriptor_byte_count(int descriptor);
bool posix_file_exists(const char *path);
/// A file's permissions, as in 0644, or negative.
int posix_file_mode(const char *path);
/// Whether a Unix-domain socket was bound to this path.
bool posix_is_socket_file(const char *path);
int posix_make_folder(const char *path, int permissions);
int posix_change_mode(const char *path, int permissions);
int posix_rename(const char *from, const char *to);
/// Two descriptors of a pipe, close-on-exec.
int posix_pipe(int *_Nonnull reader, int *_Nonnull writer);
/// Takes an exclusive lock on an open file without waiting. 0, `-EWOULDBLOCK`, or negative.
int posix_lock_file(int descriptor);

/// Sends standard output to a file in memory from now on. The file's descriptor or negative.
int posix_capture_standard_output(void);
/// Writes out what the C library has buffered for standard output.
void posix_flush_standard_output(void);
/// Reads at a place. The number of bytes, 0 at the end, or negative.
long posix_read_at(int descriptor, void *buffer, size_t byte_count, uint64_t offset);
/// Gives back the memory behind the first bytes of a memory file; what comes later stays where it is.
void posix_forget_bytes(int descriptor, uint64_t byte_count);
/// A second descriptor of the same file, close-on-exec. Negative when it fails.
int posix_duplicate(int descriptor);

// MARK: - Sockets

/// Events of ``posix_poll``.
enum {
  POSIX_POLL_READABLE = 1, POSIX_POLL_WRITABLE = 4, POSIX_POLL_ERROR = 8, POSIX_POLL_HANGUP = 16,
  POSIX_POLL_PEER_CLOSED = 0x2000,
};

/// A Unix-domain stream connection. `milliseconds` negative: forever. A descriptor or negative.
int posix_unix_connect(const char *path, int milliseconds);
/// A listening Unix-domain socket, reachable only by this user. A descriptor or negative.
int posix_unix_listen(const char *path, int backlog);
/// A connected TCP socket without delay. `-ENOENT`: the name can't be resolved.
int posix_tcp_connect(const char *host, uint16_t port, int milliseconds);
/// A listening TCP socket. A descriptor or negative.
int posix_tcp_listen(const char *host, uint16_t port, int backlog);
/// The port that a socket is bound to, or negative.
int posix_socket_port(int descriptor);
/// Accepts one connection. A descriptor or negative.
int posix_accept(int descriptor);
/// A connected pair of Unix-domain stream sockets.
int posix_socket_pair(int *_Nonnull first, int *_Nonnull second);
/// Small writes leave at once; dead peers are noticed. Does nothing for other sockets than TCP.
void posix_tcp_tune(int descriptor);
/// Process, user id of a Unix-domain peer. 0 or negative.
int posix_peer_identity(int descriptor, int *_Nonnull process_id, unsigned *_Nonnull user_id);
/// A TCP peer as "address:port" with a terminator. 0 or negative.
int posix_peer_text(int descriptor, char *buffer, size_t byte_count);
/// Ends both directions: blocked readers, writers and acceptors return.
int posix_shutdown(int descriptor);
/// Sends all of both buffers, never raising SIGPIPE. 0 or negative.
int posix_send_all(int descriptor, const void *_Nullable a, size_t a_count, const void *_Nullable b, size_t b_count);
/// Receives at most `byte_count` bytes; 0 at the end of the stream; without waiting when `no_wait` (`-EAGAIN`).
long posix_receive(int descriptor, void *buffer, size_t byte_count, bool no_wait);
/// A receive that waits longer than this fails with `-EAGAIN`.
void posix_set_receive_timeout(int descriptor, int milliseconds);
/// Sends one byte and a descriptor. 0 or negative.
int posix_send_descriptor(int descriptor, uint8_t byte, int passed);
/// Receives one byte and a descriptor; negative also when no descriptor came.
int posix_receive_descriptor(int descriptor, uint8_t *_Nonnull byte);
/// Waits for events on one descriptor. The events that hold, 0 at the end of the time, or negative.
int posix_poll(int descriptor, int events, int milliseconds);

// MARK: - Dynamic linking

/// A function or object by name in all loaded libraries, or null.
void *_Nullable posix_dynamic_symbol(const char *name);
/// Opens a library by its path, or by its name where the linker looks; its names stay its own. It is never closed.
void *_Nullable posix_open_library(const char *path);
/// A function or object by name in an open library and in those that it needs, or null.
void *_Nullable posix_library_symbol(void *library, const char *name);
/// Whether `address` belongs to a loaded library; its path goes into `buffer`.
bool posix_library_path(const void *address, char *buffer, size_t byte_count);

// MARK: - CPU

bool posix_cpu_has_avx2(void);
bool posix_cpu_has_fma(void);

#if __clang__
#pragma clang assume_nonnull end
#endif

#endif
