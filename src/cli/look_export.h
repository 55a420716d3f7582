#ifndef MW_CLI_LOOK_EXPORT_H
#define MW_CLI_LOOK_EXPORT_H

#include "lens/lens.h"

/*
 * look --export: the RPC of a capture written anew as pcapng, each connection and pipe as a TCP connection of its own
 * between the same hosts, opened where the lens could, without authentication, so that Wireshark reads the calls. HTTP
 * is written byte by byte, out of its TLS: on port 80, where every dissector expects it.
 */
struct look_export;

/* 0, MW_E_IO with errno, MW_E_NOMEM. */
struct lens_scrub;

/* scrub: other addresses too; or NULL. */
MW_NODISCARD int look_export_new(const char *path, struct lens_scrub *scrub, struct look_export **out);
/* lens_options.said, and each event of the lens. user: the struct look_export. */
void look_export_said(void *user, const struct lens_said *said);
/* lens_options.text: each HTTP connection as it is, without TLS. */
void look_export_text(void *user, const struct lens_text *text);
void look_export_event(struct look_export *x, const struct lens_event *e);
/* How many calls are in it, and how many of them without their contents. */
void look_export_counts(const struct look_export *x, uint64_t *calls, uint64_t *emptied);
/* 0, or the first error of writing. */
int look_export_finish(struct look_export **x);

#endif
