/* One TLS 1.3 connection of this process, by the system's OpenSSL: blocking, and as simple as it can be. */
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include <stddef.h>
#include <sys/types.h>

void tls_accept(int fd, const char *certificate, const char *key);
void tls_connect(int fd);
int tls_is_on(void);
ssize_t tls_read(void *into, size_t count);
ssize_t tls_write(const void *from, size_t count);
void tls_end(void);

#endif
