// Not in the header: Swift builds it as a module beside Glibc, where both must see the same declarations.
#define _GNU_SOURCE 1

#include "CPosix.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

// Headers before Linux 6.1 lack it.
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

static int open_faults(void) {
  // Without UFFD_USER_MODE_ONLY, so that system calls on the memory wait too instead of failing.
  int descriptor = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
  if (descriptor >= 0) return descriptor;
  int error = errno;
  int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
  if (device < 0) return -error;
  descriptor = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC);
  error = errno;
  close(device);
  return descriptor < 0 ? -error : descriptor;
}

int posix_faults_open(void) {
  int descriptor = open_faults();
  if (descriptor < 0) return descriptor;
  struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};
  if (ioctl(descriptor, UFFDIO_API, &api) == 0) return descriptor;
  int error = errno;
  close(descriptor);
  return -error;
}

int posix_faults_watch(int descriptor, void *start, size_t byte_count) {
  struct uffdio_register watch = {
      .range = {.start = (uintptr_t)start, .len = byte_count},
      .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
  };
  if (ioctl(descriptor, UFFDIO_REGISTER, &watch) != 0) return -errno;
  uint64_t needed = (uint64_t)1 << _UFFDIO_COPY | (uint64_t)1 << _UFFDIO_WRITEPROTECT | (uint64_t)1 << _UFFDIO_WAKE;
  // A process that locks all its memory has the pages already, and can't be rid of them.
  int error = (watch.ioctls & needed) != needed ? ENOTSUP : madvise(start, byte_count, MADV_DONTNEED) != 0 ? errno : 0;
  if (error) ioctl(descriptor, UFFDIO_UNREGISTER, &watch.range);
  return -error;
}

int posix_faults_next(int descriptor, uint64_t *address) {
  struct uffd_msg message;
  while (1) {
    ssize_t count = read(descriptor, &message, sizeof message);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count != sizeof message) return count < 0 ? -errno : -EIO;
    if (message.event == UFFD_EVENT_PAGEFAULT) break;
  }
  *address = message.arg.pagefault.address;
  uint64_t flags = message.arg.pagefault.flags;
  return flags & (UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE) ? 1 : 0;
}

int posix_faults_fill(int descriptor, void *start, const void *bytes, size_t byte_count, bool is_protected) {
  size_t done = 0;
  while (done < byte_count) {
    struct uffdio_copy copy = {
        .dst = (uintptr_t)start + done,
        .src = (uintptr_t)bytes + done,
        .len = byte_count - done,
        .mode = is_protected ? UFFDIO_COPY_MODE_WP : 0,
    };
    if (ioctl(descriptor, UFFDIO_COPY, &copy) == 0) return 0;
    if (errno != EAGAIN) return -errno;
    if (copy.copy > 0) done += (size_t)copy.copy;
  }
  return 0;
}

int posix_faults_protect(int descriptor, void *start, size_t byte_count, bool is_protected) {
  struct uffdio_writeprotect protect = {
      .range = {.start = (uintptr_t)start, .len = byte_count},
      .mode = is_protected ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
  };
  while (ioctl(descriptor, UFFDIO_WRITEPROTECT, &protect) != 0)
    if (errno != EAGAIN) return -errno;
  return 0;
}

void posix_faults_wake(int descriptor, void *start, size_t byte_count) {
  struct uffdio_range range = {.start = (uintptr_t)start, .len = byte_count};
  ioctl(descriptor, UFFDIO_WAKE, &range);
}

int posix_keep_from_children(void *address, size_t byte_count) {
  return madvise(address, byte_count, MADV_DONTFORK) == 0 ? 0 : -errno;
}
