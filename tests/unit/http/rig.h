#ifndef MW_TESTS_HTTP_RIG_H
#define MW_TESTS_HTTP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"

#include <ctype.h>
#include <stdlib.h>

/* Hexadecimal text with blanks to bytes; how many. */
static inline size_t rig_hex(const char *hex, uint8_t *out, size_t room)
{
	size_t n = 0;
	while (*hex) {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		char pair[3] = {hex[0], hex[1], '\0'};
		assert_true(n < room && isxdigit((unsigned char)pair[0]) && isxdigit((unsigned char)pair[1]));
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		hex += 2;
	}
	return n;
}

#endif
