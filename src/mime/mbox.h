#ifndef MW_MIME_MBOX_H
#define MW_MIME_MBOX_H

#include "mime/mime.h"

#include <stdio.h>

/*
 * mbox files, as mboxrd: a line "From ..." behind an empty one begins a message, and lines of messages that begin so,
 * or with any number of ">" before it, have one ">" more. Messages of up to 1 MiB are held in memory, larger ones
 * in a file without a name.
 */
struct mime_mbox;

/* MW_E_IO: errno says why. */
MW_NODISCARD int mime_mbox_open(const char *path, struct mime_mbox **out);
void mime_mbox_close(struct mime_mbox **m);
/* 1 and the next message, good until the next call; 0 at the end; MW_E_IO, MW_E_NOMEM. */
MW_NODISCARD int mime_mbox_next(struct mime_mbox *m, struct mime_source *out);
/* Bytes read so far, and in all. */
uint64_t mime_mbox_position(const struct mime_mbox *m);
uint64_t mime_mbox_size(const struct mime_mbox *m);

/* Appends the message in fd (from its beginning) to an mbox: who sent it, when (ns since 1970). MW_E_IO. */
MW_NODISCARD int mime_mbox_append(FILE *out, const char *sender, int64_t when, int fd);

#endif
