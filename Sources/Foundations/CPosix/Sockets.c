// Not in the header: Swift builds it as a module beside Glibc, where both must see the same declarations.
#define _GNU_SOURCE 1

#include "CPosix.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

extern int chmod(const char *, unsigned);
extern int fcntl(int, int, ...);

static int fail(int descriptor) {
  int error = errno;
  close(descriptor);
  return -error;
}

static void set_option(int descriptor, int level, int option, int value) {
  setsockopt(descriptor, level, option, &value, sizeof value);
}

// MARK: - Waiting

static int64_t milliseconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int posix_poll(int descriptor, int events, int milliseconds) {
  struct pollfd entry = {.fd = descriptor, .events = (short)events};
  int64_t end = milliseconds < 0 ? 0 : milliseconds_now() + milliseconds;
  for (;;) {
    int result = poll(&entry, 1, milliseconds);
    if (result >= 0) return result == 0 ? 0 : (unsigned short)entry.revents;
    if (errno != EINTR) return -errno;
    if (milliseconds < 0) continue;
    int64_t rest = end - milliseconds_now();
    if (rest <= 0) return 0;
    milliseconds = (int)rest;
  }
}

// Connects a socket that was made non-blocking, and makes it blocking again.
static int finish_connect(int descriptor, const struct sockaddr *address, socklen_t length, int milliseconds) {
  enum { GET_FLAGS = 3, SET_FLAGS = 4, NON_BLOCKING = 04000 };
  while (connect(descriptor, address, length) != 0) {
    if (errno == EINTR || errno == EALREADY) continue;
    if (errno == EISCONN) break;
    if (errno == EAGAIN) {
      // A Unix socket whose backlog is full: only trying again helps.
      if (milliseconds == 0) return -ETIMEDOUT;
      struct timespec pause = {.tv_nsec = 1000000};
      nanosleep(&pause, NULL);
      if (milliseconds > 0) milliseconds--;
      continue;
    }
    if (errno != EINPROGRESS) return -errno;
    int events = posix_poll(descriptor, POLLOUT, milliseconds);
    if (events < 0) return events;
    if (events == 0) return -ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return -errno;
    if (error) return -error;
    break;
  }
  int flags = fcntl(descriptor, GET_FLAGS);
  if (flags < 0 || fcntl(descriptor, SET_FLAGS, flags & ~NON_BLOCKING) != 0) return -errno;
  return 0;
}

// MARK: - Unix domain

static int unix_address(const char *path, struct sockaddr_un *address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  size_t count = strlen(path);
  if (count == 0 || count >= sizeof address->sun_path) return -ENAMETOOLONG;
  memcpy(address->sun_path, path, count);
  return 0;
}

int posix_unix_connect(const char *path, int milliseconds) {
  struct sockaddr_un address;
  int result = unix_address(path, &address);
  if (result) return result;
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -errno;
  result = finish_connect(descriptor, (struct sockaddr *)&address, sizeof address, milliseconds);
  if (result == 0) return descriptor;
  close(descriptor);
  return result;
}

int posix_unix_listen(const char *path, int backlog) {
  struct sockaddr_un address;
  int result = unix_address(path, &address);
  if (result) return result;
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  // The permissions change before `listen`: until then nobody can connect.
  if (bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0 || chmod(path, 0600) != 0 ||
      listen(descriptor, backlog) != 0)
    return fail(descriptor);
  return descriptor;
}

// MARK: - TCP

void posix_tcp_tune(int descriptor) {
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

static struct addrinfo *resolve(const char *host, uint16_t port, bool passive) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
  if (passive) hints.ai_flags |= AI_PASSIVE;
  char service[8];
  snprintf(service, sizeof service, "%u", (unsigned)port);
  struct addrinfo *found = NULL;
  return getaddrinfo(host[0] ? host : NULL, service, &hints, &found) == 0 ? found : NULL;
}

int posix_tcp_connect(const char *host, uint16_t port, int milliseconds) {
  struct addrinfo *found = resolve(host, port, false);
  if (!found) return -ENOENT;
  int result = -ECONNREFUSED;
  for (struct addrinfo *next = found; next; next = next->ai_next) {
    int descriptor = socket(next->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) continue;
    result = finish_connect(descriptor, next->ai_addr, next->ai_addrlen, milliseconds);
    if (result == 0) {
      posix_tcp_tune(descriptor);
      result = descriptor;
      break;
    }
    close(descriptor);
  }
  freeaddrinfo(found);
  return result;
}

int posix_tcp_listen(const char *host, uint16_t port, int backlog) {
  struct addrinfo *found = resolve(host, port, true);
  if (!found) return -ENOENT;
  int result = -EADDRNOTAVAIL;
  for (struct addrinfo *next = found; next && result < 0; next = next->ai_next) {
    int descriptor = socket(next->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) continue;
    set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(descriptor, next->ai_addr, next->ai_addrlen) == 0 && listen(descriptor, backlog) == 0)
      result = descriptor;
    else
      result = fail(descriptor);
  }
  freeaddrinfo(found);
  return result;
}

int posix_socket_port(int descriptor) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) return -errno;
  if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
  if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
  return -EAFNOSUPPORT;
}

// MARK: - Any stream

int posix_accept(int descriptor) {
  for (;;) {
    int accepted = accept4(descriptor, NULL, NULL, SOCK_CLOEXEC);
    if (accepted >= 0) return accepted;
    if (errno != EINTR && errno != ECONNABORTED) return -errno;
  }
}

int posix_shutdown(int descriptor) { return shutdown(descriptor, SHUT_RDWR) == 0 ? 0 : -errno; }

int posix_socket_pair(int *first, int *second) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
  *first = ends[0];
  *second = ends[1];
  return 0;
}

int posix_peer_identity(int descriptor, int *process_id, unsigned *user_id) {
  struct ucred identity;
  socklen_t length = sizeof identity;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &identity, &length) != 0) return -errno;
  *process_id = identity.pid;
  *user_id = identity.uid;
  return 0;
}

int posix_peer_text(int descriptor, char *buffer, size_t byte_count) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getpeername(descriptor, (struct sockaddr *)&address, &length) != 0) return -errno;
  char host[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    struct sockaddr_in *four = (struct sockaddr_in *)&address;
    inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
    snprintf(buffer, byte_count, "%s:%u", host, (unsigned)ntohs(four->sin_port));
    return 0;
  }
  if (address.ss_family == AF_INET6) {
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;
    inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
    snprintf(buffer, byte_count, "[%s]:%u", host, (unsigned)ntohs(six->sin6_port));
    return 0;
  }
  return -EAFNOSUPPORT;
}

int posix_send_all(int descriptor, const void *a, size_t a_count, const void *b, size_t b_count) {
  struct iovec parts[2] = {{(void *)a, a_count}, {(void *)b, b_count}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  while (parts[0].iov_len + parts[1].iov_len > 0) {
    ssize_t count = sendmsg(descriptor, &message, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    for (int i = 0; i < 2; i++) {
      size_t step = (size_t)count < parts[i].iov_len ? (size_t)count : parts[i].iov_len;
      parts[i].iov_base = (char *)parts[i].iov_base + step;
      parts[i].iov_len -= step;
      count -= (ssize_t)step;
    }
  }
  return 0;
}

long posix_receive(int descriptor, void *buffer, size_t byte_count, bool no_wait) {
  for (;;) {
    ssize_t count = recv(descriptor, buffer, byte_count, no_wait ? MSG_DONTWAIT : 0);
    if (count >= 0) return count;
    if (errno != EINTR) return -errno;
  }
}

void posix_set_receive_timeout(int descriptor, int milliseconds) {
  struct timeval limit = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

// MARK: - Passing descriptors

int posix_send_descriptor(int descriptor, uint8_t byte, int passed) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &passed, sizeof passed);
  for (;;) {
    ssize_t count = sendmsg(descriptor, &message, MSG_NOSIGNAL);
    if (count == 1) return 0;
    if (count >= 0) return -EPIPE;
    if (errno != EINTR) return -errno;
  }
}

int posix_receive_descriptor(int descriptor, uint8_t *byte) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(4 * sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct iovec part = {byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
  ssize_t count;
  do {
    count = recvmsg(descriptor, &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return -errno;
  int received = -EPIPE;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || header->cmsg_len < CMSG_LEN(0)) continue;
    size_t number = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < number; i++) {
      int passed;
      memcpy(&passed, CMSG_DATA(header) + i * sizeof passed, sizeof passed);
      // One is expected; a peer that sends more must not leak descriptors into this process.
      if (received < 0) received = passed;
      else close(passed);
    }
  }
  return received;
}
