#ifndef MW_CLI_MAIL_H
#define MW_CLI_MAIL_H

#include "cli/remote.h"
#include "mapi/tags.h"

/* What the commands of 'mapiwire mail' share: mail.c says which there are, mail_NAME.c has them. */

#define MAIL_MAX_WORDS 1000

struct mail {
	struct cli_remote *r;
	const char *server, *folder, *subject, *to, *cc, *bcc, *save, *since, *before, *from;
	const char *format, *eml, *mbox, *maildir;
	const char *attach[100];
	unsigned attach_count;
	bool html, hard, unread, flagged, attachments;
	unsigned max, count;
	const char **words; /* behind the command's name */
	size_t word_count;
	/* Once it is open. */
	uint16_t port;
	struct mapiwire_store *store;
	uint64_t folder_id;        /* --folder, or the inbox */
	char *dn, *name, *address; /* of the user, as the address book has them */
	/* What was read before the server was asked. */
	struct buf body;
	struct mapiwire_recipient *recipients;
	size_t recipient_count;
};

extern const char mail_command[]; /* "mail" */

/* ---- mail_open.c ---- */

/* Mapper, address book, store, folder: MAPIWIRE_E_*. */
MW_NODISCARD int mail_open(struct mail *mail);
/* Another session of the same mailbox. MAPIWIRE_E_*. */
MW_NODISCARD int mail_open_store(struct mail *mail, struct mapiwire_store **out);
/* After a sentence: the cause's exit code. */
int mail_fail(const struct mail *mail);

/* Messages of the folder, as people name them: "3", "3-7", "1,4-6", "all", or an id as --json shows it. */
struct mail_messages {
	uint64_t *ids;
	size_t count;
};
/* The words before `end` name some; 0, or an exit code after a sentence. Ids live in the remote's arena. */
MW_NODISCARD int mail_find(struct mail *mail, size_t end, struct mail_messages *out);
/* One message, opened for reading. */
MW_NODISCARD int mail_open_one(struct mail *mail, const char *word, struct mapiwire_message **out);
/* Whether the word can name messages at all. */
bool mail_names_messages(const char *word);

const char *mail_text(const struct mapiwire_rows *rows, size_t row, uint32_t tag);
int64_t mail_number(const struct mapiwire_rows *rows, size_t row, uint32_t tag);
/* When it came, else when it was last changed. */
int64_t mail_date(const struct mapiwire_rows *rows, size_t row);
const char *mail_sender(const struct mapiwire_rows *rows, size_t row);
void mail_local_time(int64_t ns, char out[20]);
void mail_size_text(int64_t bytes, char out[24]);
/* "1 message", "2,000 messages" */
const char *mail_plural(uint64_t count, const char *one, const char *many, char out[64]);

/* ---- mail_folders.c ---- */

struct mail_folder {
	uint64_t id, parent;
	unsigned depth; /* 1: right below the top */
	int64_t total, unread;
	const char *name, *path;
};
struct mail_tree {
	struct mail_folder *list;
	size_t count;
};
/* All below a folder, each behind its parent; in the remote's arena. MAPIWIRE_E_*. */
MW_NODISCARD int mail_tree(struct mail *mail, uint64_t folder, struct mail_tree *out);
/* NULL: not there. */
const struct mail_folder *mail_tree_find(const struct mail_tree *tree, uint64_t id);
/* The path's folder; those that are missing are made. MAPIWIRE_E_*. */
MW_NODISCARD int mail_make_path(struct mail *mail, uint64_t from, const char *path, uint64_t *folder);

/* ---- The commands: an exit code; the mailbox is open ---- */
int mail_list(struct mail *mail);
int mail_search(struct mail *mail);
int mail_folders(struct mail *mail);
int mail_read(struct mail *mail);
int mail_attachments(struct mail *mail);
int mail_send(struct mail *mail);
int mail_save(struct mail *mail);
int mail_move(struct mail *mail);
int mail_copy(struct mail *mail);
int mail_delete(struct mail *mail);
int mail_mark(struct mail *mail);
int mail_watch(struct mail *mail);
int mail_import(struct mail *mail);
int mail_export(struct mail *mail);
/* Before it is open. */
int mail_check_export(struct mail *mail, const char *name);
/* Reads the body and splits the recipients. */
int mail_prepare_send(struct mail *mail);

#endif
