#ifndef MW_TESTS_AUTH_UTIL_H
#define MW_TESTS_AUTH_UTIL_H

/* What the tests of src/auth share. Included after cmocka.h. */

#include "auth/auth.h"
#include "auth/ntlm_crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hex {
	uint8_t data[2048];
	size_t len;
};

/* Blanks in the text are skipped. */
static inline struct hex unhex(const char *text)
{
	struct hex h = {0};
	for (const char *p = text; *p != '\0';) {
		unsigned byte;
		if (*p == ' ') {
			p++;
			continue;
		}
		assert_int_equal(sscanf(p, "%2x", &byte), 1);
		assert_true(h.len < sizeof h.data);
		h.data[h.len++] = (uint8_t)byte;
		p += 2;
	}
	return h;
}

static inline void assert_hex(const void *actual, size_t len, const char *expected)
{
	struct hex h = unhex(expected);
	assert_int_equal(len, h.len);
	assert_memory_equal(actual, h.data, len);
}

static inline struct ntlm_bytes bytes_of(const struct hex *h)
{
	return (struct ntlm_bytes){h->data, h->len};
}

/* Randomness that a test can repeat: a counter, spread. */
struct test_random {
	uint64_t state;
};

static inline void test_fill(void *user, void *out, size_t n)
{
	struct test_random *r = user;
	for (size_t i = 0; i < n; i++) {
		r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		((uint8_t *)out)[i] = (uint8_t)(r->state >> 56);
	}
}

#endif
