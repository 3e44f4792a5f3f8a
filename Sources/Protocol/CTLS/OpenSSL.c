#include "OpenSSL.h"

#include "CPosix.h"
#include "CTLS.h"

#include <errno.h>
#include <sys/socket.h>

struct entry {
  const char *name;
  size_t offset;
};

static const struct entry entries[] = {
#define ENTRY(result, name, parameters) {#name, offsetof(struct OpenSSL, name)},
    OPENSSL_FUNCTIONS(ENTRY)
#undef ENTRY
};

// MARK: - A socket without signals

// OpenSSL's own would have a write to a dead peer end the program by SIGPIPE.

static struct OpenSSL library;
static bool is_open;
static uint32_t library_lock;

// `count`: bytes, 0 at the end, or a negative error number.
static int answer(BIO *bio, long count, int direction) {
  struct TLSSocket *socket = library.BIO_get_data(bio);
  library.BIO_clear_flags(bio, BIO_FLAG_READ | BIO_FLAG_WRITE | BIO_FLAG_RETRY);
  if (count > 0) return (int)count;
  if (count == 0) {
    socket->has_ended = true;
    return 0;
  }
  if (count == -EAGAIN) library.BIO_set_flags(bio, direction | BIO_FLAG_RETRY);
  else socket->error = (int)count;
  return -1;
}

static int socket_write(BIO *bio, const char *bytes, int count) {
  struct TLSSocket *socket = library.BIO_get_data(bio);
  ssize_t sent;
  do sent = send(socket->descriptor, bytes, (size_t)count, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return answer(bio, sent < 0 ? -errno : sent, BIO_FLAG_WRITE);
}

static int socket_read(BIO *bio, char *bytes, int count) {
  struct TLSSocket *socket = library.BIO_get_data(bio);
  ssize_t received;
  do received = recv(socket->descriptor, bytes, (size_t)count, MSG_DONTWAIT);
  while (received < 0 && errno == EINTR);
  return answer(bio, received < 0 ? -errno : received, BIO_FLAG_READ);
}

static long socket_control(BIO *bio, int command, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CONTROL_FLUSH;
}

// MARK: - Opening

static int bind_functions(void *handle) {
  for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
    void *function = posix_library_symbol(handle, entries[i].name);
    if (!function) return TLS_LIBRARY_OLD;
    memcpy((char *)&library + entries[i].offset, &function, sizeof function);
  }
  void *function = posix_library_symbol(handle, "SSL_get1_peer_certificate");
  if (!function) function = posix_library_symbol(handle, "SSL_get_peer_certificate");
  if (!function) return TLS_LIBRARY_OLD;
  memcpy(&library.SSL_get1_peer_certificate, &function, sizeof function);
  // Without this, the library's tables would be gone before the program's last calls from its exit handlers.
  if (library.OPENSSL_init_ssl(INIT_NO_ATEXIT, NULL) != 1) return TLS_LIBRARY_OLD;
  library.socket_method = library.BIO_meth_new(BIO_TYPE_OWN, "roost");
  if (!library.socket_method) return -ENOMEM;
  library.BIO_meth_set_write(library.socket_method, socket_write);
  library.BIO_meth_set_read(library.socket_method, socket_read);
  library.BIO_meth_set_ctrl(library.socket_method, socket_control);
  return 0;
}

static void *open_library(void) {
  const char *path = posix_environment("ROOST_LIBSSL");
  if (path && *path) return posix_open_library(path);
  void *handle = posix_open_library("libssl.so.3");
  return handle ? handle : posix_open_library("libssl.so.1.1");
}

const struct OpenSSL *openssl_open(int *result) {
  posix_lock_acquire(&library_lock);
  int status = 0;
  if (!is_open) {
    void *handle = open_library();
    status = handle ? bind_functions(handle) : TLS_LIBRARY_MISSING;
    is_open = status == 0;
  }
  posix_lock_release(&library_lock);
  *result = status;
  return status == 0 ? &library : NULL;
}
