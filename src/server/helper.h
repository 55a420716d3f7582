#ifndef MW_SERVER_HELPER_H
#define MW_SERVER_HELPER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The helper: a second process, started before anything is bound, served or given up, that keeps the rights to read
 * what the serving process may not read once it has become its user. It looks at its sources every second and, when
 * one has changed, hands a snapshot over a socket pair: whole messages of at most HELPER_MAX bytes. The server can ask
 * it for nothing but to look again. It has no port, never speaks to a peer, and takes the filter of server/process.h.
 *
 * A source is one file, or two that belong together (a certificate and its key): they come in one snapshot. To add
 * one: a name here, its paths and who takes it in supplies.c.
 */
enum helper_source { HELPER_KEYTAB, HELPER_TLS, HELPER_SOURCES };
#define HELPER_PARTS 2
#define HELPER_MAX ((size_t)64 << 10)

struct helper_paths {
	const char *part[HELPER_SOURCES][HELPER_PARTS]; /* NULL: no such source, or no second part */
};

struct helper_snapshot {
	enum helper_source source;
	size_t size[HELPER_PARTS];
	char trouble[256];         /* it cannot be read: a phrase; else empty */
	uint8_t bytes[HELPER_MAX]; /* part after part */
};

struct helper;

/* The paths are copied. confine: as server_config. */
MW_NODISCARD int helper_start(const struct helper_paths *paths, bool confine, struct helper **out);
/* Waits for that source's first snapshot, while nothing else reads. MW_E_IO: the helper is gone. */
MW_NODISCARD int helper_first(struct helper *h, enum helper_source source, struct helper_snapshot *out);
/* Readable when there is a snapshot, or the helper is gone. */
int helper_fd(const struct helper *h);
/* MW_E_AGAIN: none; MW_E_IO: the helper is gone. Whoever takes it wipes it. */
MW_NODISCARD int helper_next(struct helper *h, struct helper_snapshot *out);
/* Look again, and hand everything over, changed or not. From a signal handler too. */
void helper_ask(const struct helper *h);
/* Ends it. */
void helper_stop(struct helper **h);

#endif
