// TLS 1.3 by the system's OpenSSL, which is opened at run time: nothing links it, and who uses no TLS never loads it.
//
// Results below zero are error numbers of the system (`-EPIPE`) or one of the numbers of ``TLSResult``.

#ifndef ROOST_CTLS_H
#define ROOST_CTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __clang__
#pragma clang assume_nonnull begin
#endif

enum TLSResult {
  /// The stream has ended, with or without a goodbye.
  TLS_ENDED = -10000,
  TLS_LIBRARY_MISSING = -10001,
  /// The library has not all functions of OpenSSL 1.1.1.
  TLS_LIBRARY_OLD = -10002,
  TLS_CERTIFICATE_UNUSABLE = -10003,
  TLS_KEY_UNUSABLE = -10004,
  /// The key is not the certificate's.
  TLS_KEY_DIFFERS = -10005,
  TLS_AUTHORITIES_UNUSABLE = -10006,
  /// The other end speaks no TLS.
  TLS_NO_TLS = -10007,
  /// The other end speaks no TLS 1.3.
  TLS_NO_TLS_13 = -10008,
  /// The other end ended the handshake with an alert.
  TLS_REFUSED = -10009,
  TLS_HANDSHAKE_FAILED = -10010,
  TLS_NOT_TRUSTED = -10011,
  TLS_NOT_VALID_NOW = -10012,
  TLS_WRONG_NAME = -10013,
  /// What came was not sent so, or not in this order.
  TLS_DAMAGED = -10014,
};

enum { TLS_PIN_BYTE_COUNT = 32 };

/// A certificate with its key, for many streams of many threads.
struct TLSServer;
/// One end of an encrypted stream over a connected socket, which it does not own.
struct TLSStream;

/// Reads a certificate chain and its key, both PEM. Null with `*result` set when they can't be used.
struct TLSServer *_Nullable tls_server_open(const char *certificate, const char *key, int *result);
void tls_server_close(struct TLSServer *server);
/// The SHA-256 of the certificate's SubjectPublicKeyInfo. 0 or negative.
int tls_server_pin(struct TLSServer *server, uint8_t *pin);

/// The server's end; nothing is sent or received yet. Null without memory.
struct TLSStream *_Nullable tls_server_stream(struct TLSServer *server, int descriptor);
/// The client's end; nothing is sent or received yet. With a host, its certificate must be vouched for by an authority
/// of the PEM file `authorities` (null: those of the system) and name that host; without one, it is not looked at.
/// Null with `*result` set when that can't be done.
struct TLSStream *_Nullable tls_client_stream(
    int descriptor, const char *_Nullable host, const char *_Nullable authorities, int *result);
void tls_stream_free(struct TLSStream *stream);

/// Agrees on keys, before anything else; once that is done it does nothing. `milliseconds` in all, negative: forever.
/// 0, `-ETIMEDOUT` or negative.
int tls_handshake(struct TLSStream *stream, int milliseconds);
/// The SHA-256 of the other end's SubjectPublicKeyInfo. 0 or negative.
int tls_peer_pin(struct TLSStream *stream, uint8_t *pin);

/// Reads at least one byte and waits at most so long for it: 0 never, negative forever. The count, `-EAGAIN` at the end
/// of the time, or negative. One thread may read while another writes.
long tls_read(struct TLSStream *stream, void *buffer, size_t byte_count, int milliseconds);
/// Writes all of both buffers, in as few records as hold them. 0 or negative.
int tls_write_all(
    struct TLSStream *stream, const void *_Nullable a, size_t a_count, const void *_Nullable b, size_t b_count);
/// After how many records a writer takes a new key; 2^22, some 64 GiB, unless told otherwise.
void tls_set_records_per_key(struct TLSStream *stream, uint64_t count);

#if __clang__
#pragma clang assume_nonnull end
#endif

#endif
