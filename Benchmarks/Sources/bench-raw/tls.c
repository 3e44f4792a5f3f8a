#include "tls.h"

#include <dlfcn.h>

#include "BenchClock.h"

static void *library, *ssl;
static int (*sslRead)(void *, void *, int);
static int (*sslWrite)(void *, const void *, int);

static void *function(const char *name) {
    void *found = library ? dlsym(library, name) : NULL;
    bench_check(found ? 0 : -1, name);
    return found;
}

static void *newContext(void) {
    library = dlopen("libssl.so.3", RTLD_NOW);
    if (!library) library = dlopen("libssl.so.1.1", RTLD_NOW);
    void *(*method)(void) = function("TLS_method"), *(*make)(void *) = function("SSL_CTX_new");
    long (*control)(void *, int, long, void *) = function("SSL_CTX_ctrl");
    int (*setCiphers)(void *, const char *) = function("SSL_CTX_set_ciphersuites");
    sslRead = function("SSL_read");
    sslWrite = function("SSL_write");
    void *context = make(method());
    enum { SET_READ_AHEAD = 41, SET_MIN_PROTOCOL = 123, TLS_13 = 0x304 };
    control(context, SET_MIN_PROTOCOL, TLS_13, NULL);
    control(context, SET_READ_AHEAD, 1, NULL);
    setCiphers(context, "TLS_AES_128_GCM_SHA256");
    return context;
}

static void begin(void *context, int fd, const char *handshake) {
    void *(*make)(void *) = function("SSL_new");
    int (*setDescriptor)(void *, int) = function("SSL_set_fd"), (*shake)(void *) = function(handshake);
    ssl = make(context);
    setDescriptor(ssl, fd);
    bench_check(shake(ssl) == 1 ? 0 : -1, handshake);
}

void tls_accept(int fd, const char *certificate, const char *key) {
    void *context = newContext();
    int (*useCertificate)(void *, const char *) = function("SSL_CTX_use_certificate_chain_file");
    int (*useKey)(void *, const char *, int) = function("SSL_CTX_use_PrivateKey_file");
    bench_check(useCertificate(context, certificate) == 1 ? 0 : -1, "certificate");
    bench_check(useKey(context, key, 1) == 1 ? 0 : -1, "key");
    begin(context, fd, "SSL_accept");
}

void tls_connect(int fd) { begin(newContext(), fd, "SSL_connect"); }

int tls_is_on(void) { return ssl != NULL; }

static ssize_t moved(int count) { return count > 0 ? count : 0; }

ssize_t tls_read(void *into, size_t count) { return moved(sslRead(ssl, into, (int)count)); }
ssize_t tls_write(const void *from, size_t count) { return moved(sslWrite(ssl, from, (int)count)); }
void tls_end(void) { ssl = NULL; }
