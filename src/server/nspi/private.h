#ifndef MW_SERVER_NSPI_PRIVATE_H
#define MW_SERVER_NSPI_PRIVATE_H

#include "directory/snapshot.h"
#include "mapi/property.h"
#include "mapi/status.h"
#include "mapi/tags.h"
#include "server/nspi/values.h"
#include "server/service.h"
#include "wire/nspi.h"

/*
 * The address book: [MS-OXNSPI]. One container, the global address list, which is
 * the directory's sorted snapshot; a minimal id is a directory id.
 */

/* [MS-OXNSPI] 2.2.1 */
#define NSPI_MID_BEGINNING_OF_TABLE 0x00000000u
#define NSPI_MID_CURRENT 0x00000001u
#define NSPI_MID_END_OF_TABLE 0x00000002u
#define NSPI_MID_UNRESOLVED 0x00000000u
#define NSPI_MID_AMBIGUOUS 0x00000001u
#define NSPI_MID_RESOLVED 0x00000002u
#define NSPI_GAL 0x00000000u
#define NSPI_CP_WINUNICODE 0x000004B0u
#define NSPI_F_SKIP_OBJECTS 0x00000001u
#define NSPI_F_EPH_ID 0x00000002u
#define NSPI_F_ANONYMOUS_LOGIN 0x00000020u
#define NSPI_ADDRESS_CREATION_TEMPLATES 0x00000002u
#define NSPI_UNICODE_STRINGS 0x00000004u
#define NSPI_F_UNICODE_PROPTYPES 0x80000000u
#define NSPI_SORT_DISPLAY_NAME 0u
#define NSPI_SORT_PHONETIC_DISPLAY_NAME 3u
/* 2.2.1.2: not among the codes of [MS-OXCDATA] */
#define NSPI_E_UNKNOWN_CPID 0x8004011Eu
#define NSPI_E_UNKNOWN_LCID 0x8004011Fu
/* Rows that one answer holds at most, whatever is asked. */
#define NSPI_MAX_ROWS 1000u

/* GUID_NSPI: the provider of permanent entry ids, 2.2.1.8 */

/* What a bind leaves behind. */
struct nspi_session {
	uint8_t server_guid[16]; /* provider of ephemeral entry ids */
	uint64_t account;        /* whose it is */
};

/* What one call works on. */
struct nspi_view {
	struct service_call *call;
	const struct directory_snapshot *book;
	const struct nspi_session *session;
	uint32_t code_page;
	bool ephemeral_ids;
};

/* ---- object.c: the properties of one entry, 3.1.4 and [MS-OXOABK] 2.2 ---- */

/* The value of tag; MW_E_NOTFOUND when the entry has none. Types of texts follow the tag. */
MW_NODISCARD int nspi_property(const struct nspi_view *v, const struct directory_user *u, uint32_t tag,
                               struct mapi_value *out);
/* Every property that entries here have, texts as PTYP_STRING. */
extern const uint32_t nspi_known_tags[];
extern const unsigned nspi_known_tag_count;

/* ---- row.c: from values to PropertyRow_r ---- */

/* A row of the asked tags; what is missing becomes an error of MAPI_E_NOT_FOUND. *all: nothing was missing. */
MW_NODISCARD int nspi_row(const struct nspi_view *v, const struct directory_user *u, const uint32_t *tags,
                          unsigned count, struct PropertyRow_r *out, bool *all);
/* A row set of those entries. */
struct PropertyRowSet_r *nspi_rows(const struct nspi_view *v, const struct directory_user *const *users,
                                   unsigned user_count, const struct PropertyTagArray_r *tags);
struct PropertyTagArray_r *nspi_tags(struct arena *arena, unsigned count);

/* ---- match.c: restrictions on entries, 3.1.4.1.10 ---- */

/* MW_E_UNSUPPORTED: a restriction that the address book does not evaluate (ecTooComplex). */
MW_NODISCARD int nspi_matches(const struct nspi_view *v, const struct directory_user *u, const struct Restriction_r *r,
                              bool *out);
/* The text of a value in UTF-8, or NULL. */
const char *nspi_value_text(const struct nspi_view *v, const struct PropertyValue_r *value);

/* ---- position.c: STAT, 3.1.4.1.2 ---- */

/* Where the STAT stands, as an index into the list (count = its end). MW_E_NOTFOUND. */
MW_NODISCARD int nspi_locate(const struct nspi_view *v, const struct STAT *stat, size_t *position);
/* Moves the STAT there and fills NumPos, TotalRecs, CurrentRec. */
void nspi_place(const struct nspi_view *v, struct STAT *stat, size_t position);

/* ---- hierarchy.c ---- */
struct PropertyRowSet_r *nspi_hierarchy(const struct nspi_view *v, bool unicode);

#endif
