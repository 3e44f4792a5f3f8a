#define _GNU_SOURCE 1

#include "CPosix.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

// MARK: - Standard output

int posix_capture_standard_output(void) {
  int file = memfd_create("standard-output", MFD_CLOEXEC);
  if (file < 0) return -errno;
  // Every write goes to the end, whoever reads elsewhere.
  if (fcntl(file, F_SETFL, O_APPEND) < 0 || fflush(stdout) != 0 || dup2(file, 1) < 0) {
    int number = errno;
    close(file);
    return -number;
  }
  return file;
}

void posix_flush_standard_output(void) { fflush(stdout); }

long posix_read_at(int descriptor, void *buffer, size_t byte_count, uint64_t offset) {
  ssize_t count;
  do count = pread(descriptor, buffer, byte_count, (off_t)offset);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

void posix_forget_bytes(int descriptor, uint64_t byte_count) {
  const uint64_t page = 4096;
  if (byte_count >= page)
    (void)!fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)(byte_count / page * page));
}

int posix_duplicate(int descriptor) {
  int result = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  return result < 0 ? -errno : result;
}
