// The functions of OpenSSL that are used, and the values of its headers that go with them: the same in 1.1.1 and 3.x.
#ifndef ROOST_OPENSSL_H
#define ROOST_OPENSSL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;
typedef struct ssl_method_st SSL_METHOD;
typedef struct bio_st BIO;
typedef struct bio_method_st BIO_METHOD;
typedef struct x509_st X509;
typedef struct X509_pubkey_st X509_PUBKEY;
typedef struct X509_VERIFY_PARAM_st X509_VERIFY_PARAM;

// FUNCTION(result, name, parameters)
#define OPENSSL_FUNCTIONS(FUNCTION) \
  FUNCTION(int, OPENSSL_init_ssl, (uint64_t, const void *)) \
  FUNCTION(unsigned long, ERR_peek_error, (void)) \
  FUNCTION(void, ERR_clear_error, (void)) \
  FUNCTION(const SSL_METHOD *, TLS_method, (void)) \
  FUNCTION(SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *)) \
  FUNCTION(void, SSL_CTX_free, (SSL_CTX *)) \
  FUNCTION(long, SSL_CTX_ctrl, (SSL_CTX *, int, long, void *)) \
  FUNCTION(int, SSL_CTX_set_ciphersuites, (SSL_CTX *, const char *)) \
  FUNCTION(int, SSL_CTX_set_num_tickets, (SSL_CTX *, size_t)) \
  FUNCTION(void, SSL_CTX_set_default_read_buffer_len, (SSL_CTX *, size_t)) \
  FUNCTION(void, SSL_CTX_set_verify, (SSL_CTX *, int, int (*)(int, void *))) \
  FUNCTION(int, SSL_CTX_set_default_verify_paths, (SSL_CTX *)) \
  FUNCTION(int, SSL_CTX_load_verify_locations, (SSL_CTX *, const char *, const char *)) \
  FUNCTION(void, SSL_CTX_set_default_passwd_cb, (SSL_CTX *, int (*)(char *, int, int, void *))) \
  FUNCTION(int, SSL_CTX_use_certificate_chain_file, (SSL_CTX *, const char *)) \
  FUNCTION(int, SSL_CTX_use_PrivateKey_file, (SSL_CTX *, const char *, int)) \
  FUNCTION(int, SSL_CTX_check_private_key, (const SSL_CTX *)) \
  FUNCTION(X509 *, SSL_CTX_get0_certificate, (const SSL_CTX *)) \
  FUNCTION(SSL *, SSL_new, (SSL_CTX *)) \
  FUNCTION(void, SSL_free, (SSL *)) \
  FUNCTION(void, SSL_set_bio, (SSL *, BIO *, BIO *)) \
  FUNCTION(void, SSL_set_accept_state, (SSL *)) \
  FUNCTION(void, SSL_set_connect_state, (SSL *)) \
  FUNCTION(int, SSL_do_handshake, (SSL *)) \
  FUNCTION(int, SSL_read, (SSL *, void *, int)) \
  FUNCTION(int, SSL_write, (SSL *, const void *, int)) \
  FUNCTION(int, SSL_get_error, (const SSL *, int)) \
  FUNCTION(int, SSL_key_update, (SSL *, int)) \
  FUNCTION(long, SSL_ctrl, (SSL *, int, long, void *)) \
  FUNCTION(int, SSL_set1_host, (SSL *, const char *)) \
  FUNCTION(X509_VERIFY_PARAM *, SSL_get0_param, (SSL *)) \
  FUNCTION(long, SSL_get_verify_result, (const SSL *)) \
  FUNCTION(int, X509_VERIFY_PARAM_set1_ip_asc, (X509_VERIFY_PARAM *, const char *)) \
  FUNCTION(void, X509_free, (X509 *)) \
  FUNCTION(X509_PUBKEY *, X509_get_X509_PUBKEY, (const X509 *)) \
  FUNCTION(int, i2d_X509_PUBKEY, (X509_PUBKEY *, unsigned char **)) \
  FUNCTION(unsigned char *, SHA256, (const unsigned char *, size_t, unsigned char *)) \
  FUNCTION(BIO_METHOD *, BIO_meth_new, (int, const char *)) \
  FUNCTION(int, BIO_meth_set_write, (BIO_METHOD *, int (*)(BIO *, const char *, int))) \
  FUNCTION(int, BIO_meth_set_read, (BIO_METHOD *, int (*)(BIO *, char *, int))) \
  FUNCTION(int, BIO_meth_set_ctrl, (BIO_METHOD *, long (*)(BIO *, int, long, void *))) \
  FUNCTION(BIO *, BIO_new, (const BIO_METHOD *)) \
  FUNCTION(void, BIO_set_data, (BIO *, void *)) \
  FUNCTION(void *, BIO_get_data, (BIO *)) \
  FUNCTION(void, BIO_set_init, (BIO *, int)) \
  FUNCTION(void, BIO_set_flags, (BIO *, int)) \
  FUNCTION(void, BIO_clear_flags, (BIO *, int))

struct OpenSSL {
#define MEMBER(result, name, parameters) result(*name) parameters;
  OPENSSL_FUNCTIONS(MEMBER)
#undef MEMBER
  /// `SSL_get1_peer_certificate`, which was `SSL_get_peer_certificate` before 3.0.
  X509 *(*SSL_get1_peer_certificate)(const SSL *);
  BIO_METHOD *socket_method;
};

enum {
  INIT_NO_ATEXIT = 0x00080000,
  CTRL_MODE = 33,
  CTRL_SET_READ_AHEAD = 41,
  CTRL_SET_SESSION_CACHE_MODE = 44,
  CTRL_SET_HOST_NAME = 55,
  CTRL_SET_MIN_PROTOCOL = 123,
  MODE_PARTIAL_WRITE = 1,
  MODE_MOVING_WRITE_BUFFER = 2,
  VERSION_TLS_13 = 0x0304,
  FILE_TYPE_PEM = 1,
  VERIFY_PEER = 1,
  ERROR_SSL = 1,
  ERROR_WANT_READ = 2,
  ERROR_WANT_WRITE = 3,
  ERROR_ZERO_RETURN = 6,
  KEY_UPDATE_NOT_REQUESTED = 0,
  BIO_TYPE_OWN = 0x0400 | 120,
  BIO_CONTROL_FLUSH = 11,
  BIO_FLAG_READ = 1,
  BIO_FLAG_WRITE = 2,
  BIO_FLAG_RETRY = 8,
  // Reasons of the library's errors.
  REASON_UNSUPPORTED_PROTOCOL = 258,
  REASON_WRONG_VERSION_NUMBER = 267,
  REASON_ALERT = 1000,
  REASON_ALERT_PROTOCOL_VERSION = 1070,
  // Results of a certificate's verification.
  VERIFIED_NOT_YET_VALID = 9,
  VERIFIED_EXPIRED = 10,
  VERIFIED_WRONG_HOST = 62,
  VERIFIED_WRONG_ADDRESS = 64,
};

/// What is behind a stream's BIO.
struct TLSSocket {
  int descriptor;
  /// Why the system refused to send or receive, a negative number; 0 if it did not.
  int error;
  bool has_ended;
};

/// The library, opened at the first use; null with `*result` set when it can't be used.
const struct OpenSSL *openssl_open(int *result);

#endif
