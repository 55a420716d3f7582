#ifndef MW_BASE_TIME_H
#define MW_BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

/*
 * Times inside are nanoseconds since 1970-01-01 UTC (int64_t). On the wire
 * stands a FILETIME: 100 ns since 1601-01-01 UTC (MS-DTYP 2.3.3).
 * Protocol code is told the time; only servers, clients and tests ask a clock.
 */
#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

uint64_t filetime_from_ns(int64_t ns);
/* Values beyond int64_t nanoseconds saturate. */
int64_t filetime_to_ns(uint64_t filetime);
/* The wall clock, and a clock that only goes forward. */
int64_t time_now_ns(void);
int64_t time_monotonic_ns(void);

#define TIME_TEXT_SIZE 32
/* "2003-06-30 16:52:06.123456Z"; returns out. */
const char *time_format(int64_t ns, char out[TIME_TEXT_SIZE]);

#endif
