#ifndef MW_DIRECTORY_DIRECTORY_H
#define MW_DIRECTORY_DIRECTORY_H

#include "base/guid.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Who exists: users and the organisation, in one SQLite file (STATE/directory.sqlite).
 * Whoever reads often (NSPI rows, log-ons) reads a snapshot: directory/snapshot.h.
 * A struct directory belongs to one thread; several processes may have the file open.
 * Texts are UTF-8. MW_E_IO: the database refused; directory_error says why.
 */
struct directory;

enum directory_flags {
	DIRECTORY_LOCKED = 1 << 0,  /* may not log on */
	DIRECTORY_EXPIRED = 1 << 1, /* account expired */
	DIRECTORY_HIDDEN = 1 << 2,  /* not in address lists; still found by name and address */
};

/* The organisation. Texts live as long as the snapshot or directory they came from. */
struct directory_settings {
	const char *mail_domain;  /* "demo.test" */
	const char *ntlm_domain;  /* "DEMO": by default the mail domain's first label in capitals */
	const char *organisation; /* "DEMO": the o= of legacy DNs; by default as the NTLM domain */
	const char *server_name;  /* "MAIL": this server's cn= in its DN and its NetBIOS name */
	const char *locale;       /* ICU locale that sorts names; "en" by default */
};

struct directory_user {
	uint32_t id;         /* >= 16, never given twice: fit to be an NSPI minimal id */
	uint32_t flags;      /* enum directory_flags */
	const char *account; /* NTLM user name and alias: "alice" */
	const char *address; /* primary SMTP address: "alice@demo.test" */
	const char *name;    /* display name */
	const char *dn;      /* "/o=DEMO/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=alice" */
	struct guid mailbox; /* names the file STATE/mailboxes/GUID.sqlite */
	uint8_t nt_hash[16]; /* MD4 of the UTF-16LE password; never shown, never logged */
	const char *const *more; /* further SMTP addresses, NULL-terminated */
	/* NULL, or where the mailbox is instead: a mail address, or the https URL of another Autodiscover service. */
	const char *redirect;
};

/* What an add needs; NULL texts get the defaults. */
struct directory_new_user {
	const char *address; /* "alice@demo.test", required */
	const char *name;    /* default: the local part */
	const char *account; /* default: the local part */
	const char *const *more;
	uint32_t flags;
	uint8_t nt_hash[16];
};

/*
 * Opens STATE/directory.sqlite for reading and, where the file allows it, writing. With create, makes the folder and
 * the file when they are missing, from settings (NULL members get the defaults; mail_domain is needed). Without, or
 * when the file exists, settings may be NULL and is not looked at. MW_E_NOTFOUND: no such file.
 * MW_E_MALFORMED: not our file, or a newer version. why (may be NULL) gets a sentence.
 */
struct directory_why {
	char text[256];
};
MW_NODISCARD int directory_open(const char *state, bool create, const struct directory_settings *settings,
                                struct directory **out, struct directory_why *why);
void directory_close(struct directory **d);
/* What went wrong last, as one English sentence; "" when nothing did. */
const char *directory_error(const struct directory *d);

/* Adds a user with a new mailbox GUID, and reports both. MW_E_EXISTS: account, address or DN is taken.
 * MW_E_INVALID: not an address, or unfit characters. */
MW_NODISCARD int directory_add(struct directory *d, const struct directory_new_user *user, uint32_t *id,
                               struct guid *mailbox);
/* By id, as directory_find_* of a snapshot gives it. MW_E_NOTFOUND. */
MW_NODISCARD int directory_set_nt_hash(struct directory *d, uint32_t id, const uint8_t nt_hash[16]);
MW_NODISCARD int directory_set_flags(struct directory *d, uint32_t id, uint32_t flags);
MW_NODISCARD int directory_set_name(struct directory *d, uint32_t id, const char *name);
/* NULL: the mailbox is here again. MW_E_INVALID: neither a mail address nor an https URL. */
MW_NODISCARD int directory_set_redirect(struct directory *d, uint32_t id, const char *redirect);
/* The mailbox file stays: it is the caller's to delete. */
MW_NODISCARD int directory_remove(struct directory *d, uint32_t id);
/* NULL members stay as they are. */
MW_NODISCARD int directory_set_settings(struct directory *d, const struct directory_settings *settings);

/* MD4 of the password in UTF-16LE ([MS-NLMP] 3.3.1 NTOWFv1). MW_E_INVALID: not UTF-8, or above 256 characters. */
MW_NODISCARD int directory_nt_hash(const char *password, uint8_t out[16]);

#endif
