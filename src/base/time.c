#include "base/time.h"

#include <stdio.h>
#include <time.h>

/* 1970-01-01 as a FILETIME: 134,774 days. */
#define FILETIME_1970 INT64_C(116444736000000000)

/* Towards the past, so that a time before 1970 does not move forward. */
static int64_t div_floor(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

uint64_t filetime_from_ns(int64_t ns)
{
	return (uint64_t)(div_floor(ns, 100) + FILETIME_1970);
}

int64_t filetime_to_ns(uint64_t filetime)
{
	int64_t ns;

	if (filetime > INT64_MAX)
		return INT64_MAX;
	if (__builtin_mul_overflow((int64_t)filetime - FILETIME_1970, 100, &ns))
		return (int64_t)filetime < FILETIME_1970 ? INT64_MIN : INT64_MAX;
	return ns;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t time_now_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t time_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

const char *time_format(int64_t ns, char out[TIME_TEXT_SIZE])
{
	int64_t s = div_floor(ns, NS_PER_S);
	/* ns - s * NS_PER_S would overflow for the least int64_t. */
	int64_t rest = ns % NS_PER_S;
	unsigned us = (unsigned)((rest < 0 ? rest + NS_PER_S : rest) / 1000);
	time_t t = s;
	struct tm tm;
	size_t n;

	gmtime_r(&t, &tm);
	n = strftime(out, TIME_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(out + n, TIME_TEXT_SIZE - n, ".%06uZ", us % 1000000);
	return out;
}
