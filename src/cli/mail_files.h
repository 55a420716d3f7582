#ifndef MW_CLI_MAIL_FILES_H
#define MW_CLI_MAIL_FILES_H

#include "cli/mail.h"
#include "cli/progress.h"
#include "mime/mime.h"

/* import and export: messages of the mailbox, and of files. */

/* mail_put.c: a message into a folder; more: values beside its own. MAPIWIRE_E_*, or MW_E_IO of mime_content. */
MW_NODISCARD int mail_put(struct mapiwire_store *store, uint64_t folder, const struct mime_message *m,
                          const struct mapiwire_value *more, size_t more_count);

/* mail_get.c: a message with all that a file has room for; contents of attachments are in a file without a name. */
struct mail_got;
MW_NODISCARD int mail_get(struct mail *mail, uint64_t folder, uint64_t id, struct mail_got **out);
const struct mime_message *mail_got_message(const struct mail_got *g);
void mail_got_free(struct mail_got **g);

/* ---- import ---- */

enum mail_format { MAIL_UNKNOWN, MAIL_EML, MAIL_MBOX, MAIL_MAILDIR, MAIL_PST };
/* A server that answers when a save is on disk is asked to keep several at once: one sync covers them all. */
#define MAIL_SESSIONS 4
#define MAIL_FLAGS 3

struct mail_import;
/* A message on its way, in a session of its own. */
struct mail_job {
	struct mail_import *import;
	struct mapiwire_store *store; /* the first is the mail's; the others are opened when they are needed */
	struct mime_parsed *message;  /* NULL: idle */
	uint64_t folder, number;
	const char *where; /* the file it is from */
	struct mapiwire_value flags[MAIL_FLAGS];
	size_t flag_count;
};
struct mail_import {
	struct mail *mail;
	struct mail_job jobs[MAIL_SESSIONS];
	struct cli_progress progress;
	uint64_t taken, refused, seen; /* messages */
	unsigned told;                 /* sentences about refused ones */
	int code;                      /* an exit code once it cannot go on */
};

/* mail_pool.c: parses a message and sends it on its way, once there is a session for it; what is wrong with it alone is
 * counted and told. where lives until mail_import_wait. False: stop. */
bool mail_import_one(struct mail_import *i, uint64_t folder, const struct mime_source *source, const char *where,
                     const struct mapiwire_value *flags, size_t flag_count);
/* Until none is on its way. */
void mail_import_wait(struct mail_import *i);
void mail_import_end(struct mail_import *i);
/* After a sentence. */
void mail_import_stop(struct mail_import *i, int code);

void mail_import_mbox(struct mail_import *i, uint64_t folder, const char *path);
/* mail_maildir.c */
void mail_import_maildir(struct mail_import *i, uint64_t folder, const char *path);
/* mail_pst.c: by readpst, which is looked for in PATH. */
void mail_import_pst(struct mail_import *i, uint64_t folder, const char *path);

#endif
