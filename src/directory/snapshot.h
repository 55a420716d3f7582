#ifndef MW_DIRECTORY_SNAPSHOT_H
#define MW_DIRECTORY_SNAPSHOT_H

#include "directory/directory.h"

#include <stddef.h>

/*
 * All users at one moment, in memory, sorted by display name as the locale collates (equal names by id).
 * Immutable, reference-counted, readable from any thread. No call here touches the database but
 * directory_snapshot. Positions count from 0. Users and texts live as long as the snapshot.
 */
struct directory_snapshot;

/*
 * The newest state: the same snapshot as last time unless the file has changed (a cheap check).
 * The caller owns one reference. After MW_E_IO the caller may go on with an older snapshot.
 */
MW_NODISCARD int directory_snapshot(struct directory *d, struct directory_snapshot **out);
struct directory_snapshot *directory_snapshot_ref(struct directory_snapshot *s);
void directory_snapshot_unref(struct directory_snapshot **s);

/* Grows with every change that this directory object has seen. */
uint64_t directory_version(const struct directory_snapshot *s);
const struct directory_settings *directory_settings(const struct directory_snapshot *s);

/* ---- The list: users that are not hidden, in display-name order ---- */
size_t directory_count(const struct directory_snapshot *s);
/* NULL beyond the end. */
const struct directory_user *directory_at(const struct directory_snapshot *s, size_t position);
/* MW_E_NOTFOUND: no such id, or hidden. */
MW_NODISCARD int directory_position(const struct directory_snapshot *s, uint32_t id, size_t *position);
/* First position whose display name is >= text (case and accents do not count); directory_count if none. */
size_t directory_seek(const struct directory_snapshot *s, const char *text);

/* ---- Single users, hidden ones too; NULL when there is none. ASCII and Unicode case do not count. ---- */
const struct directory_user *directory_by_id(const struct directory_snapshot *s, uint32_t id);
/* Primary or further SMTP address, with or without "smtp:" before it. */
const struct directory_user *directory_by_address(const struct directory_snapshot *s, const char *address);
const struct directory_user *directory_by_dn(const struct directory_snapshot *s, const char *dn);
const struct directory_user *directory_by_mailbox(const struct directory_snapshot *s, const struct guid *mailbox);
/* As NTLM names users: domain NULL or "" is any; the NTLM or the mail domain otherwise;
 * user may be a whole address when the domain is empty. */
const struct directory_user *directory_by_account(const struct directory_snapshot *s, const char *domain,
                                                  const char *user);

/*
 * Ambiguous name resolution ([MS-OXNSPI] 3.1.4.7): users whose display name, one of its words, account or an
 * address begins with text; "=text" asks for the account or the display name exactly; a DN or a whole address
 * means that user. Writes up to max of them in list order to users (may be NULL with max 0) and returns how many match.
 */
size_t directory_resolve(const struct directory_snapshot *s, const char *text, const struct directory_user **users,
                         size_t max);

#endif
