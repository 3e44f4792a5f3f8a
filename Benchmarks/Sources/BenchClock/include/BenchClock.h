/* Time, medians and output of the measured programs. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stddef.h>

/* Seconds of a monotonic clock. */
double bench_now(void);

/* The median of `count` values; reorders them. */
double bench_median(double *values, size_t count);

/* Prints `name value unit` and flushes. */
void bench_report(const char *name, double value, const char *unit);

/* Ends the program with a sentence unless `status` is 0. */
void bench_check(int status, const char *what);

#endif
