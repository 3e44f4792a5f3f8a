// Not in the header: Swift builds it as a module beside Glibc, where both must see the same declarations.
#define _GNU_SOURCE 1

#include "CPosix.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>

// MARK: - Memory

static int protection_bits(int protection) {
  return ((protection & POSIX_PROTECT_READ) ? PROT_READ : 0) | ((protection & POSIX_PROTECT_WRITE) ? PROT_WRITE : 0);
}

void *posix_map_anonymous(void *address, size_t byte_count, int protection) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (address ? MAP_FIXED_NOREPLACE : 0);
  void *result = mmap(address, byte_count, protection_bits(protection), flags, -1, 0);
  if (result == MAP_FAILED) return NULL;
  if (address && result != address) {
    // A kernel before 4.17 takes the address as a hint only.
    munmap(result, byte_count);
    errno = EEXIST;
    return NULL;
  }
  return result;
}

int posix_remap_anonymous(void *address, size_t byte_count, int protection) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  return mmap(address, byte_count, protection_bits(protection), flags, -1, 0) == MAP_FAILED ? -errno : 0;
}

void *posix_map_file(int descriptor, size_t byte_count, uint64_t offset, bool writable, bool shared) {
  void *result = mmap(
      NULL, byte_count, PROT_READ | (writable ? PROT_WRITE : 0), shared ? MAP_SHARED : MAP_PRIVATE, descriptor,
      (off_t)offset);
  return result == MAP_FAILED ? NULL : result;
}

int posix_map_file_at(
    void *address, int descriptor, size_t byte_count, uint64_t offset, bool writable, bool shared) {
  void *result = mmap(
      address, byte_count, PROT_READ | (writable ? PROT_WRITE : 0), (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
      descriptor, (off_t)offset);
  return result == MAP_FAILED ? -errno : 0;
}

int posix_unmap(void *address, size_t byte_count) { return munmap(address, byte_count) == 0 ? 0 : -errno; }

int posix_protect(void *address, size_t byte_count, int protection) {
  return mprotect(address, byte_count, protection_bits(protection)) == 0 ? 0 : -errno;
}

int posix_discard(void *address, size_t byte_count) {
  return madvise(address, byte_count, MADV_DONTNEED) == 0 ? 0 : -errno;
}

int posix_advise_huge(void *address, size_t byte_count) {
  return madvise(address, byte_count, MADV_HUGEPAGE) == 0 ? 0 : -errno;
}

int posix_memory_file(const char *name, uint64_t byte_count) {
  int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -errno;
  if (ftruncate(descriptor, (off_t)byte_count) != 0) {
    int error = errno;
    close(descriptor);
    return -error;
  }
  return descriptor;
}

int posix_memory_file_seal(int descriptor) {
  return fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0 ? 0 : -errno;
}

bool posix_memory_file_is_sealed(int descriptor) {
  int seals = fcntl(descriptor, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

int posix_write_at(int descriptor, const void *start, size_t byte_count, uint64_t offset) {
  size_t done = 0;
  while (done < byte_count) {
    ssize_t count = pwrite(descriptor, (const char *)start + done, byte_count - done, (off_t)(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? -errno : -EIO;
    done += (size_t)count;
  }
  return 0;
}

int posix_memory_file_discard(int descriptor, uint64_t offset, uint64_t byte_count) {
  int mode = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;
  return fallocate(descriptor, mode, (off_t)offset, (off_t)byte_count) == 0 ? 0 : -errno;
}

uint64_t posix_physical_memory(void) {
  long pages = sysconf(_SC_PHYS_PAGES);
  return pages > 0 ? (uint64_t)pages * (uint64_t)getpagesize() : 0;
}

// MARK: - Files

int posix_open(const char *path, int mode, int permissions) {
  static const int flags[4] = {O_RDONLY, O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_CREAT | O_APPEND, O_RDWR | O_CREAT};
  if (mode < 0 || mode > 3) return -EINVAL;
  int descriptor = open(path, flags[mode] | O_CLOEXEC, permissions);
  return descriptor < 0 ? -errno : descriptor;
}

long posix_read(int descriptor, void *buffer, size_t byte_count) {
  size_t done = 0;
  while (done < byte_count) {
    ssize_t count = read(descriptor, (char *)buffer + done, byte_count - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    if (count == 0) break;
    done += (size_t)count;
  }
  return (long)done;
}

int posix_write_all(int descriptor, const void *buffer, size_t byte_count) {
  const char *next = buffer;
  while (byte_count > 0) {
    ssize_t count = write(descriptor, next, byte_count);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    next += count;
    byte_count -= (size_t)count;
  }
  return 0;
}

// `stat` and `fstat` are symbols of glibc 2.33; the system call is as old as the oldest kernel that matters (4.11).
static int64_t status_byte_count(int descriptor, const char *path, int flags) {
  struct statx status;
  if (syscall(SYS_statx, descriptor, path, flags, STATX_SIZE, &status) != 0) return -errno;
  return (int64_t)status.stx_size;
}

int posix_file_mode(const char *path) {
  struct statx status;
  if (syscall(SYS_statx, AT_FDCWD, path, 0, STATX_MODE, &status) != 0) return -errno;
  return status.stx_mode & 07777;
}

int64_t posix_file_byte_count(const char *path) { return status_byte_count(AT_FDCWD, path, 0); }
int64_t posix_descriptor_byte_count(int descriptor) { return status_byte_count(descriptor, "", AT_EMPTY_PATH); }
bool posix_file_exists(const char *path) { return access(path, F_OK) == 0; }

bool posix_is_socket_file(const char *path) {
  enum { FILE_KIND = 0170000, SOCKET_KIND = 0140000 };
  struct statx status;
  if (syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) != 0) return false;
  return (status.stx_mode & FILE_KIND) == SOCKET_KIND;
}

extern int mkdir(const char *, unsigned);
extern int chmod(const char *, unsigned);
extern int rename(const char *, const char *);

int posix_make_folder(const char *path, int permissions) {
  return mkdir(path, (unsigned)permissions) == 0 ? 0 : -errno;
}
int posix_change_mode(const char *path, int permissions) {
  return chmod(path, (unsigned)permissions) == 0 ? 0 : -errno;
}
int posix_rename(const char *from, const char *to) { return rename(from, to) == 0 ? 0 : -errno; }

int posix_pipe(int *reader, int *writer) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
  *reader = ends[0];
  *writer = ends[1];
  return 0;
}

int posix_lock_file(int descriptor) { return flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno; }
