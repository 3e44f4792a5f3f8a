#include "CTLS.h"

#include "CPosix.h"
#include "OpenSSL.h"

enum { RECORD_BYTE_COUNT = 16384, READ_BUFFER_BYTE_COUNT = 65536 };

struct TLSServer {
  const struct OpenSSL *library;
  SSL_CTX *context;
};

struct TLSStream {
  const struct OpenSSL *library;
  SSL *ssl;
  struct TLSSocket socket;
  bool is_agreed;
  bool is_verifying;
  // Whose turn it is to use `ssl`. Two threads take turns, record by record: with an unfair lock, a thread that writes
  // without a pause would keep the other from reading.
  uint32_t next_turn, turn;
  // The writer's own.
  uint64_t records_per_key, record_count;
  bool is_renewing;
  unsigned char gathered[RECORD_BYTE_COUNT];
};

// MARK: - Turns

static void take_turn(struct TLSStream *stream) {
  uint32_t own = __atomic_fetch_add(&stream->next_turn, 1, __ATOMIC_SEQ_CST);
  // A record takes some microseconds; a sleep costs 25 to 40 where cores are virtual.
  for (int i = 0; i < 1000; i++) {
    if (__atomic_load_n(&stream->turn, __ATOMIC_ACQUIRE) == own) return;
    posix_spin_hint();
  }
  for (;;) {
    uint32_t now = __atomic_load_n(&stream->turn, __ATOMIC_SEQ_CST);
    if (now == own) return;
    posix_futex_wait(&stream->turn, now, -1, false);
  }
}

static void end_turn(struct TLSStream *stream) {
  uint32_t now = __atomic_add_fetch(&stream->turn, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&stream->next_turn, __ATOMIC_SEQ_CST) != now) posix_futex_wake(&stream->turn, INT32_MAX, false);
}

// MARK: - Contexts

static SSL_CTX *new_context(const struct OpenSSL *library) {
  library->ERR_clear_error();
  SSL_CTX *context = library->SSL_CTX_new(library->TLS_method());
  if (!context) return NULL;
  library->SSL_CTX_ctrl(context, CTRL_SET_MIN_PROTOCOL, VERSION_TLS_13, NULL);
  // The first one is the fastest with the instructions that processors have for AES, and as strong as anybody needs.
  library->SSL_CTX_set_ciphersuites(
      context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
  library->SSL_CTX_ctrl(context, CTRL_MODE, MODE_PARTIAL_WRITE | MODE_MOVING_WRITE_BUFFER, NULL);
  library->SSL_CTX_ctrl(context, CTRL_SET_SESSION_CACHE_MODE, 0, NULL);
  // A ticket that nobody reads would have the kernel reset the connection at its end, and lose what was sent last.
  library->SSL_CTX_set_num_tickets(context, 0);
  library->SSL_CTX_ctrl(context, CTRL_SET_READ_AHEAD, 1, NULL);
  library->SSL_CTX_set_default_read_buffer_len(context, READ_BUFFER_BYTE_COUNT);
  return context;
}

// Nobody is there to type a password.
static int no_password(char *buffer, int size, int is_writing, void *user) {
  (void)buffer, (void)size, (void)is_writing, (void)user;
  return 0;
}

static int use_files(const struct OpenSSL *library, SSL_CTX *context, const char *certificate, const char *key) {
  library->SSL_CTX_set_default_passwd_cb(context, no_password);
  if (library->SSL_CTX_use_certificate_chain_file(context, certificate) != 1) return TLS_CERTIFICATE_UNUSABLE;
  if (library->SSL_CTX_use_PrivateKey_file(context, key, FILE_TYPE_PEM) != 1) {
    // A key of another kind or number is refused here already, with an error of the library for certificates.
    enum { LIBRARY_SHIFT_1 = 24, LIBRARY_SHIFT_3 = 23, LIBRARY_X509 = 11 };
    unsigned long error = library->ERR_peek_error();
    bool differs = (error >> LIBRARY_SHIFT_3 & 0xFF) == LIBRARY_X509 || (error >> LIBRARY_SHIFT_1 & 0xFF) == LIBRARY_X509;
    return differs ? TLS_KEY_DIFFERS : TLS_KEY_UNUSABLE;
  }
  return library->SSL_CTX_check_private_key(context) == 1 ? 0 : TLS_KEY_DIFFERS;
}

struct TLSServer *tls_server_open(const char *certificate, const char *key, int *result) {
  const struct OpenSSL *library = openssl_open(result);
  if (!library) return NULL;
  struct TLSServer *server = malloc(sizeof *server);
  SSL_CTX *context = server ? new_context(library) : NULL;
  *result = context ? use_files(library, context, certificate, key) : -ENOMEM;
  library->ERR_clear_error();
  if (*result == 0) {
    *server = (struct TLSServer){library, context};
    return server;
  }
  if (context) library->SSL_CTX_free(context);
  free(server);
  return NULL;
}

void tls_server_close(struct TLSServer *server) {
  server->library->SSL_CTX_free(server->context);
  free(server);
}

// MARK: - Pins

static int pin_of(const struct OpenSSL *library, const X509 *certificate, uint8_t *pin) {
  X509_PUBKEY *key = library->X509_get_X509_PUBKEY(certificate);
  int count = key ? library->i2d_X509_PUBKEY(key, NULL) : -1;
  unsigned char *bytes = count > 0 ? malloc((size_t)count) : NULL;
  if (!bytes) return TLS_HANDSHAKE_FAILED;
  unsigned char *end = bytes;
  library->i2d_X509_PUBKEY(key, &end);
  bool is_done = library->SHA256(bytes, (size_t)count, pin) != NULL;
  free(bytes);
  return is_done ? 0 : TLS_HANDSHAKE_FAILED;
}

int tls_server_pin(struct TLSServer *server, uint8_t *pin) {
  X509 *certificate = server->library->SSL_CTX_get0_certificate(server->context);
  return certificate ? pin_of(server->library, certificate, pin) : TLS_CERTIFICATE_UNUSABLE;
}

int tls_peer_pin(struct TLSStream *stream, uint8_t *pin) {
  X509 *certificate = stream->library->SSL_get1_peer_certificate(stream->ssl);
  if (!certificate) return TLS_HANDSHAKE_FAILED;
  int result = pin_of(stream->library, certificate, pin);
  stream->library->X509_free(certificate);
  return result;
}

// MARK: - Streams

static struct TLSStream *new_stream(const struct OpenSSL *library, SSL_CTX *context, int descriptor) {
  struct TLSStream *stream = calloc(1, sizeof *stream);
  if (!stream) return NULL;
  stream->library = library;
  stream->socket.descriptor = descriptor;
  stream->records_per_key = 1 << 22;
  stream->ssl = library->SSL_new(context);
  BIO *bio = stream->ssl ? library->BIO_new(library->socket_method) : NULL;
  if (!bio) {
    if (stream->ssl) library->SSL_free(stream->ssl);
    free(stream);
    return NULL;
  }
  library->BIO_set_data(bio, &stream->socket);
  library->BIO_set_init(bio, 1);
  library->SSL_set_bio(stream->ssl, bio, bio);
  return stream;
}

struct TLSStream *tls_server_stream(struct TLSServer *server, int descriptor) {
  struct TLSStream *stream = new_stream(server->library, server->context, descriptor);
  if (stream) server->library->SSL_set_accept_state(stream->ssl);
  return stream;
}

// Has the stream accept only a certificate for this name or address.
static bool expect_host(struct TLSStream *stream, const char *host) {
  const struct OpenSSL *library = stream->library;
  char address[64] = "";
  // The interface of a link-local address is this machine's own name for it.
  size_t count = strcspn(host, "%");
  if (count < sizeof address) memcpy(address, host, count);
  X509_VERIFY_PARAM *parameters = library->SSL_get0_param(stream->ssl);
  if (parameters && library->X509_VERIFY_PARAM_set1_ip_asc(parameters, address) == 1) return true;
  // One server may have certificates for several names.
  library->SSL_ctrl(stream->ssl, CTRL_SET_HOST_NAME, 0, (void *)host);
  return library->SSL_set1_host(stream->ssl, host) == 1;
}

struct TLSStream *tls_client_stream(int descriptor, const char *host, const char *authorities, int *result) {
  const struct OpenSSL *library = openssl_open(result);
  if (!library) return NULL;
  *result = -ENOMEM;
  SSL_CTX *context = new_context(library);
  if (!context) return NULL;
  if (host) {
    library->SSL_CTX_set_verify(context, VERIFY_PEER, NULL);
    int loaded = authorities ? library->SSL_CTX_load_verify_locations(context, authorities, NULL)
                             : library->SSL_CTX_set_default_verify_paths(context);
    if (loaded != 1) *result = TLS_AUTHORITIES_UNUSABLE;
  }
  struct TLSStream *stream = *result == -ENOMEM ? new_stream(library, context, descriptor) : NULL;
  library->SSL_CTX_free(context);
  if (stream && host && !expect_host(stream, host)) {
    tls_stream_free(stream);
    stream = NULL;
  }
  library->ERR_clear_error();
  if (!stream) return NULL;
  stream->is_verifying = host != NULL;
  library->SSL_set_connect_state(stream->ssl);
  *result = 0;
  return stream;
}

void tls_stream_free(struct TLSStream *stream) {
  stream->library->SSL_free(stream->ssl);
  free(stream);
}

// MARK: - Operations

// Why the handshake failed, by what the library says.
static int handshake_failure(struct TLSStream *stream) {
  if (stream->is_verifying) {
    switch (stream->library->SSL_get_verify_result(stream->ssl)) {
      case 0: break;
      case VERIFIED_NOT_YET_VALID:
      case VERIFIED_EXPIRED: return TLS_NOT_VALID_NOW;
      case VERIFIED_WRONG_HOST:
      case VERIFIED_WRONG_ADDRESS: return TLS_WRONG_NAME;
      default: return TLS_NOT_TRUSTED;
    }
  }
  unsigned reason = (unsigned)(stream->library->ERR_peek_error() & 0xFFF);
  if (reason == REASON_WRONG_VERSION_NUMBER) return TLS_NO_TLS;
  if (reason == REASON_UNSUPPORTED_PROTOCOL || reason == REASON_ALERT_PROTOCOL_VERSION) return TLS_NO_TLS_13;
  return reason >= REASON_ALERT && reason < REASON_ALERT + 256 ? TLS_REFUSED : TLS_HANDSHAKE_FAILED;
}

// What became of an operation that did not do its work; in the same turn. `*events`: what to wait for, if it helps.
static int failure(struct TLSStream *stream, int status, int *events) {
  int error = stream->library->SSL_get_error(stream->ssl, status);
  *events = 0;
  if (error == ERROR_WANT_READ || error == ERROR_WANT_WRITE) {
    *events = error == ERROR_WANT_READ ? POSIX_POLL_READABLE : POSIX_POLL_WRITABLE;
    return -EAGAIN;
  }
  if (stream->socket.error) return stream->socket.error;
  if (error == ERROR_SSL && !stream->is_agreed && !stream->socket.has_ended) return handshake_failure(stream);
  if (error == ERROR_SSL && !stream->socket.has_ended) return TLS_DAMAGED;
  return TLS_ENDED;
}

// Does a step of one operation in a turn of its own. More than 0, or negative; `*events` as above.
typedef int (*operation)(struct TLSStream *stream, void *bytes, int count);

static int step(struct TLSStream *stream, operation body, void *bytes, int count, int *events) {
  take_turn(stream);
  // The library keeps errors by thread, and this one may be the program's.
  stream->library->ERR_clear_error();
  int done = body(stream, bytes, count);
  if (done <= 0) {
    done = failure(stream, done, events);
    stream->library->ERR_clear_error();
  }
  end_turn(stream);
  return done;
}

// Steps until it is done; waits without the turn, at most so long. `-EAGAIN` at the end of the time.
static int complete(struct TLSStream *stream, operation body, void *bytes, int count, int milliseconds) {
  uint64_t end = milliseconds > 0 ? posix_monotonic_nanoseconds() + (uint64_t)milliseconds * 1000000u : 0;
  for (;;) {
    int events = 0;
    int done = step(stream, body, bytes, count, &events);
    if (done != -EAGAIN || !events || milliseconds == 0) return done;
    int rest = -1;
    if (milliseconds > 0) {
      uint64_t now = posix_monotonic_nanoseconds();
      if (now >= end) return -EAGAIN;
      rest = (int)((end - now) / 1000000u) + 1;
    }
    int ready = posix_poll(stream->socket.descriptor, events, rest);
    if (ready < 0) return ready;
  }
}

static int shake_hands(struct TLSStream *stream, void *bytes, int count) {
  (void)bytes, (void)count;
  return stream->library->SSL_do_handshake(stream->ssl);
}

static int read_some(struct TLSStream *stream, void *bytes, int count) {
  return stream->library->SSL_read(stream->ssl, bytes, count);
}

static int write_record(struct TLSStream *stream, void *bytes, int count) {
  return stream->library->SSL_write(stream->ssl, bytes, count);
}

// Begins and sends in one turn: between the two, reading would have to wait for the sending too.
static int renew_key(struct TLSStream *stream, void *bytes, int count) {
  (void)bytes, (void)count;
  if (!stream->is_renewing) {
    int done = stream->library->SSL_key_update(stream->ssl, KEY_UPDATE_NOT_REQUESTED);
    if (done <= 0) return done;
    stream->is_renewing = true;
  }
  int done = stream->library->SSL_do_handshake(stream->ssl);
  if (done > 0) stream->is_renewing = false;
  return done;
}

int tls_handshake(struct TLSStream *stream, int milliseconds) {
  if (stream->is_agreed) return 0;
  int done = complete(stream, shake_hands, NULL, 0, milliseconds);
  if (done <= 0) return done == -EAGAIN ? -ETIMEDOUT : done;
  stream->is_agreed = true;
  return 0;
}

long tls_read(struct TLSStream *stream, void *buffer, size_t byte_count, int milliseconds) {
  int count = byte_count < INT32_MAX ? (int)byte_count : INT32_MAX;
  return complete(stream, read_some, buffer, count, milliseconds);
}

// All of at most one record's bytes.
static int write_whole(struct TLSStream *stream, const void *bytes, size_t count) {
  if (++stream->record_count >= stream->records_per_key) {
    // AES-GCM is safe for 2^24.5 full records with one key (RFC 8446, section 5.5). Without room for the message both
    // ends could stop reading and wait for each other.
    int ready = posix_poll(stream->socket.descriptor, POSIX_POLL_WRITABLE, -1);
    if (ready < 0) return ready;
    int done = complete(stream, renew_key, NULL, 0, -1);
    if (done <= 0) return done;
    stream->record_count = 0;
  }
  const char *next = bytes;
  while (count > 0) {
    int done = complete(stream, write_record, (void *)next, (int)count, -1);
    if (done <= 0) return done;
    next += done;
    count -= (size_t)done;
  }
  return 0;
}

int tls_write_all(struct TLSStream *stream, const void *a, size_t a_count, const void *b, size_t b_count) {
  const char *parts[2] = {a, b};
  size_t counts[2] = {a_count, b_count};
  while (counts[0] + counts[1] > 0) {
    const void *bytes = stream->gathered;
    size_t count = 0;
    if (counts[0] > 0 && counts[1] > 0 && counts[0] < RECORD_BYTE_COUNT) {
      // A frame and what follows it travel together: half the records, and half the wake-ups of the other end.
      for (int i = 0; i < 2; i++) {
        size_t room = RECORD_BYTE_COUNT - count;
        size_t taken = counts[i] < room ? counts[i] : room;
        memcpy(stream->gathered + count, parts[i], taken);
        count += taken;
        parts[i] += taken;
        counts[i] -= taken;
      }
    } else {
      int i = counts[0] > 0 ? 0 : 1;
      bytes = parts[i];
      count = counts[i] < RECORD_BYTE_COUNT ? counts[i] : RECORD_BYTE_COUNT;
      parts[i] += count;
      counts[i] -= count;
    }
    int result = write_whole(stream, bytes, count);
    if (result < 0) return result;
  }
  return 0;
}

void tls_set_records_per_key(struct TLSStream *stream, uint64_t count) { stream->records_per_key = count; }
