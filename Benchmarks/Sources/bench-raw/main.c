/* The physical limits beside which the calls are put: bare ping-pong and streaming over the same transports, memcpy. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "BenchClock.h"
#include "tls.h"

/* The sizes of a cuStreamQuery: frame and command header with one field; reply frame. */
enum { REQUEST = 32, REPLY = 48, ROUND_TRIPS = 20001, CHUNK = 1 << 20, STREAM = 64 << 20, STREAM_REPEATS = 15 };

static double samples[ROUND_TRIPS];
static char *block;

static void readAll(int fd, char *into, size_t count) {
    for (size_t done = 0; done < count;) {
        ssize_t n = tls_is_on() ? tls_read(into + done, count - done) : read(fd, into + done, count - done);
        if (n <= 0) exit(0);
        done += (size_t)n;
    }
}

/* Asks again and again instead of sleeping: without the wake-up of another CPU. */
static void readAwake(int fd, char *into, size_t count) {
    for (size_t done = 0; done < count;) {
        ssize_t n = recv(fd, into + done, count - done, MSG_DONTWAIT | (tls_is_on() ? MSG_PEEK : 0));
        if (n > 0 && tls_is_on()) n = tls_read(into + done, count - done);
        if (n == 0) exit(0);
        if (n > 0) done += (size_t)n;
    }
}

static void writeAll(int fd, const char *from, size_t count) {
    for (size_t done = 0; done < count;) {
        ssize_t n = tls_is_on() ? tls_write(from + done, count - done) : write(fd, from + done, count - done);
        if (n <= 0) exit(0);
        done += (size_t)n;
    }
}

static void pin(const char *variable) {
    const char *cpu = getenv(variable);
    if (!cpu) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(atoi(cpu), &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* The far side: echoes, or takes and gives streams. The first byte of a request says which; 'a' echoes awake. */
static void serve(int fd) {
    char request[REQUEST] = {0}, reply[REPLY] = {0};
    pin("BENCH_SERVER_CPU");
    for (;;) {
        if (request[0] == 'a') readAwake(fd, request, REQUEST);
        else readAll(fd, request, REQUEST);
        if (request[0] == 'i') for (size_t n = 0; n < STREAM; n += CHUNK) readAll(fd, block + n, CHUNK);
        writeAll(fd, reply, REPLY);
        if (request[0] == 'o') for (size_t n = 0; n < STREAM; n += CHUNK) writeAll(fd, block + n, CHUNK);
    }
}

static void measureSocket(const char *name, int fd) {
    char request[REQUEST] = {0}, reply[REPLY], label[64];
    for (int awake = 0; awake < 2; awake++) {
        request[0] = awake ? 'a' : 0;
        for (int i = 0; i < ROUND_TRIPS; i++) {
            double start = bench_now();
            writeAll(fd, request, REQUEST);
            if (awake) readAwake(fd, reply, REPLY);
            else readAll(fd, reply, REPLY);
            samples[i] = bench_now() - start;
        }
        snprintf(label, sizeof label, "raw.%s.ping_pong%s.p50", name, awake ? "_awake" : "");
        bench_report(label, bench_median(samples, ROUND_TRIPS) * 1e6, "us");
    }
    for (int direction = 0; direction < 2; direction++) {
        for (int i = 0; i <= STREAM_REPEATS; i++) {
            double start = bench_now();
            request[0] = direction ? 'o' : 'i';
            writeAll(fd, request, REQUEST);
            if (!direction) for (size_t n = 0; n < STREAM; n += CHUNK) writeAll(fd, block + n, CHUNK);
            readAll(fd, reply, REPLY);
            if (direction) for (size_t n = 0; n < STREAM; n += CHUNK) readAll(fd, block + n, CHUNK);
            if (i) samples[i - 1] = bench_now() - start;
        }
        snprintf(label, sizeof label, "raw.%s.stream_%s", name, direction ? "in" : "out");
        bench_report(label, STREAM / bench_median(samples, STREAM_REPEATS) / 1e9, "GB/s");
    }
}

static int connectedTCP(int *server) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    bench_check(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    bench_check(listen(listener, 1), "listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    bench_check(connect(client, (struct sockaddr *)&address, sizeof address), "connect");
    *server = accept(listener, NULL, NULL);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(*server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    close(listener);
    return client;
}

static void withServer(const char *name, int client, int server) {
    pid_t child = fork();
    if (child == 0) {
        close(client);
        serve(server);
    }
    close(server);
    measureSocket(name, client);
    close(client);
    waitpid(child, NULL, 0);
}

/* OpenSSL over TCP, with the certificate that the environment names. */
static void measureTLS(void) {
    const char *certificate = getenv("BENCH_TLS_CERTIFICATE"), *key = getenv("BENCH_TLS_KEY");
    if (!certificate || !key) return;
    int server, client = connectedTCP(&server);
    pid_t child = fork();
    if (child == 0) {
        close(client);
        tls_accept(server, certificate, key);
        serve(server);
    }
    close(server);
    tls_connect(client);
    measureSocket("tls", client);
    close(client);
    waitpid(child, NULL, 0);
    tls_end();
}

/* Two words in shared memory, each side spins: what the hardware gives two processes on two CPUs. */
static void measureSharedMemory(void) {
    struct words { _Alignas(128) atomic_uint there; _Alignas(128) atomic_uint back; char request[REQUEST], reply[REPLY]; };
    struct words *words = mmap(NULL, sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (child == 0) {
        char request[REQUEST], reply[REPLY] = {0};
        pin("BENCH_SERVER_CPU");
        for (unsigned turn = 1; turn <= ROUND_TRIPS; turn++) {
            while (atomic_load_explicit(&words->there, memory_order_acquire) != turn) __builtin_ia32_pause();
            memcpy(request, words->request, REQUEST);
            memcpy(words->reply, reply, REPLY);
            atomic_store_explicit(&words->back, turn, memory_order_release);
        }
        exit(0);
    }
    char request[REQUEST] = {0}, reply[REPLY];
    for (unsigned turn = 1; turn <= ROUND_TRIPS; turn++) {
        double start = bench_now();
        memcpy(words->request, request, REQUEST);
        atomic_store_explicit(&words->there, turn, memory_order_release);
        while (atomic_load_explicit(&words->back, memory_order_acquire) != turn) __builtin_ia32_pause();
        memcpy(reply, words->reply, REPLY);
        samples[turn - 1] = bench_now() - start;
    }
    waitpid(child, NULL, 0);
    bench_report("raw.shm.ping_pong.p50", bench_median(samples, ROUND_TRIPS) * 1e6, "us");
}

static void measureMemcpy(void) {
    char *other = malloc(STREAM);
    memset(other, 2, STREAM);
    for (int i = 0; i <= STREAM_REPEATS; i++) {
        double start = bench_now();
        memcpy(other, block, STREAM);
        __asm__ volatile("" ::"r"(other) : "memory");
        if (i) samples[i - 1] = bench_now() - start;
    }
    bench_report("raw.memcpy.64MiB", STREAM / bench_median(samples, STREAM_REPEATS) / 1e9, "GB/s");
    free(other);
}

int main(void) {
    int pair[2], server;
    pin("BENCH_CLIENT_CPU");
    block = malloc(STREAM);
    memset(block, 1, STREAM);
    measureMemcpy();
    bench_check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    withServer("unix", pair[0], pair[1]);
    int client = connectedTCP(&server);
    withServer("tcp", client, server);
    measureTLS();
    measureSharedMemory();
    return 0;
}
